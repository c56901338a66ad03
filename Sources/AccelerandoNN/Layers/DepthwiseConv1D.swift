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
  public var options = LayerOptions()
  public let weight: Parameter
  public let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - kernelSize: the kernel's length.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges.
  ///   - depthMultiplier: the number of filters per input channel.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - dataFormat: where the channels are.
  ///   - weightInitializer: of the weight, whose last axes are channels and multiplier.
  ///   - biasInitializer: of the bias, `[C · multiplier]`.
  ///   - name: the layer's name.
  public init(
    kernelSize: Int, strides: Int = 1, padding: Padding = .valid, depthMultiplier: Int = 1,
    dilation: Int = 1, activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      window: ConvolutionWindow(
        [kernelSize], [strides], padding, [dilation], dataFormat),
      depthMultiplier: depthMultiplier, output: ConvolutionOutput(activation, usesBias), weight: weightInitializer,
      bias: biasInitializer, name: name)
  }

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
