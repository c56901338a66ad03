// One number for each channel of an image: an alternative to flattening at the end of classifiers.

import AccelerandoCore

/// The mean of each channel: `[N, H, W, C]` to `[N, C]`, or `[N, 1, 1, C]` if the axes are kept.
public struct GlobalAveragePooling2D: ConfigurableLayer {
  /// Whether height and width stay as axes of size 1.
  public let keepsDims: Bool
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, name: String? = nil) {
    self.keepsDims = keepsDims
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    x.asImages()?.mean(axes: [1, 2], keepDims: keepsDims) ?? x
  }

  public static var summary: String { "The mean of each channel of images: [N, H, W, C] to [N, C]." }

  public init(config: ConfigReader) throws {
    self.init(keepsDims: try config.bool("keepdims", default: false), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "keepdims": Config(.bool(keepsDims))])
  }
}

/// The largest element of each channel: `[N, H, W, C]` to `[N, C]`, or `[N, 1, 1, C]` if the axes are kept.
public struct GlobalMaxPooling2D: ConfigurableLayer {
  /// Whether height and width stay as axes of size 1.
  public let keepsDims: Bool
  public let name: String?

  /// Makes the layer.
  public init(keepsDims: Bool = false, name: String? = nil) {
    self.keepsDims = keepsDims
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    x.asImages()?.max(axes: [1, 2], keepDims: keepsDims) ?? x
  }

  public static var summary: String { "The largest element of each channel of images: [N, H, W, C] to [N, C]." }

  public init(config: ConfigReader) throws {
    self.init(keepsDims: try config.bool("keepdims", default: false), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "keepdims": Config(.bool(keepsDims))])
  }
}
