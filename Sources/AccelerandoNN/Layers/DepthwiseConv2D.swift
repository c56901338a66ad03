// Convolution over images, each channel separately: the spatial half of a separable convolution.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)` with windows of one channel each: `[N, H, W, C]` to `[N, H', W', C · multiplier]`.
/// The outputs of one input channel are adjacent.
public struct DepthwiseConv2D: ConfigurableLayer {
  /// The window's height and width.
  public let kernelSize: [Int]
  /// The window's steps down and to the right.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  /// The number of output channels for each input channel.
  public let depthMultiplier: Int
  /// Distance between neighbours of the window.
  public let dilation: [Int]
  /// Applied to the result.
  public let activation: Activation
  /// Whether a bias is added.
  public let usesBias: Bool
  public let name: String?
  let weight: Parameter
  let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - kernelSize: the kernel's height and width.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges.
  ///   - depthMultiplier: the number of filters per input channel.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - weightInitializer: of the weight, `[kernel height, kernel width, C, multiplier]`.
  ///   - biasInitializer: of the bias, `[C · multiplier]`.
  ///   - name: the layer's name.
  public init(
    kernelSize: (Int, Int), strides: (Int, Int) = (1, 1), padding: Padding = .valid, depthMultiplier: Int = 1,
    dilation: (Int, Int) = (1, 1), activation: Activation = .linear, usesBias: Bool = true,
    weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.kernelSize = [kernelSize.0, kernelSize.1]
    self.strides = [strides.0, strides.1]
    self.padding = padding
    self.depthMultiplier = depthMultiplier
    self.dilation = [dilation.0, dilation.1]
    self.activation = activation
    self.usesBias = usesBias
    self.name = name
    weight = Parameter(weightInitializer)
    bias = Parameter(biasInitializer)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let x = x.asImages() else { return x }
    let channels = x.shape[3]
    guard x.holds(window: kernelSize, dilation: dilation, padding) else { return x }
    let outputs = channels * depthMultiplier
    let kernel = weight[kernelSize[0], kernelSize[1], channels, depthMultiplier]
      .reshaped([kernelSize[0], kernelSize[1], 1, outputs])
    let product = x.convolved(with: kernel, strides: strides, padding: padding, dilation: dilation, groups: channels)
    return activation(usesBias ? product + bias[outputs] : product)
  }

  public static var summary: String {
    "Convolution of each channel separately: [N, H, W, C] to [N, H', W', C · depth_multiplier]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      kernelSize: try config.pair("kernel_size"), strides: try config.pair("strides", default: (1, 1)),
      padding: try config.choice("padding", default: .valid),
      depthMultiplier: try config.int("depth_multiplier", default: 1, in: .counts),
      dilation: try config.pair("dilation_rate", default: (1, 1)),
      activation: try config.activation("activation", default: .linear),
      usesBias: try config.bool("use_bias", default: true),
      weightInitializer: try config.initializer("depthwise_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "kernel_size": .ints(kernelSize), "strides": .ints(strides),
      "padding": Config(.string(padding.rawValue)), "depth_multiplier": Config(.int(depthMultiplier)),
      "dilation_rate": .ints(dilation), "activation": try Catalog.activations.config(of: activation),
      "use_bias": Config(.bool(usesBias)),
      "depthwise_initializer": try Catalog.initializers.config(of: weight.initializer),
      "bias_initializer": try Catalog.initializers.config(of: bias.initializer),
    ])
  }
}
