// Shows how the engine runs a recipe's model: what it fuses, what stays in cache, and where time is spent.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the plan of a recipe's or a trained model's step, and measures it.",
    discussion: """
      A phase is what runs between two barriers. A region takes a few samples (or rows of a parameter) at a time \
      through a chain of kernels, so that the values between them stay in a core's cache. Times of kernels are summed \
      over the threads. Phases that run once pack the weights for evaluation and prediction of many samples; a product \
      shows 'sparse' if it skips the zeros of pruned weights.
      """)

  @Argument(
    help: "A built-in recipe's name, the path of a YAML file, or a directory that 'train' or 'prune --output' wrote.")
  var recipe: String

  @Option(help: "What the step does: \(StepKind.allCases.map(\.rawValue).joined(separator: ", ")).")
  var step = "train"

  @Option(parsing: .unconditional, help: "The number of samples in the step.")
  var batchSize: Int?

  @Option(parsing: .unconditional, help: "The number of steps to measure; 0 only plans.")
  var runs = 50

  @Option(
    help: ArgumentHelp(
      "Write a trace of one step for Chrome or Perfetto; '-' for standard output, and nothing else.", valueName: "file")
  )
  var trace: String?

  @Flag(help: "Print the plan as JSON.")
  var json = false

  @Flag(help: "Print the program that is planned.")
  var program = false

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var threadOptions: ThreadOptions

  func validate() throws {
    if StepKind(rawValue: step) == nil {
      throw ValidationError(
        "--step is one of \(StepKind.allCases.map(\.rawValue).joined(separator: ", ")); received '\(step)'.")
    }
    try checkCount("--batch-size", batchSize, most: nil)
    if runs < 0 { throw ValidationError("--runs needs at least 0; received \(runs).") }
    if trace != nil, runs == 0 { throw ValidationError("--trace needs a step to be measured: leave --runs 0 out.") }
  }

  func run() throws {
    let trained = RunDirectory.isDirectory(recipe) ? try RunDirectory(opening: recipe) : nil
    let recipe = try trained?.loadRecipe() ?? Recipe(recipe)
    let backend = threadOptions.makeCPUBackend()
    let data = try dataOptions.load(recipe, stage: trained?.loadStage(of: recipe))
    let model = try trained?.loadModel(backend: backend) ?? recipe.makeModel(for: data.inputs, backend: backend)
    let kind = StepKind(rawValue: step) ?? .train
    let step = try model.inspectedStep(
      kind, on: data.train.dataset(), batchSize: batchSize ?? recipe.fit.batchSize, isLongPass: kind != .train)
    if program { print(step.program) }
    var report = try backend.explain(step.execution)
    if runs > 0 {
      let profile = try backend.profile(step.execution, runs: runs)
      report = profile.report
      if let trace { try writeFile(Array(profile.chromeTrace()), to: trace) }
    }
    if trace == "-" { return }
    if json {
      try printJSON(report)
    } else {
      print(
        "\(kind.rawValue) step of \(step.sampleCount) samples, \(backend.threads) threads, \(backend.instructionSet)")
      print(report)
    }
  }
}
