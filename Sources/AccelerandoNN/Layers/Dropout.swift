// Dropout: while training, a random part of the features is set to zero, a different one in each step.

import AccelerandoCore

/// While training, sets each element to zero with probability `rate` and divides the others by 1 − `rate`; otherwise
/// changes nothing.
public struct Dropout: ConfigurableLayer {
  /// The probability of zero, 0 to 1.
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
    return x.noiseShape(noiseShape).map { scope.dropout(x, rate: rate, mask: $0) } ?? x
  }

  public static var summary: String {
    "While training, sets elements to zero with probability rate and scales the others up."
  }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("rate", in: .fraction), noiseShape: try config.noiseShape(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("rate", Config(.double(rate))), ("noise_shape", noiseShape.map(Config.init(noiseShape:)))])
  }
}

/// While training, sets whole channels to zero with probability `rate` and divides the others by 1 − `rate`: neighbours in
/// one channel say much the same, so that dropping single elements would drop little.
public protocol SpatialDropoutLayer: SpatialLayer {
  /// The probability of zero, 0 to 1.
  var rate: Double { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Makes the layer.
  init(_ rate: Double, dataFormat: DataFormat, name: String?)
}

extension SpatialDropoutLayer {
  public func forward(_ x: Tensor) -> Tensor {
    guard x.asSpatial(Self.spatialRank, dataFormat) != nil else { return x }
    guard let scope = Scope.current, scope.isTraining, rate > 0 else { return x }
    let channel = dataFormat == .channelsLast ? x.rank - 1 : 1
    return scope.dropout(x, rate: rate, mask: x.shape.indices.map { $0 == 0 || $0 == channel ? x.shape[$0] : 1 })
  }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("rate", in: .fraction), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("rate", Config(.double(rate))), ("data_format", dataFormat.config)])
  }
}

/// While training, sets whole channels of sequences to zero with probability `rate`.
public struct SpatialDropout1D: SpatialDropoutLayer {
  public static var spatialRank: Int { 1 }
  public let rate: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ rate: Double, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.rate = rate
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String {
    "While training, sets whole channels of sequences to zero with probability rate."
  }
}

/// While training, sets whole channels of images to zero with probability `rate`.
public struct SpatialDropout2D: SpatialDropoutLayer {
  public static var spatialRank: Int { 2 }
  public let rate: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ rate: Double, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.rate = rate
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "While training, sets whole channels of images to zero with probability rate." }
}

/// While training, sets whole channels of volumes to zero with probability `rate`.
public struct SpatialDropout3D: SpatialDropoutLayer {
  public static var spatialRank: Int { 3 }
  public let rate: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ rate: Double, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.rate = rate
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "While training, sets whole channels of volumes to zero with probability rate." }
}
