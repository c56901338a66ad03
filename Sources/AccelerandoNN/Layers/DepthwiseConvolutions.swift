// Convolutions of each channel separately, alone and as the first half of a separable convolution.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)` with windows of one channel each: `[N, spatial…, C]` to
/// `[N, spatial…, C · depthMultiplier]`. The outputs of one input channel are adjacent.
public protocol DepthwiseConvolutionLayer: SpatialLayer {
  /// The window.
  var window: ConvolutionWindow { get }
  /// The number of output channels for each input channel.
  var depthMultiplier: Int { get }
  /// What follows the sum.
  var output: ConvolutionOutput { get }
  /// The kernel, `[window…, C, depthMultiplier]`.
  var weight: Parameter { get }
  /// The bias, `[C · depthMultiplier]`.
  var bias: Parameter { get }

  /// Makes the layer of its parts.
  init(
    window: ConvolutionWindow, depthMultiplier: Int, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?)
}

extension DepthwiseConvolutionLayer {
  /// Makes the layer, with the same sizes along every spatial axis.
  /// - Parameters:
  ///   - kernelSize: the kernel's size along each axis.
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
        Self.everyAxis(kernelSize), Self.everyAxis(strides), padding, Self.everyAxis(dilation), dataFormat),
      depthMultiplier: depthMultiplier, output: ConvolutionOutput(activation, usesBias), weight: weightInitializer,
      bias: biasInitializer, name: name)
  }

  /// The window's sizes.
  public var kernelSize: [Int] { window.size }
  /// The window's steps.
  public var strides: [Int] { window.strides }
  /// How windows lie at the edges.
  public var padding: Padding { window.padding }
  /// Distance between neighbours of the window.
  public var dilation: [Int] { window.dilation }
  /// Where the channels are.
  public var dataFormat: DataFormat { window.dataFormat }
  /// Applied to the result.
  public var activation: Activation { output.activation }
  /// Whether a bias is added.
  public var usesBias: Bool { output.usesBias }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = window.input(x) else { return x }
    return output.finish(images.depthwise(weight, window, depthMultiplier), bias, dataFormat)
  }

  public init(config: ConfigReader) throws {
    let window = try ConvolutionWindow(config: config, rank: Self.spatialRank)
    self.init(
      window: window, depthMultiplier: try config.int("depth_multiplier", default: 1, in: .counts),
      output: try ConvolutionOutput(config: config),
      weight: try config.initializer("depthwise_initializer", default: .glorotUniform),
      bias: try config.initializer("bias_initializer", default: .zeros), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      window.entries + [("depth_multiplier", Config(.int(depthMultiplier)))] + (try output.entries()) + [
        ("depthwise_initializer", try Catalog.initializers.config(of: weight.initializer)),
        ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
      ])
  }
}

/// A depthwise convolution followed by one of window 1: `[N, spatial…, C]` to `[N, spatial…, filters]`.
public protocol SeparableConvolutionLayer: SpatialLayer {
  /// The number of output channels.
  var filters: Int { get }
  /// The window.
  var window: ConvolutionWindow { get }
  /// The number of channels between the steps, for each input channel.
  var depthMultiplier: Int { get }
  /// What follows the sum.
  var output: ConvolutionOutput { get }
  /// The first step's kernel, `[window…, C, depthMultiplier]`.
  var depthwiseKernel: Parameter { get }
  /// The second step's kernel, `[1…, C · depthMultiplier, filters]`.
  var pointwiseKernel: Parameter { get }
  /// The bias, `[filters]`.
  var bias: Parameter { get }

  /// Makes the layer of its parts.
  init(
    filters: Int, window: ConvolutionWindow, depthMultiplier: Int, output: ConvolutionOutput, depthwise: Initializer,
    pointwise: Initializer, bias: Initializer, name: String?)
}

extension SeparableConvolutionLayer {
  /// Makes the layer, with the same sizes along every spatial axis.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's size along each axis.
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
    _ filters: Int, kernelSize: Int, strides: Int = 1, padding: Padding = .valid,
    depthMultiplier: Int = 1, dilation: Int = 1, activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, depthwiseInitializer: Initializer = .glorotUniform,
    pointwiseInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        Self.everyAxis(kernelSize), Self.everyAxis(strides), padding, Self.everyAxis(dilation), dataFormat),
      depthMultiplier: depthMultiplier, output: ConvolutionOutput(activation, usesBias),
      depthwise: depthwiseInitializer, pointwise: pointwiseInitializer, bias: biasInitializer, name: name)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = window.input(x) else { return x }
    let between = images.depthwise(depthwiseKernel, window, depthMultiplier)
    let ones = window.size.map { _ in 1 }
    let kernel = pointwiseKernel[shape: ones + [between.dim(-1), filters]]
    return output.finish(between.convolved(with: kernel, strides: ones), bias, window.dataFormat)
  }

  public init(config: ConfigReader) throws {
    self.init(
      filters: try config.int("filters", in: .counts),
      window: try ConvolutionWindow(config: config, rank: Self.spatialRank),
      depthMultiplier: try config.int("depth_multiplier", default: 1, in: .counts),
      output: try ConvolutionOutput(config: config),
      depthwise: try config.initializer("depthwise_initializer", default: .glorotUniform),
      pointwise: try config.initializer("pointwise_initializer", default: .glorotUniform),
      bias: try config.initializer("bias_initializer", default: .zeros), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [("filters", Config(.int(filters)))] + window.entries + [("depth_multiplier", Config(.int(depthMultiplier)))]
        + (try output.entries()) + [
          ("depthwise_initializer", try Catalog.initializers.config(of: depthwiseKernel.initializer)),
          ("pointwise_initializer", try Catalog.initializers.config(of: pointwiseKernel.initializer)),
          ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
        ])
  }
}

extension Tensor {
  /// Images `[N, spatial…, C]` with each channel convolved with its own `multiplier` kernels.
  fileprivate func depthwise(_ weight: Parameter, _ window: ConvolutionWindow, _ multiplier: Int) -> Tensor {
    let channels = dim(-1)
    // As groups of the whole kernel, one for each channel. An absurd number of outputs is refused by the parameter.
    let kernel = weight[shape: window.size + [channels, multiplier]]
    let outputs = channels.multipliedReportingOverflow(by: multiplier).partialValue
    return convolved(
      with: kernel.reshaped(window.size + [1, outputs]), strides: window.strides, padding: window.padding,
      dilation: window.dilation, groups: Swift.max(channels, 1))
  }
}
