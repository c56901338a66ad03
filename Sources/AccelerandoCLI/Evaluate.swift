// Measures a trained model.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures a trained model.",
    discussion:
      "The data are those of the recipe that the model was trained by: their validation part, if they have one.")

  @Argument(help: "A directory that 'train --output' wrote.")
  var directory: String

  @Option(parsing: .unconditional, help: "Samples in one step.")
  var batchSize: Int = 256

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    try checkCount("--batch-size", batchSize)
  }

  func run() throws {
    let run = try RunDirectory(opening: directory)
    let data = try dataOptions.load(try run.loadRecipe())
    let model = try run.loadModel(backend: try deviceOptions.makeBackend())
    let samples = data.validation ?? data.train
    let start = ContinuousClock.now
    let logs = try model.evaluate(samples.dataset(), batchSize: batchSize)
    let seconds = start.duration(to: .now) / .seconds(1)
    if json {
      let fields = logs.sorted { $0.key < $1.key }.map {
        "\"\($0.key)\": \($0.value.isFinite ? "\($0.value)" : "null")"
      }
      print("{\((fields + ["\"samples\": \(samples.count)", "\"seconds\": \(seconds)"]).joined(separator: ", "))}")
    } else {
      let numbers = logs.sorted { $0.key < $1.key }.map { "\($0.key): \(String(format: "%.4f", $0.value))" }
      print("\(samples.count) samples - \(String(format: "%.2f", seconds))s - \(numbers.joined(separator: " - "))")
    }
  }
}
