// Long short-term memory whose products are convolutions: for films and other sequences of images.

import AccelerandoCore

/// A round of a convolutional LSTM by Shi et al. (2015): as `LSTMCell`, with convolutions instead of products.
struct ConvLSTMCell: RecurrentCell {
  let filters: Int
  let window: ConvolutionWindow
  let activation: Activation
  let recurrentActivation: Activation
  let usesBias: Bool
  let unitForgetBias: Bool
  let dropout: Double
  let recurrentDropout: Double
  let kernel: Parameter
  let recurrentKernel: Parameter
  let bias: Parameter

  private var rank: Int { window.size.count }
  var stateCount: Int { 2 }
  var outputState: Int? { 0 }

  func stateShapes(input: [Int]) -> [[Int]] {
    let graph = Graph()
    let x = graph.input("x", TensorType(.float32, [1] + input))
    guard let images = window.input(x) else { return [input, input] }
    let kernel = graph.input("kernel", TensorType(.float32, window.size + [images.dim(-1), filters]))
    let shape = Array(convolved(images, kernel).inFormat(window.dataFormat).shape.dropFirst())
    return [shape, shape]
  }

  func step(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor]) { firstRound(x, states) }

  func rounds(over sequence: Tensor) -> RecurrentRounds {
    let batch = [sequence.dim(0), sequence.dim(1)]
    let dropped = sequence.droppingInRounds(dropout)
    guard let images = window.input(dropped.reshaped([batch[0] * batch[1]] + sequence.shape.dropFirst(2))) else {
      return RecurrentRounds(elements: [sequence]) { _, states in (states[0], states) }
    }
    let product = convolved(images, kernel[shape: window.size + [images.dim(-1), 4 * filters]])
    let biased = usesBias ? product + bias[4 * filters] : product
    let projected = biased.reshaped(batch + biased.shape.dropFirst())
    let recurrent = recurrentKernel[shape: window.size + [filters, 4 * filters]]
    let kept = sequence.dropoutFactors(
      recurrentDropout, shape: [batch[1]] + biased.shape.dropFirst().dropLast() + [filters])
    let format = window.dataFormat
    return RecurrentRounds(elements: [projected]) { elements, states in
      let (h, c) = (states[0].channelsLast(format), states[1].channelsLast(format))
      let ones = [Int](repeating: 1, count: rank)
      let state = (kept.map { h * $0 } ?? h).convolved(
        with: recurrent, strides: ones, padding: .same, dilation: ones, groups: 1)
      let next = gates(elements[0], state, c)
      let ends = next.map { $0.inFormat(format) }
      return (ends[0], ends)
    }
  }

  /// The next state and memory.
  private func gates(_ x: Tensor, _ state: Tensor, _ memory: Tensor) -> [Tensor] {
    if activation == .tanh, recurrentActivation == .sigmoid {
      return Array(x.graph.add(LSTMGates(), [x, state, memory]).prefix(2))
    }
    func part(_ index: Int) -> Tensor { x.part(index, of: 4) + state.part(index, of: 4) }
    let next = recurrentActivation(part(1)) * memory + recurrentActivation(part(0)) * activation(part(2))
    return [recurrentActivation(part(3)) * activation(next), next]
  }

  private func convolved(_ images: Tensor, _ kernel: Tensor) -> Tensor {
    images.convolved(
      with: kernel, strides: window.strides, padding: window.padding, dilation: window.dilation, groups: 1)
  }
}

extension Tensor {
  fileprivate func channelsLast(_ format: DataFormat) -> Tensor {
    format == .channelsLast ? self : transposed([0] + Array(2..<rank) + [1])
  }
}

/// A convolutional LSTM over one, two or three spatial axes.
public protocol ConvLSTMLayer: RecurrentLayer, SpatialLayer {
  init(cell: any RecurrentCell, settings: RecurrentSettings, name: String?)
}

