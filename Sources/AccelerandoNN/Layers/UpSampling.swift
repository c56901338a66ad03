// Larger sequences, images and volumes: each element repeated, or new ones computed between its neighbours.

import AccelerandoCore
import AccelerandoFormats

/// Each element repeated along the spatial axes: `[N, spatial…, C]` to `[N, spatial · size…, C]`.
public protocol UpSamplingLayer: SpatialLayer {
  /// How many times each spatial axis gets longer.
  var size: [Int] { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }
}

extension UpSamplingLayer {
  /// The input with each element repeated.
  fileprivate func repeated(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(Self.spatialRank, dataFormat) else { return x }
    var (spread, axes, result) = ([images.shape[0]], [0], [images.shape[0]])
    for (index, factor) in size.enumerated() {
      axes.append(spread.count)
      spread += [images.shape[index + 1], factor]
      result.append(images.shape[index + 1] * factor)
    }
    axes.append(spread.count)
    let channels = images.dim(-1)
    return images.broadcast(to: spread + [channels], axes: axes).reshaped(result + [channels]).inFormat(dataFormat)
  }
}

/// Repeats the steps of sequences: `[N, L, C]` to `[N, L · size, C]`.
public struct UpSampling1D: UpSamplingLayer {
  public static var spatialRank: Int { 1 }
  public let size: [Int]
  public var dataFormat: DataFormat { .channelsLast }
  public let name: String?

  /// Makes the layer.
  public init(size: Int = 2, name: String? = nil) {
    self.size = [size]
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor { repeated(x) }

  public static var summary: String { "Repeats the steps of sequences." }

  public init(config: ConfigReader) throws {
    self.init(size: try config.sizes("size", rank: 1, default: [2])[0], name: try config.optionalString("name"))
  }

  public func config() -> Config { Config(name: name, [("size", .ints(size))]) }
}

/// Repeats voxels: `[N, D, H, W, C]` to `[N, D · depth, H · rows, W · columns, C]`.
public struct UpSampling3D: UpSamplingLayer {
  public static var spatialRank: Int { 3 }
  public let size: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(size: (Int, Int, Int) = (2, 2, 2), dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.size = [size.0, size.1, size.2]
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Makes the layer, with the same factor along every axis.
  public init(size: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(size: (size, size, size), dataFormat: dataFormat, name: name)
  }

  public func forward(_ x: Tensor) -> Tensor { repeated(x) }

  public static var summary: String { "Repeats the planes, rows and columns of volumes." }

  public init(config: ConfigReader) throws {
    let size = try config.sizes("size", rank: 3, default: [2, 2, 2])
    self.init(
      size: (size[0], size[1], size[2]), dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("size", .ints(size)), ("data_format", dataFormat.config)])
  }
}

/// Larger images: `[N, H, W, C]` to `[N, H · rows, W · columns, C]`.
public struct UpSampling2D: UpSamplingLayer {
  public static var spatialRank: Int { 2 }
  /// The factors of height and width.
  public let size: [Int]
  /// How new pixels follow from the old ones.
  public let interpolation: Interpolation
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    size: (Int, Int) = (2, 2), interpolation: Interpolation = .nearest, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.size = [size.0, size.1]
    self.interpolation = interpolation
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Makes the layer, with the same factor along both axes.
  public init(
    size: Int, interpolation: Interpolation = .nearest, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(size: (size, size), interpolation: interpolation, dataFormat: dataFormat, name: name)
  }

  public func forward(_ x: Tensor) -> Tensor {
    if interpolation == .nearest { return repeated(x) }
    guard let images = x.asSpatial(2, dataFormat) else { return x }
    let target = images.type.with([
      images.shape[0], images.shape[1] * size[0], images.shape[2] * size[1], images.shape[3],
    ])
    if let problem = target.problem { return x.rejected("makes \(target): \(problem)") }
    guard (1...2).allSatisfy({ images.shape[$0] * target.shape[$0] <= 1 << 27 }) else {
      return x.rejected(
        "interpolates from \(images.shape) to \(target.shape): at most 134217728 weights along an axis.")
    }
    return images.resized(to: (target.shape[1], target.shape[2]), by: interpolation).inFormat(dataFormat)
  }

  public static var summary: String { "Larger images, by repeated pixels or interpolation." }

  public init(config: ConfigReader) throws {
    self.init(
      size: try config.pair("size", default: (2, 2)),
      interpolation: try config.choice("interpolation", default: .nearest, among: Interpolation.upSampling),
      dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("size", .ints(size)),
        ("interpolation", interpolation == .nearest ? nil : Config(.string(interpolation.rawValue))),
        ("data_format", dataFormat.config),
      ])
  }
}

extension UpSamplingLayer {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension Interpolation {
  /// Those that make images larger: what `area` gives then, `nearest` gives.
  fileprivate static let upSampling = allCases.filter { $0 != .area }
}
