// Padding and cropping: elements that are added or removed at both ends of the spatial axes.

import AccelerandoCore

/// Zeros around the spatial axes: `[N, spatial…, C]` to `[N, spatial…, C]`.
public protocol ZeroPaddingLayer: SpatialLayer {
  /// The zeros before and after, for each spatial axis.
  var padding: [(low: Int, high: Int)] { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Makes the layer.
  init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?)
}

extension ZeroPaddingLayer {
  /// Makes the layer, with the same number of zeros at both ends of every spatial axis.
  public init(_ padding: Int = 1, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(
      axes: Self.everyAxis(padding).map { (low: $0, high: $0) }, dataFormat: dataFormat, name: name)
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.asSpatial(Self.spatialRank, dataFormat) != nil else { return x }
    return x.padded(low: padding.map(\.low).around(dataFormat), high: padding.map(\.high).around(dataFormat))
  }

  public init(config: ConfigReader) throws {
    self.init(
      axes: try config.margins("padding", rank: Self.spatialRank, default: 1).map { ($0.low, $0.high) },
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("padding", Config(.array(padding.map { Margin($0.low, $0.high).config }))),
        ("data_format", dataFormat.config),
      ])
  }
}

/// The spatial axes without what is cut off at both ends: `[N, spatial…, C]` to `[N, spatial…, C]`.
public protocol CroppingLayer: SpatialLayer {
  /// How many elements are cut off before and after, for each spatial axis.
  var cropping: [(low: Int, high: Int)] { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Makes the layer.
  init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?)
}

extension CroppingLayer {
  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.asSpatial(Self.spatialRank, dataFormat) != nil else { return x }
    let low = cropping.map(\.low).around(dataFormat)
    let high = cropping.map(\.high).around(dataFormat)
    guard x.shape.indices.allSatisfy({ low[$0] + high[$0] < x.shape[$0] || low[$0] + high[$0] == 0 }) else {
      return x.rejected(
        "needs an input of which something is left; received \(x.shape), of which \(low) before and \(high) after are "
          + "cut off.")
    }
    return x.sliced(starts: low, limits: x.shape.indices.map { x.shape[$0] - high[$0] })
  }

  public init(config: ConfigReader) throws {
    self.init(
      axes: try config.margins("cropping", rank: Self.spatialRank, default: Self.spatialRank == 2 ? 0 : 1)
        .map { ($0.low, $0.high) },
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("cropping", Config(.array(cropping.map { Margin($0.low, $0.high).config }))),
        ("data_format", dataFormat.config),
      ])
  }
}

extension [Int] {
  /// Numbers of the spatial axes as numbers of all axes, 0 for batch and channels.
  fileprivate func around(_ format: DataFormat) -> [Int] {
    format == .channelsLast ? [0] + self + [0] : [0, 0] + self
  }
}

/// Adds zeros at both ends of each spatial axis of sequences, `[N, L, C]`.
public struct ZeroPadding1D: ZeroPaddingLayer {
  public static var spatialRank: Int { 1 }
  public let padding: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with numbers of elements at both ends.
  public init(start: Int, end: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(axes: [(start, end)], dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    padding = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Adds zeros at both ends of each spatial axis of sequences." }
}

/// Adds zeros at both ends of each spatial axis of images, `[N, H, W, C]`.
public struct ZeroPadding2D: ZeroPaddingLayer {
  public static var spatialRank: Int { 2 }
  public let padding: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with a number of rows or columns on each side.
  public init(
    top: Int, bottom: Int, left: Int, right: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(axes: [(top, bottom), (left, right)], dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    padding = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Adds zeros at both ends of each spatial axis of images." }
}

/// Adds zeros at both ends of each spatial axis of volumes, `[N, D, H, W, C]`.
public struct ZeroPadding3D: ZeroPaddingLayer {
  public static var spatialRank: Int { 3 }
  public let padding: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with numbers before and after along each axis.
  public init(
    depth: (Int, Int), height: (Int, Int), width: (Int, Int), dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.init(axes: [depth, height, width], dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    padding = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Adds zeros at both ends of each spatial axis of volumes." }
}

/// Cuts elements off at both ends of each spatial axis of sequences, `[N, L, C]`.
public struct Cropping1D: CroppingLayer {
  public static var spatialRank: Int { 1 }
  public let cropping: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with numbers of elements at both ends.
  public init(start: Int, end: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(axes: [(start, end)], dataFormat: dataFormat, name: name)
  }

  /// Makes a layer with the same number at all ends.
  public init(_ cropping: Int = 1, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(
      axes: [(low: Int, high: Int)](repeating: (cropping, cropping), count: 1), dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    cropping = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Cuts elements off at both ends of each spatial axis of sequences." }
}

/// Cuts elements off at both ends of each spatial axis of images, `[N, H, W, C]`.
public struct Cropping2D: CroppingLayer {
  public static var spatialRank: Int { 2 }
  public let cropping: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with a number of rows or columns on each side.
  public init(
    top: Int, bottom: Int, left: Int, right: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(axes: [(top, bottom), (left, right)], dataFormat: dataFormat, name: name)
  }

  /// Makes a layer with the same number at all ends.
  public init(_ cropping: Int = 0, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(
      axes: [(low: Int, high: Int)](repeating: (cropping, cropping), count: 2), dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    cropping = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Cuts elements off at both ends of each spatial axis of images." }
}

/// Cuts elements off at both ends of each spatial axis of volumes, `[N, D, H, W, C]`.
public struct Cropping3D: CroppingLayer {
  public static var spatialRank: Int { 3 }
  public let cropping: [(low: Int, high: Int)]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer with numbers before and after along each axis.
  public init(
    depth: (Int, Int), height: (Int, Int), width: (Int, Int), dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.init(axes: [depth, height, width], dataFormat: dataFormat, name: name)
  }

  /// Makes a layer with the same number at all ends.
  public init(_ cropping: Int = 1, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(
      axes: [(low: Int, high: Int)](repeating: (cropping, cropping), count: 3), dataFormat: dataFormat, name: name)
  }

  public init(axes: [(low: Int, high: Int)], dataFormat: DataFormat, name: String?) {
    cropping = axes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "Cuts elements off at both ends of each spatial axis of volumes." }
}
