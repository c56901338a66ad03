// The mean of each window of sequences.

import AccelerandoCore

/// The mean over windows, of each channel: `[N, L, C]` to `[N, L', C]`. In windows that extend over
/// the edge, the mean of the elements inside.
public struct AveragePooling1D: PoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .mean }
  public let window: PoolingWindow
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - poolSize: the window's length.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - dataFormat: where the channels are.
  ///   - name: the layer's name.
  public init(
    poolSize: Int = 2, strides: Int? = nil, padding: Padding = .valid,
    dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(
      window: PoolingWindow([poolSize], strides.map { [$0] }, padding, dataFormat), name: name)
  }

  public init(window: PoolingWindow, name: String?) {
    self.window = window
    self.name = name
  }

  public static var summary: String {
    "The mean of windows of sequences, each channel separately: [N, L, C] to [N, L', C]."
  }
}
