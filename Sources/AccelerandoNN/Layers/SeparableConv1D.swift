// Convolution over sequences in two steps: each channel separately, then all channels of one place.

import AccelerandoCore

/// A depthwise convolution followed by one of window 1, bias and activation: `[N, L, C]` to `[N, L', filters]`.
public struct SeparableConv1D: SeparableConvolutionLayer {
  public static var spatialRank: Int { 1 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let depthMultiplier: Int
  public let output: ConvolutionOutput
  public let name: String?
  public let depthwiseKernel: Parameter
  public let pointwiseKernel: Parameter
  public let bias: Parameter

  public init(
    filters: Int, window: ConvolutionWindow, depthMultiplier: Int, output: ConvolutionOutput, depthwise: Initializer,
    pointwise: Initializer, bias: Initializer, name: String?
  ) {
    self.filters = filters
    self.window = window
    self.depthMultiplier = depthMultiplier
    self.output = output
    self.name = name
    depthwiseKernel = Parameter(depthwise)
    pointwiseKernel = Parameter(pointwise)
    self.bias = Parameter(bias)
  }

  public static var summary: String {
    "Convolution over sequences, first each channel separately, then each place: [N, L, C] to [N, L', filters]."
  }
}
