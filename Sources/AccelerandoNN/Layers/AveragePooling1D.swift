// The mean of each window of sequences.

import AccelerandoCore

/// The mean over windows, of each channel: `[N, L, C]` to `[N, L', C]`. In windows that extend over
/// the edge, the mean of the elements inside.
public struct AveragePooling1D: PoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .mean }
  public let window: PoolingWindow
  public let name: String?

  public init(window: PoolingWindow, name: String?) {
    self.window = window
    self.name = name
  }

  public static var summary: String {
    "The mean of windows of sequences, each channel separately: [N, L, C] to [N, L', C]."
  }
}
