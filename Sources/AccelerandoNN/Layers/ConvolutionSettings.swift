// The settings of convolutions over one, two and three axes. The layers are thin types over them, so that each rank has
// its name and its types of arguments, and none has a formula of its own.

import AccelerandoCore

/// How the window of a convolution moves.
public struct ConvolutionWindow: Hashable, Sendable {
  /// The window's sizes.
  public let size: [Int]
  /// The window's steps.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  /// The distance between neighbours of the window; 1 is dense.
  public let dilation: [Int]
  /// Where the channels are.
  public let dataFormat: DataFormat

  init(_ size: [Int], _ strides: [Int], _ padding: Padding, _ dilation: [Int], _ dataFormat: DataFormat) {
    self.size = size
    self.strides = strides
    self.padding = padding
    self.dilation = dilation
    self.dataFormat = dataFormat
  }

  init(config: ConfigReader, rank: Int, paddings: [Padding] = [.valid, .same]) throws {
    let ones = [Int](repeating: 1, count: rank)
    size = try config.sizes("kernel_size", rank: rank)
    strides = try config.sizes("strides", rank: rank, default: ones)
    padding = try config.choice("padding", default: .valid, among: paddings)
    dilation = try config.sizes("dilation_rate", rank: rank, default: ones)
    dataFormat = try config.dataFormat()
  }

  /// The settings for files.
  var entries: [(String, Config?)] {
    [
      ("kernel_size", .ints(size)), ("strides", .ints(strides)), ("padding", Config(.string(padding.rawValue))),
      ("dilation_rate", .ints(dilation)), ("data_format", dataFormat.config),
    ]
  }

  /// The input with channels last, if the window fits; otherwise reports why not.
  func input(_ x: Tensor) -> Tensor? {
    guard let x = x.asSpatial(size.count, dataFormat), x.holds(window: size, dilation: dilation, padding) else {
      return nil
    }
    return x
  }
}

/// What follows the sum over the window: a bias and an activation.
public struct ConvolutionOutput: Hashable, Sendable {
  /// Applied to the result.
  public let activation: Activation
  /// Whether a bias is added.
  public let usesBias: Bool

  init(_ activation: Activation, _ usesBias: Bool) {
    self.activation = activation
    self.usesBias = usesBias
  }

  init(config: ConfigReader) throws {
    activation = try config.activation("activation", default: .linear)
    usesBias = try config.bool("use_bias", default: true)
  }

  /// The settings for files.
  func entries() throws -> [(String, Config?)] {
    [("activation", try Catalog.activations.config(of: activation)), ("use_bias", Config(.bool(usesBias)))]
  }

  /// The result of the layer, in the order of axes of its input.
  func finish(_ sum: Tensor, _ bias: Parameter, _ format: DataFormat) -> Tensor {
    let result = usesBias ? sum + bias[sum.dim(-1)] : sum
    // Elementwise functions come before the axes are turned, where they join the convolution.
    return activation.isElementwise ? activation(result).inFormat(format) : activation(result.inFormat(format))
  }
}

extension Config {
  /// The settings of a layer with a name; nil ones are omitted.
  init(name: String?, _ entries: [(String, Config?)]) {
    let all = [("name", name.map { Config(.string($0)) })] + entries
    self.init(.object(all.compactMap { key, value in value.map { Entry(key, $0) } }))
  }
}
