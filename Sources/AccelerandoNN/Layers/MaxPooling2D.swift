// The largest element of each window of images.

import AccelerandoCore

/// The maximum over windows, of each channel: `[N, H, W, C]` to `[N, H', W', C]`.
public struct MaxPooling2D: PoolingLayer {
  public static var spatialRank: Int { 2 }
  public static var function: PoolingFunction { .max }
  public let window: PoolingWindow
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - poolSize: the window's height and width.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - dataFormat: where the channels are.
  ///   - name: the layer's name.
  public init(
    poolSize: (Int, Int) = (2, 2), strides: (Int, Int)? = nil, padding: Padding = .valid,
    dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(
      window: PoolingWindow([poolSize.0, poolSize.1], strides.map { [$0.0, $0.1] }, padding, dataFormat), name: name)
  }

  public init(window: PoolingWindow, name: String?) {
    self.window = window
    self.name = name
  }

  public static var summary: String {
    "The largest element of windows of images, each channel separately: [N, H, W, C] to [N, H', W', C]."
  }
}