extension ConvLSTMLayer {
  /// Makes the layer: sequences `[N, T, spatial…, C]` to the last output `[N, spatial…, filters]`, or to all of them.
  /// - Parameters:
  ///   - filters: the number of output channels.
  ///   - kernelSize: the sizes of the kernels, one for each spatial axis; the state's kernel is as large.
  ///   - strides: the steps of the input's kernel; nil for 1.
  ///   - padding: how windows lie at the edges of the input.
  ///   - dilation: the distance between neighbours of the input's kernel; nil for 1.
  ///   - dataFormat: where the channels are.
  ///   - activation: the function of candidate and memory.
  ///   - recurrentActivation: the function of the gates.
  ///   - usesBias: whether a bias is added.
  ///   - kernelInitializer: of the input's kernel, `[window…, C, 4 · filters]`.
  ///   - recurrentInitializer: of the state's kernel, `[window…, filters, 4 · filters]`.
  ///   - biasInitializer: of the bias, `[4 · filters]`.
  ///   - unitForgetBias: whether the bias of the forget gate starts at one.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - settings: what is returned, and in which order the sequence is read.
  ///   - name: the layer's name.
  public init(
    _ filters: Int, kernelSize: [Int], strides: [Int]? = nil, padding: Padding = .valid, dilation: [Int]? = nil,
    dataFormat: DataFormat = .channelsLast, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid,
    usesBias: Bool = true, kernelInitializer: Initializer = .glorotUniform,
    recurrentInitializer: Initializer = .orthogonal(), biasInitializer: Initializer = .zeros,
    unitForgetBias: Bool = true, dropout: Double = 0, recurrentDropout: Double = 0,
    settings: RecurrentSettings = RecurrentSettings(), name: String? = nil
  ) {
    let ones = kernelSize.map { _ in 1 }
    self.init(
      cell: ConvLSTMCell(
        filters: filters,
        window: ConvolutionWindow(kernelSize, strides ?? ones, padding, dilation ?? ones, dataFormat),
        activation: activation, recurrentActivation: recurrentActivation, usesBias: usesBias,
        unitForgetBias: unitForgetBias, dropout: dropout, recurrentDropout: recurrentDropout,
        kernel: Parameter(kernelInitializer), recurrentKernel: Parameter(recurrentInitializer),
        bias: Parameter(
          unitForgetBias ? .parts([biasInitializer, .ones, biasInitializer, biasInitializer]) : biasInitializer)),
      settings: settings, name: name)
  }

  public init(config: ConfigReader) throws {
    let window = try ConvolutionWindow(config: config, rank: Self.spatialRank)
    self.init(
      try config.int("filters", in: .counts), kernelSize: window.size, strides: window.strides,
      padding: window.padding, dilation: window.dilation, dataFormat: window.dataFormat,
      activation: try config.activation("activation", default: .tanh),
      recurrentActivation: try config.activation("recurrent_activation", default: .sigmoid),
      usesBias: try config.bool("use_bias", default: true),
      kernelInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      recurrentInitializer: try config.initializer("recurrent_initializer", default: .orthogonal()),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      unitForgetBias: try config.bool("unit_forget_bias", default: true),
      dropout: try config.double("dropout", default: 0, in: .fraction),
      recurrentDropout: try config.double("recurrent_dropout", default: 0, in: .fraction),
      settings: try RecurrentSettings(config: config), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    guard let cell = cell as? ConvLSTMCell else {
      throw ConfigError("the cell '\(cell.typeName)' says nothing about its settings.")
    }
    // The first part of the bias has the initializer that was asked for.
    var biasInitializer = cell.bias.initializer
    if case .parts(let parts) = biasInitializer, cell.unitForgetBias, let first = parts.first {
      biasInitializer = first
    }
    return Config(
      name: name,
      [("filters", Config(.int(cell.filters)))] + cell.window.entries + [
        ("activation", try Catalog.activations.config(of: cell.activation)),
        ("recurrent_activation", try Catalog.activations.config(of: cell.recurrentActivation)),
        ("use_bias", Config(.bool(cell.usesBias))),
        ("kernel_initializer", try Catalog.initializers.config(of: cell.kernel.initializer)),
        ("recurrent_initializer", try Catalog.initializers.config(of: cell.recurrentKernel.initializer)),
        ("bias_initializer", try Catalog.initializers.config(of: biasInitializer)),
        ("unit_forget_bias", Config(.bool(cell.unitForgetBias))), ("dropout", Config(.double(cell.dropout))),
        ("recurrent_dropout", Config(.double(cell.recurrentDropout))),
      ]
    ).adding(settings.entries)
  }
}

/// Long short-term memory with convolutions over sequences of signals: `[N, T, L, C]` to `[N, …, filters]`.
public struct ConvLSTM1D: ConvLSTMLayer {
  public static var spatialRank: Int { 1 }
  public let cell: any RecurrentCell
  public let settings: RecurrentSettings
  public let keptStates: [Parameter]
  public let name: String?

  public init(cell: any RecurrentCell, settings: RecurrentSettings, name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String { "Long short-term memory with convolutions over sequences of signals." }
}

/// Long short-term memory with convolutions over sequences of images: `[N, T, H, W, C]` to `[N, …, filters]`.
public struct ConvLSTM2D: ConvLSTMLayer {
  public static var spatialRank: Int { 2 }
  public let cell: any RecurrentCell
  public let settings: RecurrentSettings
  public let keptStates: [Parameter]
  public let name: String?

  public init(cell: any RecurrentCell, settings: RecurrentSettings, name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String { "Long short-term memory with convolutions over sequences of images." }
}

/// Long short-term memory with convolutions over sequences of volumes: `[N, T, D, H, W, C]` to `[N, …, filters]`.
public struct ConvLSTM3D: ConvLSTMLayer {
  public static var spatialRank: Int { 3 }
  public let cell: any RecurrentCell
  public let settings: RecurrentSettings
  public let keptStates: [Parameter]
  public let name: String?

  public init(cell: any RecurrentCell, settings: RecurrentSettings, name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String { "Long short-term memory with convolutions over sequences of volumes." }
}
