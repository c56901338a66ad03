// Looks at data before it is trained on: shapes that do not fit the model, labels outside the classes and NaN are named
// with their place, instead of becoming a loss of NaN an hour later.

import AccelerandoCore
import AccelerandoNN

/// What a model expects of its data.
struct DataExpectation {
  /// The shapes of one sample of each input.
  let inputs: [[Int]]
  /// The shape of the output for a batch of one.
  let output: [Int]
  /// The loss that will meet the labels; nil where labels are not looked at.
  let loss: (any Loss)?

  /// The batch in the model's shapes: a last axis of size 1 may be missing or too many, as in Keras.
  /// - Throws: `TrainingError` for other shapes.
  func fitted(_ batch: Batch) throws -> Batch {
    guard batch.features.count == inputs.count else {
      throw TrainingError("the model has \(inputs.count) inputs; received \(batch.features.count) arrays of features.")
    }
    var result = batch
    for (index, shape) in inputs.enumerated() {
      let array = batch.features[index]
      let sample = Array(array.shape.dropFirst())
      if sample == shape { continue }
      guard sample + [1] == shape || sample == shape + [1], let count = array.shape.first else {
        throw TrainingError(
          "input \(index) of the model needs samples of shape \(shape); received \(sample)\(advice(sample, shape)).")
      }
      result.features[index] = try array.reshaped([count] + shape)
    }
    return result
  }

  private func advice(_ sample: [Int], _ shape: [Int]) -> String {
    sample.elementCount == shape.elementCount ? " with as many elements: reshape the data, or add a Reshape layer" : ""
  }

  /// Checks values: NaN in features, labels or weights, and labels that the loss knows no meaning for.
  /// - Parameter origin: where the batch is, for errors: `step 12`.
  /// - Throws: `TrainingError` naming the tensor and the index.
  func checkValues(_ batch: Batch, origin: String?) throws {
    let place = origin.map { " (\($0))" } ?? ""
    let named =
      batch.features.enumerated().map { ("the features of input \($0.offset)", $0.element) }
      + (batch.labels.map { [("the labels", $0)] } ?? [])
      + (batch.sampleWeights.map { [("the sample weights", $0)] } ?? [])
    for (name, array) in named {
      guard let index = firstNaN(in: array) else { continue }
      throw TrainingError(
        "\(name) hold NaN at \(coordinates(index, array.shape))\(place). Remove or replace such samples.")
    }
    guard let labels = batch.labels, let loss else { return }
    do {
      try loss.check(targets: labels, predictionShape: output)
    } catch {
      throw TrainingError("loss '\(loss.name)': \(error)\(place)")
    }
  }

  private func coordinates(_ index: Int, _ shape: [Int]) -> [Int] {
    zip(shape.rowMajorStrides, shape).map { stride, size in index / max(stride, 1) % max(size, 1) }
  }
}

/// The index of the first NaN in row-major order.
private func firstNaN(in array: NDArray) -> Int? {
  array.withUnsafeBytes { bytes in
    switch array.dtype {
    case .float32: bytes.bindMemory(to: Float.self).firstIndex { $0 != $0 }
    case .float64: bytes.bindMemory(to: Double.self).firstIndex { $0 != $0 }
    case .float16, .bfloat16: array.elements(as: Float.self).firstIndex { $0 != $0 }
    default: nil
    }
  }
}

/// The weight of each sample by its class: `[class: weight]`, 1 for classes that are not listed.
/// - Throws: `TrainingError` when the labels are neither class indices nor one-hot.
func sampleWeights(for labels: NDArray, classWeights: [Int: Double]) throws -> NDArray {
  let count = labels.shape.first ?? 0
  let perSample = Array(labels.shape.dropFirst()).elementCount
  let values = labels.elements(as: Float.self)
  guard labels.shape.count <= 2, perSample >= 1 else {
    throw TrainingError("class weights need labels [N], [N, 1] or one-hot [N, classes]; received \(labels.shape).")
  }
  let classes = (0..<count).map { sample -> Int in
    if perSample == 1 { return Int(nearestTo: Double(values[sample])) }
    let scores = values[sample * perSample..<(sample + 1) * perSample]
    return (scores.indices.max { (scores[$0], $1) < (scores[$1], $0) } ?? scores.startIndex) - scores.startIndex
  }
  return NDArray(classes.map { Float(classWeights[$0] ?? 1) })
}

extension Int {
  fileprivate init(nearestTo value: Double) { self = Int(Int64(nearestTo: value)) }
}
