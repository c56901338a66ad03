// Transposed convolution over images: what a convolution with strides made smaller becomes larger again.

import AccelerandoCore

/// `activation(x ⋆ᵀ weight + bias)`, the gradient of a convolution's input: `[N, H, W, C]` to `[N, H', W', filters]`.
public struct Conv2DTranspose: TransposedConvolutionLayer {
  public static var spatialRank: Int { 2 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let outputPadding: [Int]?
  public let output: ConvolutionOutput
  public let name: String?
  public var options = LayerOptions()
  public let weight: Parameter
  public let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's height and width.
  ///   - strides: the kernel's steps in the result.
  ///   - padding: where the result ends: `same` gives the input's size times the strides.
  ///   - outputPadding: elements that are added to the size that follows from kernel, strides and padding alone; below the
  ///     strides. For nil, the size that Keras chooses.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - dataFormat: where the channels are.
  ///   - weightInitializer: of the weight, whose last axes are filters and input channels.
  ///   - biasInitializer: of the bias, `[filters]`.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: (Int, Int), strides: (Int, Int) = (1, 1), padding: Padding = .valid,
    outputPadding: (Int, Int)? = nil, dilation: (Int, Int) = (1, 1), activation: Activation = .linear,
    usesBias: Bool = true, dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        [kernelSize.0, kernelSize.1], [strides.0, strides.1], padding, [dilation.0, dilation.1], dataFormat),
      outputPadding: outputPadding.map { [$0.0, $0.1] }, output: ConvolutionOutput(activation, usesBias),
      weight: weightInitializer, bias: biasInitializer, name: name)
  }

  public init(
    filters: Int, window: ConvolutionWindow, outputPadding: [Int]?, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?
  ) {
    self.filters = filters
    self.window = window
    self.outputPadding = outputPadding
    self.output = output
    self.name = name
    self.weight = Parameter(weight)
    self.bias = Parameter(bias)
  }

  public static var summary: String { "Transposed convolution over images: [N, H, W, C] to [N, H', W', filters]." }
}
