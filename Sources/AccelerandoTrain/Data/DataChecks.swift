// Looks at data before it is trained on: shapes that do not fit the model, numbers that are not finite, labels that the
// loss knows no meaning for and indices outside of their table are named with their place, instead of becoming a loss
// of NaN an hour later. Floating-point data are brought to the types that the model computes with, as Keras does.

import AccelerandoCore
import AccelerandoNN

/// What a model expects of its data.
struct DataExpectation {
  /// One sample of each input.
  let inputs: [ModelInput]
  /// The type of the output for a batch of one.
  let output: TensorType
  /// The inputs that are indices.
  let indices: [Outline.IndexInput]
  /// The loss and the metrics that will use the labels; nil if labels are ignored.
  let compilation: Compilation?

  init(inputs: [ModelInput], outline: Outline, compilation: Compilation?) {
    self.inputs = inputs
    output = outline.output
    indices = outline.indexInputs
    self.compilation = compilation
  }

  /// The batch in the model's shapes and types. A last axis of size 1 may be missing or too many, as in Keras.
  /// Floating-point features become of the input's type, labels of the output's, weights `float32`; integers stay what
  /// they are, since bytes are cheaper to keep, and are converted where they are used.
  /// - Throws: `TrainingError` for other shapes.
  func fitted(_ batch: Batch) throws -> Batch {
    guard batch.features.count == inputs.count else {
      throw TrainingError("the model has \(inputs.count) inputs; received \(batch.features.count) arrays of features.")
    }
    var result = batch
    for (index, input) in inputs.enumerated() {
      let array = batch.features[index].cast(to: input.dtype)
      let shape = input.shape
      let sample = Array(array.shape.dropFirst())
      guard sample == shape || sample + [1] == shape || sample == shape + [1], let count = array.shape.first else {
        throw TrainingError(
          "input \(index) of the model needs samples of shape \(shape); received \(sample)\(advice(sample, shape)).")
      }
      result.features[index] = sample == shape ? array : try array.reshaped([count] + shape)
    }
    result.labels = batch.labels?.cast(to: output.dtype)
    result.sampleWeights = batch.sampleWeights?.converted(to: .float32)
    return result
  }

  private func advice(_ sample: [Int], _ shape: [Int]) -> String {
    sample.elementCount == shape.elementCount ? " with as many elements: reshape the data, or add a Reshape layer" : ""
  }

  /// Checks values: numbers that are not finite in features, labels or weights, labels that the loss or a metric knows
  /// no meaning for, and indices outside of their table.
  /// - Parameters:
  ///   - batch: what `fitted(_:)` gave.
  ///   - given: what it was made of.
  ///   - origin: where the batch is, for errors: `step 12`.
  /// - Throws: `TrainingError` naming the tensor, the place and the value.
  func checkValues(_ batch: Batch, given: Batch, origin: String?) throws {
    let place = origin.map { " (\($0))" } ?? ""
    let pairs: [(name: String, array: NDArray?, given: NDArray?)] =
      batch.features.indices.map { ("the features of input \($0)", batch.features[$0], given.features[$0]) }
      + [("the labels", batch.labels, given.labels), ("the sample weights", batch.sampleWeights, given.sampleWeights)]
    for (name, array, given) in pairs {
      guard let array, let index = firstNotFinite(in: array) else { continue }
      let value = given?.element(index) ?? .nan
      let reason = value.isFinite ? ", which \(array.dtype.rawValue) cannot hold" : ""
      throw TrainingError(
        "\(name) hold \(value.isNaN ? "NaN" : value.isFinite ? "\(value)" : value > 0 ? "infinity" : "-infinity") at "
          + "\(coordinates(index, array.shape))\(reason)\(place). Remove or replace such samples.")
    }
    try checkIndices(batch, origin: origin)
    guard let labels = batch.labels, let compilation else { return }
    try check(labels, "loss '\(compilation.loss.name)'", place, compilation.loss.check)
    for (metric, _) in compilation.watched { try check(labels, "metric '\(metric.name)'", place, metric.check) }
  }

  private func check(
    _ labels: NDArray, _ user: String, _ place: String, _ check: (NDArray, [Int]) throws -> Void
  ) throws {
    do {
      try check(labels, output.shape)
    } catch {
      throw TrainingError("\(user): \(error)\(place)")
    }
  }

  /// Checks that features that name rows of a table name rows that are there.
  /// - Throws: `TrainingError` naming the layer, the sample and the value.
  func checkIndices(_ batch: Batch, origin: String?) throws {
    for use in indices where use.input < batch.features.count {
      let array = batch.features[use.input]
      let rows = 0..<Double(use.count)
      guard let wrong = array.firstElement(where: { !rows.contains($0) || $0 != $0.rounded() }) else { continue }
      let perSample = max(array.elementCount / max(array.shape.first ?? 1, 1), 1)
      throw TrainingError(
        "\(use.layer) has the rows 0 to \(use.count - 1); sample \(wrong.index / perSample)"
          + "\(origin.map { " (\($0))" } ?? "") has the index \(wrong.value.formatted). Correct the data, or make the "
          + "table larger.")
    }
  }

  private func coordinates(_ index: Int, _ shape: [Int]) -> [Int] {
    zip(shape.rowMajorStrides, shape).map { stride, size in index / max(stride, 1) % max(size, 1) }
  }
}

extension NDArray {
  /// Floating-point numbers as those of another floating-point type, or as `float32` where that is none; other arrays
  /// as they are.
  func cast(to target: DType) -> NDArray {
    guard dtype.isFloating else { return self }
    return converted(to: target.isFloating ? target : .float32)
  }

  /// The element at a place in row-major order.
  func element(_ index: Int) -> Double {
    var result = Double.nan
    var number = 0
    _ = firstElement { value in
      if number == index { result = value }
      number += 1
      return number > index
    }
    return result
  }
}

/// The index of the first number in row-major order that is NaN or infinite.
private func firstNotFinite(in array: NDArray) -> Int? {
  array.withUnsafeBytes { bytes in
    switch array.dtype {
    case .float32: bytes.bindMemory(to: Float.self).firstIndex { !$0.isFinite }
    case .float64: bytes.bindMemory(to: Double.self).firstIndex { !$0.isFinite }
    case .float16, .bfloat16: array.elements(as: Float.self).firstIndex { !$0.isFinite }
    default: nil
    }
  }
}
