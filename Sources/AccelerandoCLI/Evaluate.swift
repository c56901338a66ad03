// Measures a trained model.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Evaluates a trained model.",
    discussion: """
      The data are those of the model's recipe: the validation split, if there is one. --data takes \
      other data: for a recipe with arrays in files, the directory with files of these names, and for any recipe an NPZ \
      file with x_test and y_test, or x_train and y_train.
      """)

  @Argument(help: "A directory that 'train --output' wrote.")
  var directory: String

  @Option(parsing: .unconditional, help: "The number of samples in a step.")
  var batchSize: Int = 256

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    try checkCount("--batch-size", batchSize, most: nil)
  }

  func run() throws {
    let run = try RunDirectory(opening: directory)
    let recipe = try run.loadRecipe()
    let samples = try dataOptions.loadForEvaluation(recipe, stage: run.loadStage(of: recipe))
    let model = try run.loadModel(backend: try deviceOptions.makeBackend())
    let start = ContinuousClock.now
    let logs = try model.evaluate(samples.dataset(), batchSize: batchSize).sorted { $0.key < $1.key }
    let seconds = start.duration(to: .now) / .seconds(1)
    if json {
      let members = [("samples", JSON(.int(samples.count))), ("seconds", JSON(.double(seconds)))]
      print(JSON(adding(logs.map { ($0.key, $0.value) }, to: members).map { ($0.key, $0.value) }).text())
    } else {
      let numbers = logs.map { "\($0.key): \(String(format: "%.4f", $0.value))" }
      print("\(samples.count) samples - \(String(format: "%.2f", seconds))s - \(numbers.joined(separator: " - "))")
    }
  }
}
