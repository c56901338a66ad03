// Measures a trained model.

import Accelerando
import AccelerandoRecipes
import AccelerandoReport
import ArgumentParser
import Foundation

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Evaluates a trained model.",
    discussion: """
      The data are those of the model's recipe: the validation split, if there is one. --data takes \
      other data: for a recipe with arrays in files, the directory with files of these names, and for any recipe an NPZ \
      file with x_test and y_test, or x_train and y_train. Shown are loss and metrics and, by what the outputs stand for, the \
      confusion matrix, precision, recall and F1 of each class, calibration, residuals, and the samples with the largest losses.
      """)

  @Argument(help: "A directory that 'train --output' wrote.")
  var directory: String

  @Option(parsing: .unconditional, help: "The number of samples in a step.")
  var batchSize: Int = 256

  @Option(
    help: ArgumentHelp(
      "Write a row for each sample, as FILE.csv or FILE.json: its id, the truth, the answer with all probabilities, its loss.",
      valueName: "file"))
  var output: String?

  @Option(parsing: .unconditional, help: "The number of samples with the largest losses to show.")
  var worst: Int = 5

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    try checkCount("--batch-size", batchSize, most: nil)
    try checkCount("--worst", worst, least: 0, most: nil)
    if let output { _ = try TableKind(of: output) }
  }

  func run() throws {
    let run = try RunDirectory(opening: directory)
    let recipe = try run.loadRecipe()
    let stage = try run.loadStage(of: recipe)
    let samples = try dataOptions.loadForEvaluation(recipe, stage: stage)
    let model = try run.loadModel(backend: try deviceOptions.makeBackend())
    let data = try samples.dataset()
    let start = ContinuousClock.now
    let logs = try model.evaluate(data, batchSize: batchSize).sorted { $0.key < $1.key }
    let seconds = start.duration(to: .now) / .seconds(1)
    var evaluator = Evaluator(worstCount: worst, keepsRows: output != nil)
    let evaluation = try evaluator.evaluate(
      model, on: data, ids: samples.ids, answers: Answers(of: model, recipe: recipe, stage: stage), batchSize: batchSize
    )
    if let output { try evaluator.table.write(to: output) }
    if json {
      let members = [("samples", JSON(.int(samples.count))), ("seconds", JSON(.double(seconds)))] + evaluation.members
      print(JSON(adding(logs.map { ($0.key, $0.value) }, to: members).map { ($0.key, $0.value) }).text())
    } else {
      let numbers = logs.map { "\($0.key): \(String(format: "%.4f", $0.value))" }
      print("\(samples.count) samples - \(String(format: "%.2f", seconds))s - \(numbers.joined(separator: " - "))")
      if !evaluation.text.isEmpty { print("\n" + evaluation.text) }
    }
  }
}

/// A file of samples, by the end of its name.
enum TableKind {
  case csv
  case json

  /// - Throws: `ValidationError` for another end.
  init(of path: String) throws {
    switch path.lowercased().split(separator: ".").last {
    case "csv": self = .csv
    case "json": self = .json
    default:
      throw ValidationError("--output needs a file whose name ends with .csv or .json; received '\(path)'.")
    }
  }
}

extension SampleTable {
  /// Writes the table in the form that the end of the file's name says.
  func write(to path: String) throws {
    let text = try TableKind(of: path) == .csv ? csv : json
    try writeFile(Array(text.utf8), to: path)
    tell("\(rows.count) rows are written to \(path).")
  }
}
