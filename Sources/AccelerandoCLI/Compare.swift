// Two models side by side: what a compression gained, measured on this machine.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures two models against each other: accuracy, bytes, latency, throughput, layer by layer.",
    discussion: "The data are those of the first model's recipe: the validation split, if there is one.")

  @Argument(help: "A directory that 'train --output' or 'prune --output' wrote: the model before.")
  var before: String

  @Argument(help: "Another such directory: the model after.")
  var after: String

  @Option(parsing: .unconditional, help: "The number of samples in a batch, for throughput.")
  var batchSize: Int = 256

  @Option(parsing: .unconditional, help: "The duration of each measurement, in seconds.")
  var seconds: Double = 1

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    try checkCount("--batch-size", batchSize, most: nil)
    guard seconds > 0, seconds <= 3600 else {
      throw ValidationError("--seconds needs a number above 0, up to 3600; received \(seconds).")
    }
  }

  func run() throws {
    let first = try RunDirectory(opening: before)
    let second = try RunDirectory(opening: after)
    let recipe = try first.loadRecipe()
    let data = try dataOptions.load(recipe, stage: first.loadStage(of: recipe))
    let backend = try deviceOptions.makeBackend()
    let verdict = try CompressionVerdict(
      before: try first.loadModel(backend: backend), after: try second.loadModel(backend: backend),
      on: try (data.validation ?? data.train).dataset(), batchSize: batchSize, seconds: seconds)
    if json { try printJSON(verdict) } else { print(verdict) }
  }
}
