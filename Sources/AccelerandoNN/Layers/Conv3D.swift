// Convolution over volumes.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)`, cross-correlation over depth, height and width: `[N, D, H, W, C]` to `[N, D', H', W', filters]`.
public struct Conv3D: ConvolutionLayer {
  public static var spatialRank: Int { 3 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let groups: Int
  public let output: ConvolutionOutput
  public let name: String?
  public var options = LayerOptions()
  public let weight: Parameter
  public let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's depth, height and width.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - groups: the number of groups that input and output channels are split into.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - dataFormat: where the channels are.
  ///   - weightInitializer: of the weight, `[kernel depth, height and width, C / groups, filters]`.
  ///   - biasInitializer: of the bias, `[filters]`.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: (Int, Int, Int), strides: (Int, Int, Int) = (1, 1, 1), padding: Padding = .valid,
    dilation: (Int, Int, Int) = (1, 1, 1), groups: Int = 1, activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        [kernelSize.0, kernelSize.1, kernelSize.2], [strides.0, strides.1, strides.2], padding,
        [dilation.0, dilation.1, dilation.2], dataFormat),
      groups: groups, output: ConvolutionOutput(activation, usesBias), weight: weightInitializer,
      bias: biasInitializer, name: name)
  }

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

  public static var summary: String { "Convolution over volumes: [N, D, H, W, C] to [N, D', H', W', filters]." }
}
