// The largest element of each window of an image.

import AccelerandoCore

/// The maximum over windows, of each channel: `[N, H, W, C]` to `[N, H', W', C]`.
public struct MaxPooling2D: ConfigurableLayer {
  /// The window's height and width.
  public let poolSize: [Int]
  /// The window's steps down and to the right.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - poolSize: the window's height and width.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - name: the layer's name.
  public init(
    poolSize: (Int, Int) = (2, 2), strides: (Int, Int)? = nil, padding: Padding = .valid, name: String? = nil
  ) {
    self.poolSize = [poolSize.0, poolSize.1]
    self.strides = strides.map { [$0.0, $0.1] } ?? self.poolSize
    self.padding = padding
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let window = x.poolingWindow(poolSize, strides, padding) else { return x }
    return x.graph.add(ReduceWindow(.max, window), x)
  }

  public static var summary: String {
    "The largest element of windows of images, each channel separately: [N, H, W, C] to [N, H', W', C]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      poolSize: try config.pair("pool_size", default: (2, 2)), strides: try config.optionalPair("strides"),
      padding: try config.choice("padding", default: .valid), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "pool_size": .ints(poolSize), "strides": .ints(strides),
      "padding": Config(.string(padding.rawValue)),
    ])
  }
}

extension Tensor {
  /// The geometry of a pooling window over images; reports what is wrong and gives nil where there is none.
  func poolingWindow(_ size: [Int], _ strides: [Int], _ padding: Padding) -> WindowGeometry? {
    guard let images = asImages() else { return nil }
    guard images.holds(window: size, dilation: [1, 1], padding) else { return nil }
    let amounts = (0..<2).map {
      padding.amounts(size: images.shape[$0 + 1], window: size[$0], stride: strides[$0])
    }
    return WindowGeometry(
      size: [1] + size + [1], strides: [1] + strides + [1], paddingLow: [0] + amounts.map(\.low) + [0],
      paddingHigh: [0] + amounts.map(\.high) + [0])
  }
}
