// Convolution over images in two steps: each channel separately, then all channels of one place.

import AccelerandoCore

/// A depthwise convolution followed by one of window 1, bias and activation: `[N, H, W, C]` to `[N, H', W', filters]`.
public struct SeparableConv2D: SeparableConvolutionLayer {
  public static var spatialRank: Int { 2 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let depthMultiplier: Int
  public let output: ConvolutionOutput
  public let name: String?
  public var options = LayerOptions()
  public let depthwiseKernel: Parameter
  public let pointwiseKernel: Parameter
  public let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's height and width.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges.
  ///   - depthMultiplier: the number of filters per input channel in the first step.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - dataFormat: where the channels are.
  ///   - depthwiseInitializer: of the first step's kernel, whose last axes are channels and multiplier.
  ///   - pointwiseInitializer: of the second step's kernel, whose last axes are channels · multiplier and filters.
  ///   - biasInitializer: of the bias, `[filters]`.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: (Int, Int), strides: (Int, Int) = (1, 1), padding: Padding = .valid,
    depthMultiplier: Int = 1, dilation: (Int, Int) = (1, 1), activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, depthwiseInitializer: Initializer = .glorotUniform,
    pointwiseInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        [kernelSize.0, kernelSize.1], [strides.0, strides.1], padding, [dilation.0, dilation.1], dataFormat),
      depthMultiplier: depthMultiplier, output: ConvolutionOutput(activation, usesBias),
      depthwise: depthwiseInitializer, pointwise: pointwiseInitializer, bias: biasInitializer, name: name)
  }

  public init(
    filters: Int, window: ConvolutionWindow, depthMultiplier: Int, output: ConvolutionOutput, depthwise: Initializer,
    pointwise: Initializer, bias: Initializer, name: String?
  ) {
    self.filters = filters
    self.window = window
    self.depthMultiplier = depthMultiplier
    self.output = output
    self.name = name
    depthwiseKernel = Parameter(depthwise, isPrunable: false)
    pointwiseKernel = Parameter(pointwise)
    self.bias = Parameter(bias)
  }

  public static var summary: String {
    "Convolution over images, first each channel separately, then each place: [N, H, W, C] to [N, H', W', filters]."
  }
}
