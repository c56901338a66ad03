// Initial weights. An initializer is a value: its array is a function of itself, the type and a key, so the same seed
// starts the same model on every machine. Names and meanings are those of Keras.

import AccelerandoCore

/// How the initial value of a parameter is made.
public enum Initializer: Hashable, Sendable {
  /// What a variance is divided by: the number of inputs, of outputs, or the mean of both.
  public enum FanMode: String, Hashable, Sendable, CaseIterable {
    case fanIn = "fan_in"
    case fanOut = "fan_out"
    case fanAverage = "fan_avg"
  }

  /// The distribution with the given variance.
  public enum Distribution: String, Hashable, Sendable, CaseIterable {
    case uniform
    case normal = "untruncated_normal"
    case truncatedNormal = "truncated_normal"
  }

  /// Every element 0.
  case zeros
  /// Every element 1.
  case ones
  /// Every element the same number.
  case constant(Double)
  /// Uniform in `from ..< to`.
  case randomUniform(from: Double = -0.05, to: Double = 0.05)
  /// Normal.
  case randomNormal(mean: Double = 0, standardDeviation: Double = 0.05)
  /// Normal, truncated at two standard deviations.
  case truncatedNormal(mean: Double = 0, standardDeviation: Double = 0.05)
  /// A variance of `scale` divided by a number of connections. A truncated normal is widened to have this variance
  /// after truncation.
  case varianceScaling(scale: Double = 1, mode: FanMode = .fanIn, distribution: Distribution = .truncatedNormal)
  /// Orthonormal columns (or rows, if there are fewer) times `gain`; all axes but the last are merged.
  case orthogonal(gain: Double = 1)
  /// The last axis in equal parts, each with an initializer of its own.
  indirect case parts([Initializer])
  /// Another initializer, for a weight whose connections are counted along other axes than the last two: a variance is
  /// divided by the product of the sizes of the inputs', the outputs', or the mean of both. Axes that a weight does not
  /// have count as 1.
  indirect case alongAxes(Initializer, inputs: [Int], outputs: [Int])
  /// `gain` on the diagonal of a matrix, 0 elsewhere.
  case identity(gain: Double = 1)
  /// Another initializer that draws by a seed of its own instead of the model's: the same numbers for each parameter of a
  /// shape.
  indirect case seeded(Initializer, seed: UInt32)

  /// Glorot uniform: variance 2 / (fan in + fan out); Keras' default for dense and convolutional kernels.
  public static let glorotUniform = Initializer.varianceScaling(scale: 1, mode: .fanAverage, distribution: .uniform)
  /// Glorot normal, truncated.
  public static let glorotNormal = Initializer.varianceScaling(
    scale: 1, mode: .fanAverage, distribution: .truncatedNormal)
  /// He uniform: variance 2 / fan in, for relu.
  public static let heUniform = Initializer.varianceScaling(scale: 2, mode: .fanIn, distribution: .uniform)
  /// He normal, truncated.
  public static let heNormal = Initializer.varianceScaling(scale: 2, mode: .fanIn, distribution: .truncatedNormal)
  /// LeCun uniform: variance 1 / fan in, for selu.
  public static let lecunUniform = Initializer.varianceScaling(scale: 1, mode: .fanIn, distribution: .uniform)
  /// LeCun normal, truncated.
  public static let lecunNormal = Initializer.varianceScaling(scale: 1, mode: .fanIn, distribution: .truncatedNormal)

  /// The initial value of a parameter of `type`, the same for the same key.
  public func makeArray(_ type: TensorType, key: RandomKey) -> NDArray {
    makeArray(type, key: key) { Self.fan(type.shape, $0) }
  }

