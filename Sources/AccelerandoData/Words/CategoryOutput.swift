// The forms in which an index is given to a model: the index, or ones and counts in a row as long as there are indices.

import AccelerandoCore

/// What an index of a category becomes, by Keras' names.
public enum CategoryOutput: String, CaseIterable, Hashable, Sendable {
  /// The index itself, as `int32`.
  case int
  /// For each element a row of zeros with a one at the index, as `float32`.
  case oneHot = "one_hot"
  /// For each sample a row with ones at the indices of its elements.
  case multiHot = "multi_hot"
  /// For each sample a row that says how often each index occurs.
  case count
  /// For each sample its counts, times the weight of each index.
  case tfIDF = "tf_idf"
}

/// Indices of categories on their way into an array. An index of −1 is left out of all but the indices themselves.
struct CategoryRows {
  let output: CategoryOutput
  /// The number of indices: the length of a row.
  let depth: Int
  /// For `tfIDF`, the weight of each index.
  var weights: [Float] = []

  /// What a sample of a shape becomes.
  func type(of shape: [Int]) throws -> TensorType {
    switch output {
    case .int: return TensorType(.int32, shape)
    case .oneHot: return TensorType(.float32, (shape.last == 1 ? shape.dropLast() : shape) + [depth])
    case .multiHot, .count, .tfIDF:
      guard shape.count <= 1 else {
        throw TextEncoderError(
          "makes one row of each sample with 'output_mode: \(output.rawValue)', of one text or a list of them; received "
            + "samples of shape \(shape).")
      }
      return TensorType(.float32, [depth])
    }
  }

  /// The array for samples of a shape.
  /// - Parameters:
  ///   - indices: the index of each element.
  ///   - shape: the shape of the elements, with the axis of the samples.
  func array(_ indices: [Int32], shape: [Int]) throws -> NDArray {
    let type = try type(of: Array(shape.dropFirst()))
    let full = [shape.first ?? 1] + type.shape
    switch output {
    case .int: return try NDArray(indices, shape: full)
    case .oneHot:
      return try rows(full) { row in
        for (place, index) in indices.enumerated() where index >= 0 && index < depth {
          row[place * depth + Int(index)] = 1
        }
      }
    case .multiHot, .count, .tfIDF:
      let width = shape.dropFirst().reduce(1, *)
      let bounds = (0...(shape.first ?? 1)).map { $0 * width }
      return try array(indices, bounds: bounds)
    }
  }

  /// The array of one row for each sample.
  /// - Parameter bounds: where the samples begin in `indices`, and where the last one ends.
  func array(_ indices: [Int32], bounds: [Int]) throws -> NDArray {
    try rows([bounds.count - 1, depth]) { row in
      for sample in 0..<bounds.count - 1 {
        let start = sample * depth
        for index in indices[bounds[sample]..<bounds[sample + 1]] where index >= 0 && index < depth {
          row[start + Int(index)] = output == .multiHot ? 1 : row[start + Int(index)] + 1
        }
        guard output == .tfIDF else { continue }
        for index in 0..<depth { row[start + index] *= weights[index] }
      }
    }
  }

  private func rows(_ shape: [Int], _ fill: (UnsafeMutableBufferPointer<Float>) -> Void) throws -> NDArray {
    var array = NDArray(zeros: TensorType(.float32, shape))
    array.withUnsafeMutableBytes { fill($0.bindMemory(to: Float.self)) }
    return array
  }
}
