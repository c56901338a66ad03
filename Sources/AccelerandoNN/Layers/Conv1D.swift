// Convolution over sequences.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)`, cross-correlation over length: `[N, L, C]` to `[N, L', filters]`.
public struct Conv1D: ConvolutionLayer {
  public static var spatialRank: Int { 1 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let groups: Int
  public let output: ConvolutionOutput
  public let name: String?
  public let weight: Parameter
  public let bias: Parameter

  public init(
    filters: Int, window: ConvolutionWindow, groups: Int, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?
  ) {
    self.filters = filters
    self.window = window
    self.groups = groups
    self.output = output
    self.name = name
    self.weight = Parameter(weight)
    self.bias = Parameter(bias)
  }

  public static var summary: String { "Convolution over sequences: [N, L, C] to [N, L', filters]." }
}
