// Convolution over sequences, images and volumes.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)`, cross-correlation over the spatial axes: `[N, spatial…, C]` to `[N, spatial…, filters]`.
public protocol ConvolutionLayer: SpatialLayer {
  /// The number of output channels.
  var filters: Int { get }
  /// The window.
  var window: ConvolutionWindow { get }
  /// Groups that channels are split into.
  var groups: Int { get }
  /// What follows the sum.
  var output: ConvolutionOutput { get }
  /// The kernel, `[window…, C / groups, filters]`.
  var weight: Parameter { get }
  /// The bias, `[filters]`.
  var bias: Parameter { get }

  /// Makes the layer of its parts.
  init(
    filters: Int, window: ConvolutionWindow, groups: Int, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?)
}

extension ConvolutionLayer {
  /// Makes the layer, with the same sizes along every spatial axis.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's size along each axis.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges; `causal`, over one axis, for
  ///     series, whose outputs depend on what came before.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - groups: the number of groups that input and output channels are split into.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - dataFormat: where the channels are.
  ///   - weightInitializer: of the weight, `[kernel size…, C / groups, filters]`.
  ///   - biasInitializer: of the bias, `[filters]`.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: Int, strides: Int = 1, padding: Padding = .valid,
    dilation: Int = 1, groups: Int = 1, activation: Activation = .linear, usesBias: Bool = true,
    dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        Self.everyAxis(kernelSize), Self.everyAxis(strides), padding, Self.everyAxis(dilation), dataFormat),
      groups: groups, output: ConvolutionOutput(activation, usesBias), weight: weightInitializer,
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
    guard let images = x.asSpatial(Self.spatialRank, dataFormat) else { return x }
    let channels = images.dim(-1)
    guard channels % groups == 0, filters % groups == 0 else {
      return x.rejected(
        "needs groups that divide the input's channels and the filters; "
          + "received \(groups) groups, \(channels) channels and \(filters) filters.")
    }
    guard let images = window.input(x) else { return x }
    let kernel = weight[shape: kernelSize + [channels / groups, filters]]
    let sum = images.convolved(with: kernel, strides: strides, padding: padding, dilation: dilation, groups: groups)
    return output.finish(sum, bias, dataFormat)
  }

  public init(config: ConfigReader) throws {
    let rank = Self.spatialRank
    self.init(
      filters: try config.int("filters", in: .counts),
      window: try ConvolutionWindow(
        config: config, rank: rank, paddings: rank == 1 ? [.valid, .same, .causal] : [.valid, .same]),
      groups: try config.int("groups", default: 1, in: .counts), output: try ConvolutionOutput(config: config),
      weight: try config.initializer("kernel_initializer", default: .glorotUniform),
      bias: try config.initializer("bias_initializer", default: .zeros), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [("filters", Config(.int(filters)))] + window.entries + [("groups", Config(.int(groups)))]
        + (try output.entries()) + [
          ("kernel_initializer", try Catalog.initializers.config(of: weight.initializer)),
          ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
        ])
  }
}
