// The largest element of each window of sequences.

import AccelerandoCore

/// The maximum over windows, of each channel: `[N, L, C]` to `[N, L', C]`.
public struct MaxPooling1D: PoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .max }
  public let window: PoolingWindow
  public let name: String?

  public init(window: PoolingWindow, name: String?) {
    self.window = window
    self.name = name
  }

  public static var summary: String {
    "The largest element of windows of sequences, each channel separately: [N, L, C] to [N, L', C]."
  }
}
