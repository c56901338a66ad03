// Compiles a recipe's step for machines that are not present and reports what it takes there; or writes it for other
// tools.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Compiles a recipe's training step for GPUs or TPUs that need not be present, and predicts memory and time.",
    discussion: """
      A target is tpu:CHIP:SHAPE or cuda:CHIP:COUNT: tpu:v5e:2x4, tpu:v5e:16x16, cuda:h200, cuda:h100:8. The step is \
      compiled by the real compiler, which is in the plugin: 'accelerando plugin install tpu', or 'cuda12 --compile-only'.

      Known chips: \(ChipSpec.all.map { "\($0.platform):\($0.name)" }.joined(separator: ", ")).
      """)

  @Argument(help: "A built-in recipe's name or the path of a YAML file.")
  var recipe: String

  @Option(help: "The devices to compile for.")
  var target: String

  @Option(
    parsing: .unconditional, help: "The number of samples in a step, on all chips together; the recipe's by default.")
  var batchSize: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var precisionOption: PrecisionOption
  @OptionGroup var dataOptions: DataOptions

  func validate() throws {
    try checkBatchSize(batchSize)
  }

  func run() throws {
    let target = try AheadTarget(target)
    var recipe = try Recipe(recipe)
    recipe.precision = precisionOption.chosen ?? recipe.precision
    let data = try recipe.dataOutline(override: dataOptions.override, limit: dataOptions.limit)
    let batchSize = batchSize ?? recipe.fit.batchSize
    let share = (batchSize - 1) / target.deviceCount + 1
    let program = try recipe.stepProgram(
      .train, on: data.types, batchSize: batchSize, workers: target.deviceCount, backend: CPUBackend(threads: 1))
    // Compilers warn of programs that do not fit, although that is the question.
    setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0)
    if !json { tell("Compiling the step of '\(recipe.name)' for \(target) …") }
    let step = StepPlan.Step(program: program, batchSize: batchSize, batchSizePerDevice: share, samples: data.count)
    let plan = try StepPlan(step, on: target)
    if json {
      try printJSON(plan, snakeCase: true)
    } else {
      print(plan)
    }
  }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a recipe's step as StableHLO text, which compilers based on MLIR read.")

  @Argument(
    help: "A built-in recipe's name, the path of a YAML file, or a directory that 'train' or 'prune --output' wrote.")
  var recipe: String

  @Option(help: ArgumentHelp("The file to write; '-' for standard output.", valueName: "file"))
  var stablehlo: String

  @Option(help: "What the step does: \(StepKind.allCases.map(\.rawValue).joined(separator: ", ")).")
  var step = "train"

  @Option(parsing: .unconditional, help: "The number of samples in the step; the recipe's by default.")
  var batchSize: Int?

  @OptionGroup var dataOptions: DataOptions

  func validate() throws {
    if StepKind(rawValue: step) == nil {
      throw ValidationError(
        "--step is one of \(StepKind.allCases.map(\.rawValue).joined(separator: ", ")); received '\(step)'.")
    }
    try checkBatchSize(batchSize)
  }

  func run() throws {
    let trained = RunDirectory.isDirectory(recipe) ? try RunDirectory(opening: recipe) : nil
    let recipe = try trained?.loadRecipe() ?? Recipe(recipe)
    let data = try recipe.dataOutline(override: dataOptions.override, limit: dataOptions.limit)
    let kind = StepKind(rawValue: step) ?? .train
    let (size, backend) = (batchSize ?? recipe.fit.batchSize, CPUBackend(threads: 1))
    // A trained model may have other layers than its recipe: pruning takes filters out.
    let program =
      try trained?.loadModel(backend: backend).stepProgram(
        kind, on: data.types, batchSize: size, compilation: recipe.makeCompilation())
      ?? recipe.stepProgram(kind, on: data.types, batchSize: size, backend: backend)
    let text = try program.stableHLO(name: "\(recipe.name)_\(kind.rawValue)_step")
    try writeFile(Array(text.utf8), to: stablehlo)
    if stablehlo != "-" {
      print(
        "\(stablehlo): \(program.instructions.count) operations, \(program.inputs.count) inputs, "
          + "\(program.outputs.count) outputs")
    }
  }
}

/// Refuses batches of no size, and of sizes that nothing can hold.
private func checkBatchSize(_ size: Int?) throws {
  guard let size, !(1...1 << 30).contains(size) else { return }
  throw ValidationError("--batch-size needs a number from 1 to \(1 << 30); received \(size).")
}
