// Layers that disturb what passes while training, so that a model does not rely on single numbers.

import AccelerandoCore

/// While training, adds normally distributed numbers; otherwise changes nothing.
public struct GaussianNoise: ConfigurableLayer {
  /// The standard deviation, 0 to 1.
  public let standardDeviation: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ standardDeviation: Double, name: String? = nil) {
    self.standardDeviation = standardDeviation
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let scope = Scope.current, scope.isTraining, standardDeviation > 0 else { return x }
    return x + (scope.normal(x) * standardDeviation).converted(to: x.dtype)
  }

  public static var summary: String { "While training, adds normally distributed noise." }

  public init(config: ConfigReader) throws {
    self.init(try config.double("stddev", in: .fraction), name: try config.optionalString("name"))
  }

  public func config() -> Config { Config(name: name, [("stddev", Config(.double(standardDeviation)))]) }
}

/// While training, multiplies by normally distributed numbers of mean 1 and variance rate / (1 − rate), the variance of
/// dropout's factors; otherwise changes nothing.
public struct GaussianDropout: ConfigurableLayer {
  /// The rate, 0 to below 1.
  public let rate: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ rate: Double, name: String? = nil) {
    self.rate = rate
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let scope = Scope.current, scope.isTraining, rate > 0 else { return x }
    return x * (scope.normal(x) * (rate / (1 - rate)).squareRoot() + 1).converted(to: x.dtype)
  }

  public static var summary: String { "While training, multiplies by normally distributed noise of mean 1." }

  public init(config: ConfigReader) throws {
    self.init(try config.double("rate", in: .belowOne), name: try config.optionalString("name"))
  }

  public func config() -> Config { Config(name: name, [("rate", Config(.double(rate)))]) }
}

/// While training, sets elements to the value that selu has far below zero, with probability `rate`, and scales all so that
/// mean and variance stay (Klambauer et al., 2017); otherwise changes nothing.
public struct AlphaDropout: ConfigurableLayer {
  /// The probability, 0 to below 1.
  public let rate: Double
  /// The shape of the mask, with which the input broadcasts; nil, or nil for an axis, for the input's own.
  public let noiseShape: [Int?]?
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ rate: Double, noiseShape: [Int?]? = nil, name: String? = nil) {
    self.rate = rate
    self.noiseShape = noiseShape
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let scope = Scope.current, scope.isTraining, rate > 0 else { return x }
    guard let shape = x.noiseShape(noiseShape) else { return x }
    let lowest = -1.7580993408473766  // −scale · alpha of selu
    let a = 1 / ((1 - rate) * (1 + rate * lowest * lowest)).squareRoot()
    let uniform = scope.uniform(shape, x)
    let isKept = uniform.greaterOrEqual(to: uniform.filled(rate)).broadcast(to: x.shape)
    return select(isKept, x, x.filled(lowest)) * a - a * lowest * rate
  }

  public static var summary: String {
    "While training, sets elements to selu's lowest value with probability rate; mean and variance stay."
  }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("rate", in: .belowOne), noiseShape: try config.noiseShape(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("rate", Config(.double(rate))), ("noise_shape", noiseShape.map(Config.init(noiseShape:)))])
  }
}

extension Config {
  /// The shape of a mask for files.
  init(noiseShape: [Int?]) { self.init(.array(noiseShape.map { $0.map { Config(.int($0)) } ?? nil })) }
}

extension ConfigReader {
  /// The shape of a mask: sizes, and null for an axis of the input.
  func noiseShape() throws -> [Int?]? {
    let kind = "a list of whole numbers of at least 1, with null for the input's size"
    guard let value = value("noise_shape", kind: kind) else { return nil }
    guard case .array(let sizes) = value.value else { throw refused("noise_shape", kind) }
    return try sizes.map { size in
      switch size.value {
      case .null: return nil
      case .int(let count) where ClosedRange.counts.contains(count): return count
      default: throw refused("noise_shape", kind)
      }
    }
  }
}

extension Tensor {
  /// The shape of a mask for this tensor, if it broadcasts to it; otherwise reports that it does not.
  func noiseShape(_ given: [Int?]?) -> [Int]? {
    guard let given else { return shape }
    let sizes = given.count == rank ? zip(given, shape).map { $0 ?? $1 } : []
    if sizes.count == rank, zip(sizes, shape).allSatisfy({ $0 == $1 || $0 == 1 }) { return sizes }
    let text = given.map { $0.map(String.init) ?? "null" }.joined(separator: ", ")
    graph.report(GraphError("needs a noise shape that broadcasts to the input \(shape); received [\(text)]."))
    return nil
  }
}

extension Scope {
  /// Numbers uniform in 0 ..< 1, `float32`. Workers that share a batch draw what one worker alone would.
  func uniform(_ shape: [Int], _ x: Tensor) -> Tensor {
    let bits = x.graph.add(RngBitGenerator(shape), randomness(forShape: shape))[0]
    return bits.shiftRightLogical(bits.filled(9)).converted(to: .float32) * 0x1p-23
  }

  /// Normally distributed numbers of mean 0 and deviation 1 in the shape of a tensor, `float32`.
  func normal(_ x: Tensor) -> Tensor {
    let low = -0x1.fffffep-1
    return (uniform(x.shape, x) * (1 - low) + low).maximum(low).erfInverse() * 2.0.squareRoot()
  }
}

extension GaussianNoise {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension GaussianDropout {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
