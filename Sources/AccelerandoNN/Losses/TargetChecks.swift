// The allowed targets, checked on the host before training: an invalid label gives an invalid loss, and nothing in the
// numbers would reveal it.

import AccelerandoCore

/// Checks that targets are class indices: whole numbers from 0 to below the prediction's last axis.
/// - Parameter ignored: another label that is allowed.
/// - Throws: `GraphError` naming the sample and its label.
func checkClassIndices(_ targets: NDArray, predictionShape: [Int], besides ignored: Int? = nil) throws {
  guard let classes = predictionShape.last else { return }
  let known = 0..<Double(classes)
  let other = ignored.map(Double.init)
  guard let wrong = targets.firstElement(where: { (!known.contains($0) || $0 != $0.rounded()) && $0 != other }) else {
    return
  }
  let reason =
    known.contains(wrong.value)
    ? "class indices are whole numbers. For a number for each class use the loss of that kind, such as "
      + "'categorical_crossentropy'."
    : "the model has \(classes) classes, so labels are 0 to \(classes - 1)."
  throw GraphError("the label of sample \(targets.sample(of: wrong.index)) is \(wrong.value.formatted); \(reason)")
}

/// Checks that targets are probabilities, 0 to 1.
/// - Throws: `GraphError` naming the sample and its label.
func checkProbabilities(_ targets: NDArray, remedy: String) throws {
  // What rounding leaves of a sum of probabilities is no mistake.
  let known = -1e-5...1 + 1e-5
  guard let wrong = targets.firstElement(where: { !known.contains($0) }) else { return }
  throw GraphError(
    "a label of sample \(targets.sample(of: wrong.index)) is \(wrong.value.formatted); labels are from 0 to 1. \(remedy)"
  )
}

extension NDArray {
  /// The first element, in row-major order, that is wrong, and its place.
  package func firstElement(where isWrong: (Double) -> Bool) -> (index: Int, value: Double)? {
    func search<Scalar: TensorScalar>(_: Scalar.Type) -> (index: Int, value: Double)? {
      withUnsafeBytes { bytes in
        let elements = bytes.bindMemory(to: Scalar.self)
        return elements.firstIndex { isWrong($0.doubleValue) }.map { ($0, elements[$0].doubleValue) }
      }
    }
    switch dtype {
    case .bool: return search(Bool.self)
    case .int8: return search(Int8.self)
    case .uint8: return search(UInt8.self)
    case .int32: return search(Int32.self)
    case .int64: return search(Int64.self)
    case .uint32: return search(UInt32.self)
    case .float16: return search(Half.self)
    case .bfloat16: return search(BFloat16.self)
    case .float32: return search(Float.self)
    case .float64: return search(Double.self)
    }
  }

  /// The sample that an element belongs to.
  fileprivate func sample(of index: Int) -> Int { index / Swift.max(Array(shape.dropFirst()).elementCount, 1) }
}
