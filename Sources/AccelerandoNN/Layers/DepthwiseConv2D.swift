// Convolution over images, each channel separately: the spatial half of a separable convolution.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)` with windows of one channel each: `[N, H, W, C]` to `[N, H', W', C · multiplier]`.
/// The outputs of one input channel are adjacent.
public struct DepthwiseConv2D: DepthwiseConvolutionLayer {
  public static var spatialRank: Int { 2 }
  public let window: ConvolutionWindow
  public let depthMultiplier: Int
  public let output: ConvolutionOutput
  public let name: String?
  public var options = LayerOptions()
  public let weight: Parameter
  public let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - kernelSize: the kernel's height and width.
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
    kernelSize: (Int, Int), strides: (Int, Int) = (1, 1), padding: Padding = .valid, depthMultiplier: Int = 1,
    dilation: (Int, Int) = (1, 1), activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      window: ConvolutionWindow(
        [kernelSize.0, kernelSize.1], [strides.0, strides.1], padding, [dilation.0, dilation.1], dataFormat),
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
    self.weight = Parameter(weight, isPrunable: false)
    self.bias = Parameter(bias)
  }

  public static var summary: String {
    "Convolution of each channel of images separately: [N, H, W, C] to [N, H', W', C · depth_multiplier]."
  }
}
