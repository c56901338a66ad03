// The largest element of each window of volumes.

import AccelerandoCore

/// The maximum over windows, of each channel: `[N, D, H, W, C]` to `[N, D', H', W', C]`.
public struct MaxPooling3D: PoolingLayer {
  public static var spatialRank: Int { 3 }
  public static var function: PoolingFunction { .max }
  public let window: PoolingWindow
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - poolSize: the window's depth, height and width.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - dataFormat: where the channels are.
  ///   - name: the layer's name.
  public init(
    poolSize: (Int, Int, Int) = (2, 2, 2), strides: (Int, Int, Int)? = nil, padding: Padding = .valid,
    dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(
      window: PoolingWindow(
        [poolSize.0, poolSize.1, poolSize.2], strides.map { [$0.0, $0.1, $0.2] }, padding, dataFormat), name: name)
  }

  public init(window: PoolingWindow, name: String?) {
    self.window = window
    self.name = name
  }

  public static var summary: String {
    "The largest element of windows of volumes, each channel separately: [N, D, H, W, C] to [N, D', H', W', C]."
  }
}
