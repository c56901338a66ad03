// Larger images by repetition.

import AccelerandoCore

/// Repeats rows and columns: `[N, H, W, C]` to `[N, H · rows, W · columns, C]`.
public struct UpSampling2D: ConfigurableLayer {
  /// The number of repetitions of each row and each column.
  public let size: [Int]
  public let name: String?

  /// Makes the layer.
  public init(size: (Int, Int) = (2, 2), name: String? = nil) {
    self.size = [size.0, size.1]
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let x = x.asImages() else { return x }
    let (n, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    return x.broadcast(to: [n, height, size[0], width, size[1], channels], axes: [0, 1, 3, 5])
      .reshaped([n, height * size[0], width * size[1], channels])
  }

  public static var summary: String { "Repeats rows and columns of images." }

  public init(config: ConfigReader) throws {
    self.init(size: try config.pair("size", default: (2, 2)), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "size": .ints(size)])
  }
}
