// Transposed convolution, with Keras' rules for the size of the result.

import AccelerandoCore

/// `activation(x ⋆ᵀ weight + bias)`, the gradient of a convolution's input: `[N, spatial…, C]` to `[N, spatial…, filters]`.
public protocol TransposedConvolutionLayer: SpatialLayer {
  /// The number of output channels.
  var filters: Int { get }
  /// The window, which moves over the result.
  var window: ConvolutionWindow { get }
  /// Elements that are added to the size that follows from the window alone; nil for Keras' choice.
  var outputPadding: [Int]? { get }
  /// What follows the sum.
  var output: ConvolutionOutput { get }
  /// The kernel, `[window…, filters, C]`.
  var weight: Parameter { get }
  /// The bias, `[filters]`.
  var bias: Parameter { get }

  /// Makes the layer of its parts.
  init(
    filters: Int, window: ConvolutionWindow, outputPadding: [Int]?, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?)
}

extension TransposedConvolutionLayer {
  /// Makes the layer, with the same sizes along every spatial axis.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the kernel's size along each axis.
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
    _ filters: Int, kernelSize: Int, strides: Int = 1, padding: Padding = .valid,
    outputPadding: Int? = nil, dilation: Int = 1, activation: Activation = .linear,
    usesBias: Bool = true, dataFormat: DataFormat = .channelsLast, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters: filters,
      window: ConvolutionWindow(
        Self.everyAxis(kernelSize), Self.everyAxis(strides), padding, Self.everyAxis(dilation), dataFormat),
      outputPadding: outputPadding.map(Self.everyAxis), output: ConvolutionOutput(activation, usesBias),
      weight: weightInitializer, bias: biasInitializer, name: name)
  }

  /// The window's sizes.
  public var kernelSize: [Int] { window.size }
  /// The window's steps in the result.
  public var strides: [Int] { window.strides }
  /// Where the result ends.
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
    guard images.type.elementCount > 0 else { return x.rejected("needs an input with elements; received \(x.shape).") }
    var (size, low): ([Int], [Int]) = ([], [])
    for axis in strides.indices {
      // Sizes and settings have at most 31 bits; no product of two is too large.
      let (count, stride) = (images.shape[axis + 1], strides[axis])
      let extent = (kernelSize[axis] - 1) * dilation[axis] + 1
      let total: Int
      if let extra = outputPadding?[axis] {
        guard extra < stride else {
          return x.rejected("needs an output padding below the strides \(strides); received \(outputPadding ?? []).")
        }
        total = (count - 1) * stride + extent - (padding == .same ? extent / 2 * 2 : 0) + extra
      } else {
        total = count * stride + (padding == .same ? 0 : max(extent - stride, 0))
      }
      guard total > 0 else { return x.rejected("has no result: its size would be \(total).") }
      size.append(total)
      low.append(padding.amounts(size: total, window: kernelSize[axis], stride: stride, dilation: dilation[axis]).low)
      guard padding == .valid || (total + stride - 1) / stride == count else {
        return x.rejected(
          "needs an output padding with which \(count) elements, \(stride) apart, end at \(total); "
            + "received \(outputPadding ?? []).")
      }
    }
    let kernel = weight[shape: kernelSize + [filters, images.dim(-1)]]
    let sum = images.transposedConvolved(
      with: kernel, size: size, strides: strides, paddingLow: low, dilation: dilation)
    return output.finish(sum, bias, dataFormat)
  }

  public init(config: ConfigReader) throws {
    let rank = Self.spatialRank
    let kind = "a whole number of at least 0, or a list of \(rank)"
    let padding = try config.value("output_padding", kind: kind).map { value -> [Int] in
      var sizes = [Int](repeating: 0, count: rank)
      if case .array(let list) = value.value, list.count != rank { throw config.refused("output_padding", kind) }
      let given = try config.ints("output_padding", default: [], in: .notNegative)
      for axis in sizes.indices { sizes[axis] = given.count == rank ? given[axis] : given.first ?? 0 }
      return sizes
    }
    self.init(
      filters: try config.int("filters", in: .counts), window: try ConvolutionWindow(config: config, rank: rank),
      outputPadding: padding, output: try ConvolutionOutput(config: config),
      weight: try config.initializer("kernel_initializer", default: .glorotUniform),
      bias: try config.initializer("bias_initializer", default: .zeros), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [("filters", Config(.int(filters)))] + window.entries + [("output_padding", outputPadding.map { .ints($0) })]
        + (try output.entries()) + [
          ("kernel_initializer", try Catalog.initializers.config(of: weight.initializer)),
          ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
        ])
  }
}
