// Convolution over sequences, each channel separately: the spatial half of a separable convolution.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)` with windows of one channel each: `[N, L, C]` to `[N, L', C · multiplier]`.
/// The outputs of one input channel are adjacent.
public struct DepthwiseConv1D: DepthwiseConvolutionLayer {
  public static var spatialRank: Int { 1 }
  public let window: ConvolutionWindow
  public let depthMultiplier: Int
  public let output: ConvolutionOutput
  public let name: String?
  public let weight: Parameter
  public let bias: Parameter

  public init(
    window: ConvolutionWindow, depthMultiplier: Int, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?
  ) {
    self.window = window
    self.depthMultiplier = depthMultiplier
    self.output = output
    self.name = name
    self.weight = Parameter(weight)
    self.bias = Parameter(bias)
  }

  public static var summary: String {
    "Convolution of each channel of sequences separately: [N, L, C] to [N, L', C · depth_multiplier]."
  }
}
