// Normalizations that only scale: by the root of the mean square, and to vectors of length 1.

import AccelerandoCore

/// `x / √(mean(x²) + epsilon) · scale`, with the mean along the given axes (Zhang and Sennrich, 2019).
public struct RMSNormalization: ConfigurableLayer, TrainableLayer {
  /// The axes; negative ones count from the last.
  public let axes: [Int]
  /// What is added to the mean square.
  public let epsilon: Double
  public let name: String?
  public var options = LayerOptions()
  public var passesMask: Bool { true }
  let scale: Parameter

  /// Makes the layer.
  public init(axes: [Int] = [-1], epsilon: Double = 1e-6, name: String? = nil) {
    self.axes = axes
    self.epsilon = epsilon
    self.name = name
    scale = Parameter(.ones, keepsPrecision: true, isPrunable: false)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let along = x.featureAxes(axes) else { return x }
    let wide = x.widened()
    let mean = wide.squared().mean(axes: along, keepDims: true)
    let place = x.shape.indices.map { along.contains($0) ? x.shape[$0] : 1 }
    let factor = scale[shape: along.map { x.shape[$0] }].converted(to: wide.dtype).reshaped(place)
    return (wide * (mean + epsilon).rsqrt() * factor).converted(to: x.dtype)
  }

  public static var summary: String { "Divides each sample by the root of its mean square along the given axes." }

  public init(config: ConfigReader) throws {
    self.init(
      axes: try config.ints("axis", default: [-1]),
      epsilon: try config.double("epsilon", default: 1e-6, in: .notNegative), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("axis", .ints(axes)), ("epsilon", Config(.double(epsilon)))])
  }
}

/// Vectors along the given axes divided by their Euclidean length; zeros stay zeros.
public struct UnitNormalization: ConfigurableLayer {
  /// The axes; negative ones count from the last.
  public let axes: [Int]
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(axes: [Int] = [-1], name: String? = nil) {
    self.axes = axes
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let along = x.featureAxes(axes) else { return x }
    return x.widened().unit(axes: along).converted(to: x.dtype)
  }

  public static var summary: String { "Scales vectors along the given axes to the length 1." }

  public init(config: ConfigReader) throws {
    self.init(axes: try config.ints("axis", default: [-1]), name: try config.optionalString("name"))
  }

  public func config() -> Config { Config(name: name, [("axis", .ints(axes))]) }
}

extension Tensor {
  /// Axes other than the batch, counted from the first, in order; otherwise reports what is wrong.
  fileprivate func featureAxes(_ axes: [Int]) -> [Int]? {
    let along = axes.map { $0 < 0 ? $0 + rank : $0 }
    guard !along.isEmpty, Set(along).count == along.count, along.allSatisfy((1..<Swift.max(rank, 1)).contains) else {
      graph.report(
        GraphError("needs different axes that the input has, beside the batch axis; received \(axes) for \(shape)."))
      return nil
    }
    return along.sorted()
  }

  /// The tensor divided by its Euclidean length along axes. Below 1e-12 a length counts as that.
  func unit(axes: [Int]) -> Tensor { self * squared().sum(axes: axes, keepDims: true).maximum(1e-24).rsqrt() }
}
