// Convolution over images.

import AccelerandoCore

/// `activation(x ⋆ weight + bias)`, cross-correlation over height and width: `[N, H, W, C]` to `[N, H', W', filters]`.
public struct Conv2D: ConfigurableLayer {
  /// The number of output channels.
  public let filters: Int
  /// The window's height and width.
  public let kernelSize: [Int]
  /// The window's steps down and to the right.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  /// Distance between neighbours of the window.
  public let dilation: [Int]
  /// Groups that channels are split into.
  public let groups: Int
  /// Applied to the result.
  public let activation: Activation
  /// Whether a bias is added.
  public let usesBias: Bool
  public let name: String?
  let weight: Parameter
  let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's height and width.
  ///   - strides: the kernel's steps.
  ///   - padding: how windows are placed at the edges.
  ///   - dilation: the distance between neighbours of the kernel; 1 is dense.
  ///   - groups: the number of groups that input and output channels are split into.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - weightInitializer: of the weight, `[kernel height, kernel width, C / groups, filters]`.
  ///   - biasInitializer: of the bias, `[filters]`.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: (Int, Int), strides: (Int, Int) = (1, 1), padding: Padding = .valid,
    dilation: (Int, Int) = (1, 1), groups: Int = 1, activation: Activation = .linear, usesBias: Bool = true,
    weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.filters = filters
    self.kernelSize = [kernelSize.0, kernelSize.1]
    self.strides = [strides.0, strides.1]
    self.padding = padding
    self.dilation = [dilation.0, dilation.1]
    self.groups = groups
    self.activation = activation
    self.usesBias = usesBias
    self.name = name
    weight = Parameter(weightInitializer)
    bias = Parameter(biasInitializer)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let x = x.asImages() else { return x }
    let channels = x.shape[3]
    guard channels % groups == 0, filters % groups == 0 else {
      return x.rejected(
        "needs groups that divide the input's channels and the filters; "
          + "received \(groups) groups, \(channels) channels and \(filters) filters.")
    }
    guard x.holds(window: kernelSize, dilation: dilation, padding) else { return x }
    let kernel = weight[kernelSize[0], kernelSize[1], channels / groups, filters]
    let product = x.convolved(with: kernel, strides: strides, padding: padding, dilation: dilation, groups: groups)
    return activation(usesBias ? product + bias[filters] : product)
  }

  public static var summary: String { "Convolution over images: [N, H, W, C] to [N, H', W', filters]." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.int("filters", in: .counts), kernelSize: try config.pair("kernel_size"),
      strides: try config.pair("strides", default: (1, 1)), padding: try config.choice("padding", default: .valid),
      dilation: try config.pair("dilation_rate", default: (1, 1)),
      groups: try config.int("groups", default: 1, in: .counts),
      activation: try config.activation("activation", default: .linear),
      usesBias: try config.bool("use_bias", default: true),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "filters": Config(.int(filters)), "kernel_size": .ints(kernelSize),
      "strides": .ints(strides), "padding": Config(.string(padding.rawValue)), "dilation_rate": .ints(dilation),
      "groups": Config(.int(groups)), "activation": try Catalog.activations.config(of: activation),
      "use_bias": Config(.bool(usesBias)),
      "kernel_initializer": try Catalog.initializers.config(of: weight.initializer),
      "bias_initializer": try Catalog.initializers.config(of: bias.initializer),
    ])
  }
}

extension Tensor {
  /// The tensor if it is a batch of images `[N, H, W, C]`; otherwise reports what is missing.
  func asImages() -> Tensor? {
    if rank == 4 { return self }
    var advice = ""
    if rank == 3 { advice = " Add a channel axis: a Reshape to [\(shape[1]), \(shape[2]), 1] before it." }
    if rank == 2 { advice = " Images keep their height and width; do not flatten them before." }
    graph.report(GraphError("needs a rank-4 input [N, H, W, C]; received \(shape).\(advice)"))
    return nil
  }

  /// Whether images are at least as large as a window that may not reach over the edge; otherwise reports that they are not.
  func holds(window: [Int], dilation: [Int], _ padding: Padding) -> Bool {
    if padding == .same { return true }
    let extents = zip(window, dilation).map { ($0 - 1) * $1 + 1 }
    if extents[0] <= shape[1], extents[1] <= shape[2] { return true }
    graph.report(
      GraphError(
        "needs an image of at least its window \(extents); received \(shape). "
          + "Use the padding 'same', or fewer or smaller layers before it."))
    return false
  }
}