  /// - Parameter fan: the number of connections.
  private func makeArray(_ type: TensorType, key: RandomKey, fan: (FanMode) -> Double) -> NDArray {
    let count = type.elementCount
    switch self {
    case .seeded(let other, let seed): return other.makeArray(type, key: RandomKey(seed: UInt64(seed)), fan: fan)
    case .alongAxes(let other, let inputs, let outputs):
      func product(_ axes: [Int]) -> Double {
        Double(axes.filter(type.shape.indices.contains).map { type.shape[$0] }.elementCount)
      }
      return other.makeArray(type, key: key) { mode in
        switch mode {
        case .fanIn: product(inputs)
        case .fanOut: product(outputs)
        case .fanAverage: (product(inputs) + product(outputs)) / 2
        }
      }
    case .zeros: return NDArray(zeros: type)
    case .ones: return NDArray(repeating: 1, type: type)
    case .constant(let value): return NDArray(repeating: value, type: type)
    case .randomUniform(let low, let high): return array(key.uniform(count, from: Float(low), to: Float(high)), type)
    case .randomNormal(let mean, let deviation): return scaled(key.normal(count), mean, deviation, type)
    case .truncatedNormal(let mean, let deviation): return scaled(key.truncatedNormal(count), mean, deviation, type)
    case .varianceScaling(let scale, let mode, let distribution):
      let deviation = (scale / max(1, fan(mode))).squareRoot()
      switch distribution {
      case .uniform:
        let limit = Float(3.0.squareRoot() * deviation)
        return array(key.uniform(count, from: -limit, to: limit), type)
      case .normal: return scaled(key.normal(count), 0, deviation, type)
      case .truncatedNormal: return scaled(key.truncatedNormal(count), 0, deviation / truncatedDeviation, type)
      }
    case .orthogonal(let gain): return orthogonal(type, gain, key)
    case .parts(let parts): return Self.joined(parts, type, key)
    case .identity(let gain):
      let columns = type.shape.last ?? 1
      return array((0..<count).map { $0 / columns == $0 % columns ? Float(gain) : 0 }, type)
    }
  }

  /// The number of connections by `mode` of a weight: the axes before the last two are a window.
  static func fan(_ shape: [Int], _ mode: FanMode) -> Double {
    let window = Double(Array(shape.dropLast(2)).elementCount)
    let input = shape.count >= 2 ? window * Double(shape[shape.count - 2]) : Double(shape.last ?? 1)
    let output = shape.count >= 2 ? window * Double(shape[shape.count - 1]) : Double(shape.last ?? 1)
    switch mode {
    case .fanIn: return input
    case .fanOut: return output
    case .fanAverage: return (input + output) / 2
    }
  }

  /// The parts' arrays side by side; zeros for what is left over, if the axis cannot be divided.
  private static func joined(_ parts: [Initializer], _ type: TensorType, _ key: RandomKey) -> NDArray {
    let columns = type.shape.last ?? 1
    let width = parts.isEmpty ? 0 : columns / parts.count
    var elements = [Float](repeating: 0, count: type.elementCount)
    let rows = columns > 0 ? type.elementCount / columns : 0
    for (number, part) in parts.enumerated() where width > 0 {
      let shape = Array(type.shape.dropLast()) + [width]
      let values = part.makeArray(TensorType(.float32, shape), key: key.folded(UInt32(truncatingIfNeeded: number)))
        .elements(as: Float.self)
      for row in 0..<rows {
        for column in 0..<width { elements[row * columns + number * width + column] = values[row * width + column] }
      }
    }
    var result = NDArray(zeros: type.with(.float32))
    result.withUnsafeMutableBytes { bytes in elements.withUnsafeBytes { bytes.copyMemory(from: $0) } }
    return result.converted(to: type.dtype)
  }

  private func scaled(_ draws: [Float], _ mean: Double, _ deviation: Double, _ type: TensorType) -> NDArray {
    array(draws.map { $0 * Float(deviation) + Float(mean) }, type)
  }

  private func array(_ elements: [Float], _ type: TensorType) -> NDArray {
    var result = NDArray(zeros: type.with(.float32))
    result.withUnsafeMutableBytes { bytes in elements.withUnsafeBytes { bytes.copyMemory(from: $0) } }
    return result.converted(to: type.dtype)
  }

  /// Gram-Schmidt, each vector made orthogonal twice (once is not enough in finite precision).
  private func orthogonal(_ type: TensorType, _ gain: Double, _ key: RandomKey) -> NDArray {
    let columns = max(type.shape.last ?? 1, 1)
    let rows = type.elementCount / columns
    let (count, length) = (min(rows, columns), max(rows, columns))
    let draws = key.normal(count * length)
    var vectors: [[Double]] = []
    for index in 0..<count {
      var vector = draws[index * length..<(index + 1) * length].map(Double.init)
      for _ in 0..<2 {
        for other in vectors {
          let overlap = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for i in vector.indices { vector[i] -= overlap * other[i] }
        }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vectors.append(vector.map { $0 / max(norm, .leastNormalMagnitude) })
    }
    let elements = (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return Float(gain * (rows >= columns ? vectors[column][row] : vectors[row][column]))
    }
    return array(elements, type)
  }
}

/// The standard deviation of the standard normal distribution truncated at ±2.
private let truncatedDeviation = 0.87962566103423978
