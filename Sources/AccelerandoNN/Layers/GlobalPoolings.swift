// One number for each channel: an alternative to flattening at the end of classifiers.

import AccelerandoCore

/// A statistic of each channel over all places: `[N, spatial…, C]` to `[N, C]`, or with axes of size 1 if they are kept.
public protocol GlobalPoolingLayer: SpatialLayer {
  /// What is computed.
  static var function: PoolingFunction { get }
  /// Whether the spatial axes stay, with size 1.
  var keepsDims: Bool { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Makes the layer.
  init(keepsDims: Bool, dataFormat: DataFormat, name: String?)
}

extension GlobalPoolingLayer {
  public func forward(_ x: Tensor) -> Tensor {
    guard x.asSpatial(Self.spatialRank, dataFormat) != nil else { return x }
    let first = dataFormat == .channelsLast ? 1 : 2
    let axes = Array(first..<first + Self.spatialRank)
    switch Self.function {
    case .max: return x.max(axes: axes, keepDims: keepsDims)
    case .mean:
      // Elements of sequences that do not count have no part in the mean.
      guard Self.spatialRank == 1, let mask = x.mask, mask.shape == [x.shape[0], x.shape[first]] else {
        return x.mean(axes: axes, keepDims: keepsDims)
      }
      let counts = mask.expandingDims(dataFormat == .channelsLast ? 2 : 1)
      let kept = select(counts.broadcast(to: x.shape), x, x.zerosLike())
      return kept.sum(axes: axes, keepDims: keepsDims)
        / counts.converted(to: x.dtype).sum(axes: axes, keepDims: keepsDims)
    }
  }

  public init(config: ConfigReader) throws {
    self.init(
      keepsDims: try config.bool("keepdims", default: false), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("keepdims", Config(.bool(keepsDims))), ("data_format", dataFormat.config)])
  }
}

/// The mean of each channel of sequences: `[N, L, C]` to `[N, C]`.
public struct GlobalAveragePooling1D: GlobalPoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .mean }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of sequences: [N, L, C] to [N, C]." }
}

/// The mean of each channel of images: `[N, H, W, C]` to `[N, C]`.
public struct GlobalAveragePooling2D: GlobalPoolingLayer {
  public static var spatialRank: Int { 2 }
  public static var function: PoolingFunction { .mean }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of images: [N, H, W, C] to [N, C]." }
}

/// The mean of each channel of volumes: `[N, D, H, W, C]` to `[N, C]`.
public struct GlobalAveragePooling3D: GlobalPoolingLayer {
  public static var spatialRank: Int { 3 }
  public static var function: PoolingFunction { .mean }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of volumes: [N, D, H, W, C] to [N, C]." }
}

/// The largest element of each channel of sequences: `[N, L, C]` to `[N, C]`.
public struct GlobalMaxPooling1D: GlobalPoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .max }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of sequences: [N, L, C] to [N, C]." }
}

/// The largest element of each channel of images: `[N, H, W, C]` to `[N, C]`.
public struct GlobalMaxPooling2D: GlobalPoolingLayer {
  public static var spatialRank: Int { 2 }
  public static var function: PoolingFunction { .max }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of images: [N, H, W, C] to [N, C]." }
}

/// The largest element of each channel of volumes: `[N, D, H, W, C]` to `[N, C]`.
public struct GlobalMaxPooling3D: GlobalPoolingLayer {
  public static var spatialRank: Int { 3 }
  public static var function: PoolingFunction { .max }
  public let keepsDims: Bool
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.keepsDims = keepsDims
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of volumes: [N, D, H, W, C] to [N, C]." }
}
