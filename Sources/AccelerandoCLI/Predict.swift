// Uses a trained model.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Applies a trained model to samples.",
    discussion: """
      Prints one line for each sample: its index and what fits the loss. For cross-entropy, or a softmax at the end, that is \
      the most probable class and its probability; for binary cross-entropy of one output, class 1 or 0 and its probability; for \
      any other loss the model's outputs.
      """)

  @Argument(help: "A directory that 'train --output' wrote.")
  var directory: String

  @Argument(help: "The samples: an NPY file, or an IDX file, plain or gzipped.")
  var input: String

  @Option(
    help: ArgumentHelp("Write the model's whole output as an NPY file; '-' for standard output.", valueName: "file"))
  var output: String?

  @Option(parsing: .unconditional, help: "Use only the first N samples.")
  var limit: Int?

  @Option(parsing: .unconditional, help: "The number of samples in a step.")
  var batchSize: Int = 256

  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    try checkCount("--batch-size", batchSize, most: nil)
    if let limit, limit < 1 { throw ValidationError("--limit needs at least 1; received \(limit).") }
  }

  func run() throws {
    let run = try RunDirectory(opening: directory)
    let recipe = try run.loadRecipe()
    let model = try run.loadModel(backend: try deviceOptions.makeBackend())
    var samples = try ArrayFile.read(URL(fileURLWithPath: input))
    // A single sample is accepted as a batch of one.
    if let shape = model.inputs.first?.shape, samples.shape == shape { samples = try samples.reshaped([1] + shape) }
    if let limit, let count = samples.shape.first, limit < count { samples = try samples.rows(0..<limit) }
    let scores = try model.predict(samples, batchSize: batchSize)
    if let output {
      try writeFile(NPY.encoded(scores), to: output)
      if output != "-" { tell("\(scores.type) is written to \(output).") }
      return
    }
    let width = Array(scores.shape.dropFirst()).elementCount
    let values = scores.elements(as: Float.self)
    // Outputs along several axes are no list of classes.
    let meaning = scores.shape.count == 2 ? try OutputMeaning(of: model) : .values
    for sample in 0..<(scores.shape.first ?? 0) {
      let row = Array(values[sample * width..<(sample + 1) * width])
      let words = meaning.words(row, classNames: recipe.data.classNames)
      print("\(sample)\t\(words.joined(separator: "\t"))")
    }
  }
}
