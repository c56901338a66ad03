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
      any other loss the model's outputs. For a model with several outputs, the name of each stands before its words.
      """)

  @Argument(help: "A directory that 'train --output' wrote.")
  var directory: String

  @Argument(
    help: """
      The samples: a file or a folder of the kind that the model was trained on, such as CSV, without targets; or the \
      model's inputs as an NPY file, an IDX file, plain or gzipped, or an NPZ file with an array x_NAME for each.
      """)
  var input: String

  @Option(
    help: ArgumentHelp(
      "Write the model's whole output as an NPY file, or its outputs by name as an NPZ file (for FILE.npz, and for several "
        + "outputs); '-' for standard output.", valueName: "file"))
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
    let stage = try run.loadStage(of: recipe)
    let samples = try recipe.data.samples(at: URL(fileURLWithPath: input), stage: stage) ?? arrays(for: model)
    let data = try samples.dataset().prefix(limit ?? samples.count)
    let outputs = try model.predictOutputs(data, batchSize: batchSize)
    if let output { return try write(outputs, to: output) }
    let meanings = try outputs.indices.map { index in
      // Outputs along several axes are no list of classes.
      outputs[index].shape.count == 2 ? try OutputMeaning(of: model, output: index) : .values
    }
    func classNames(_ output: Int) -> [String]? {
      guard let stage else { return outputs.count == 1 ? recipe.data.classNames : nil }
      return stage.classNames(of: outputs.names.isEmpty ? "" : outputs.names[output])
    }
    let values = outputs.map { $0.elements(as: Float.self) }
    for sample in 0..<(outputs.first?.shape.first ?? 0) {
      var words = [samples.ids?[sample] ?? "\(sample)"]
      for index in outputs.indices {
        let width = Array(outputs[index].shape.dropFirst()).elementCount
        let row = Array(values[index][sample * width..<(sample + 1) * width])
        if outputs.count > 1 { words.append(outputs.names[index]) }
        words += meanings[index].words(row, classNames: classNames(index))
      }
      print(words.joined(separator: "\t"))
    }
  }

  /// The samples as the model's own inputs.
  private func arrays(for model: Model) throws -> LabelledArrays {
    var arrays = try ArrayFile.readInputs(URL(fileURLWithPath: input), names: model.inputNames)
    // A single sample is accepted as a batch of one.
    if zip(arrays, model.inputs).allSatisfy({ $0.shape == $1.shape }) {
      arrays = try arrays.mapArrays { try $0.reshaped([1] + $0.shape) }
    }
    return LabelledArrays(inputs: arrays)
  }

  /// Writes one output as NPY, several by name as NPZ.
  private func write(_ outputs: NamedArrays, to path: String) throws {
    if outputs.count == 1, !path.hasSuffix(".npz") {
      try writeFile(NPY.encoded(outputs[0]), to: path)
      if path != "-" { tell("\(outputs[0].type) is written to \(path).") }
      return
    }
    let arrays = zip(outputs.names, outputs).map { (name: $0, value: $1) }
    if path == "-" {
      // A zip file is written with its directory at the end; standard output gets it whole.
      let temporary = FileManager.default.temporaryDirectory.appendingPathComponent("outputs-\(UUID().uuidString).npz")
      defer { try? FileManager.default.removeItem(at: temporary) }
      try NPZ.write(arrays, to: temporary)
      try writeFile(FileContents(temporary).withUnsafeBytes { Array($0) }, to: path)
    } else {
      try NPZ.write(arrays, to: URL(fileURLWithPath: path))
      let list = arrays.map { "\($0.name) \($0.value.type)" }.joined(separator: ", ")
      tell("\(list): written to \(path).")
    }
  }
}
