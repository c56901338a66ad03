// Rectifiers with settings or parameters of their own, as layers.

import AccelerandoCore

/// x where it is at least `threshold` (and at most `maximum`), `negativeSlope`·(x − threshold) below.
public struct ReLU: ConfigurableLayer {
  /// The upper limit of the result; nil for none.
  public let maximum: Double?
  /// The slope below the threshold.
  public let negativeSlope: Double
  /// Where the slope changes.
  public let threshold: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(maximum: Double? = nil, negativeSlope: Double = 0, threshold: Double = 0, name: String? = nil) {
    self.maximum = maximum
    self.negativeSlope = negativeSlope
    self.threshold = threshold
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    if negativeSlope == 0, threshold == 0 { return x.relu(limit: maximum) }
    let isAbove = x.greater(than: x.filled(threshold))
    var above = x
    if let maximum {
      let limit = x.filled(maximum)
      above = select(x.less(than: limit), x, limit)
    }
    return select(isAbove, above, (x - threshold) * negativeSlope)
  }

  public static var summary: String {
    "x where it is at least threshold, negative_slope · (x − threshold) below, max_value at most."
  }

  public init(config: ConfigReader) throws {
    self.init(
      maximum: try config.optionalDouble("max_value", in: .notNegative),
      negativeSlope: try config.double("negative_slope", default: 0, in: .notNegative),
      threshold: try config.double("threshold", default: 0, in: .notNegative), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "max_value": maximum.map { Config(.double($0)) },
      "negative_slope": Config(.double(negativeSlope)), "threshold": Config(.double(threshold)),
    ])
  }
}

/// x where positive, `negativeSlope`·x elsewhere.
public struct LeakyReLU: ConfigurableLayer {
  /// The slope of the negative half.
  public let negativeSlope: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer with Keras' default slope.
  public init(negativeSlope: Double = 0.3, name: String? = nil) {
    self.negativeSlope = negativeSlope
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor { Activation.leakyRelu(negativeSlope: negativeSlope)(x) }

  public static var summary: String { "x where positive, negative_slope · x elsewhere." }

  public init(config: ConfigReader) throws {
    self.init(
      negativeSlope: try config.double("negative_slope", default: 0.3), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "negative_slope": Config(.double(negativeSlope))])
  }
}

/// x where positive, alpha·(eˣ − 1) elsewhere.
public struct ELU: ConfigurableLayer {
  /// The negative of the limit for large negative inputs.
  public let alpha: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(alpha: Double = 1, name: String? = nil) {
    self.alpha = alpha
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor { Activation.elu(alpha: alpha)(x) }

  public static var summary: String { "x where positive, alpha · (eˣ − 1) elsewhere." }

  public init(config: ConfigReader) throws {
    self.init(alpha: try config.double("alpha", default: 1), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "alpha": Config(.double(alpha))])
  }
}

/// x where positive, alpha·x elsewhere, with a trained alpha for each feature of a sample.
public struct PReLU: ConfigurableLayer, TrainableLayer {
  /// The axes of a sample, from 1, along which alpha is the same.
  public let sharedAxes: [Int]
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["alpha": "alpha"] }
  public var passesMask: Bool { true }
  let alpha: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - sharedAxes: the axes along which all elements share one slope, counted with the batch axis.
  ///   - initializer: of alpha, a sample's shape with 1 for the shared axes.
  ///   - name: the layer's name.
  public init(sharedAxes: [Int] = [], initializer: Initializer = .zeros, name: String? = nil) {
    self.sharedAxes = sharedAxes
    self.name = name
    alpha = Parameter(initializer, isPrunable: false)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 2, sharedAxes.allSatisfy((1..<x.rank).contains) else {
      return x.rejected("needs an input [N, …] with the shared axes \(sharedAxes); received \(x.shape).")
    }
    let shape = (1..<x.rank).map { sharedAxes.contains($0) ? 1 : x.shape[$0] }
    let slope = alpha[shape: shape].expandingDims(0)
    return select(x.greater(than: x.zerosLike()), x, x * slope)
  }

  public static var summary: String { "x where positive, alpha · x elsewhere, with a trained alpha for each feature." }

  public init(config: ConfigReader) throws {
    self.init(
      sharedAxes: try config.ints("shared_axes", default: [], in: .counts),
      initializer: try config.initializer("alpha_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "shared_axes": sharedAxes.isEmpty ? nil : .ints(sharedAxes),
      "alpha_initializer": try Catalog.initializers.config(of: alpha.initializer),
    ])
  }
}

extension ReLU {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension LeakyReLU {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension ELU {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
