// One page about some runs, for a browser.

import Accelerando
import AccelerandoRecipes
import AccelerandoReport
import ArgumentParser
import Foundation

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a page that shows what runs did and what their models learned.",
    discussion: """
      The page is one HTML file that needs no network: curves of all runs and the difference of their recipes; for each model its \
      mistakes, calibration, residuals and worst samples on the data that 'evaluate' takes, weights, time by layer; and what \
      'train --inspect' and 'prune' have left. What a run lacks is left out.
      """)

  @Argument(help: "Directories that 'train --output' or 'prune --output' wrote.")
  var runs: [String]

  @Option(help: ArgumentHelp("The HTML file to write; '-' for standard output.", valueName: "file"))
  var output: String

  @Flag(help: "Show only what the files of the runs say: load no data and run no model.")
  var filesOnly = false

  @Option(parsing: .unconditional, help: "The number of samples with the largest losses to show.")
  var worst: Int = 24

  @Option(parsing: .unconditional, help: "The number of samples in a step of evaluation.")
  var batchSize: Int = 256

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var threadOptions: ThreadOptions

  func validate() throws {
    if runs.isEmpty { throw ValidationError("Name at least one directory of a run.") }
    try checkCount("--worst", worst, least: 0, most: nil)
    try checkCount("--batch-size", batchSize, most: nil)
  }

  func run() throws {
    // All are read before the first is measured: a wrong name should not cost minutes.
    var reports = try runs.map { path in
      var report = RunReport(record: try RunRecord(directory: path))
      report.weights = try NamedHistogram.weights(ofRun: path)
      report.inspections = try InspectionRecord.ofRun(path)
      report.gradients = (report.inspections.last?.gradients ?? []).map {
        NamedHistogram(name: $0.name, histogram: $0.histogram)
      }
      report.compression = try CompressionRecord.ofRun(path)
      return report
    }
    if !filesOnly {
      for index in reports.indices {
        if runs.count > 1 { tell("\(runs[index]): evaluating") }
        do {
          try measure(&reports[index])
        } catch {
          // The page is of use without it.
          let note = "Without an evaluation: \(error)"
          reports[index].notes.append(note)
          tell("\(runs[index]): \(note)")
        }
      }
    }
    try writeFile(Array(ReportPage(reports).html.utf8), to: output)
    if output != "-" { tell("The page is written to \(output).") }
  }

  /// Adds what needs the model and its data.
  private func measure(_ report: inout RunReport) throws {
    let run = try RunDirectory(opening: report.record.name)
    let recipe = try run.loadRecipe()
    let stage = try run.loadStage(of: recipe)
    let samples = try dataOptions.loadForEvaluation(recipe, stage: stage)
    let backend = threadOptions.makeCPUBackend()
    let model = try run.loadModel(backend: backend)
    let data = try samples.dataset()
    let logs = try model.evaluate(data, batchSize: batchSize)
    var evaluator = Evaluator(worstCount: worst, keepsPictures: true)
    var evaluation = try evaluator.evaluate(
      model, on: data, ids: samples.ids, answers: Answers(of: model, recipe: recipe, stage: stage), batchSize: batchSize
    )
    evaluation.numbers = logs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    report.evaluation = evaluation
    // Measuring trains the model a little; it is not saved. A model may be too large for it, and the rest is of use all the same.
    guard let step = try? model.inspectedStep(.train, on: data, batchSize: recipe.fit.batchSize),
      let profile = try? backend.profile(step.execution, runs: 20)
    else { return }
    report.layerTimes = profile.report.timesByLayer
    report.stepDescription = "training step of \(step.sampleCount) samples"
  }
}

extension PlanReport {
  /// The measured time of each layer in a run, in the order in which they come.
  fileprivate var timesByLayer: [LayerTime] {
    var times: [LayerTime] = []
    for kernel in allKernels {
      guard let seconds = kernel.measuredSeconds else { continue }
      // Layers stand inside the model; losses, metrics and the optimizer beside it.
      let name: String
      switch kernel.path.first {
      case nil: name = "everything else"
      case "optimizer": name = "optimizer"
      case let first?: name = kernel.path.count > 1 ? kernel.path[1] : first
      }
      if let place = times.firstIndex(where: { $0.name == name }) {
        times[place].seconds += seconds
      } else {
        times.append(LayerTime(name: name, seconds: seconds))
      }
    }
    return times
  }

  private var allKernels: [Kernel] { kernels + phases.flatMap { $0.inner.flatMap(\.allKernels) } }
}
