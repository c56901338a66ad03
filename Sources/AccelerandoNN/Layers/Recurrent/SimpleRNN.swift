// The simplest recurrent layer: the output is the next state.

import AccelerandoCore

/// A round of `SimpleRNN`: `[N, features]` and a state `[N, units]` to `[N, units]`, which is the next state too:
/// `activation(x · kernel + bias + state · recurrentKernel)`.
public struct SimpleRNNCell: KernelCell {
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> {
    ["kernel": "kernel", "recurrentKernel": "recurrent", "bias": "bias"]
  }
  let settings: RecurrentCellSettings
  let kernel: Parameter
  let recurrentKernel: Parameter
  let bias: Parameter

  /// Makes the cell.
  /// - Parameters:
  ///   - units: the size of the state.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - kernelInitializer: of the kernel, `[features, units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, dropout: Double = 0, recurrentDropout: Double = 0, name: String? = nil
  ) {
    self.init(
      RecurrentCellSettings(
        units: units, activation: activation, recurrentActivation: nil, usesBias: usesBias,
        kernelInitializer: kernelInitializer, recurrentInitializer: recurrentInitializer,
        biasInitializer: biasInitializer, dropout: dropout, recurrentDropout: recurrentDropout), name: name)
  }

  private init(_ settings: RecurrentCellSettings, name: String?) {
    self.settings = settings
    self.name = name
    kernel = Parameter(settings.kernelInitializer)
    recurrentKernel = Parameter(settings.recurrentInitializer)
    bias = Parameter(settings.biasInitializer)
  }

  public var stateCount: Int { 1 }
  public var outputState: Int? { 0 }
  public func stateShapes(input: [Int]) -> [[Int]] { [[settings.units]] }

  public func rounds(over sequence: Tensor) -> RecurrentRounds {
    let units = settings.units
    let projected = projected(sequence, gates: 1, bias: settings.usesBias ? bias[units] : nil)
    let recurrent = recurrentKernel[units, units]
    let kept = recurrentDropout(sequence)
    return RecurrentRounds(elements: [projected]) { elements, states in
      let state = kept.map { states[0] * $0 } ?? states[0]
      let output = settings.activation(elements[0] + state.matmul(recurrent))
      return (output, [output])
    }
  }

  public static var summary: String { "A round of SimpleRNN: [N, features] and a state to [N, units]." }

  public init(config: ConfigReader) throws {
    self.init(
      try RecurrentCellSettings(config: config, hasGates: false), name: try config.optionalString("name"))
  }

  public func config() throws -> Config { try settings.config(name: name) }
}

/// `SimpleRNNCell` along sequences: `[N, T, features]` to the last output `[N, units]`, or to all of them,
/// `[N, T, units]`.
public struct SimpleRNN: RecurrentLayer {
  public let cell: any RecurrentCell
  public let settings: RecurrentSettings
  public let keptStates: [Parameter]
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> {
    ["kernel": "kernel", "recurrentKernel": "recurrent", "bias": "bias"]
  }

  /// Makes the layer. Further inputs of the layer are initial states.
  /// - Parameters:
  ///   - units: the size of the state.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - kernelInitializer: of the kernel, `[features, units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - returnsSequences: whether the outputs of all rounds are returned.
  ///   - returnsState: whether the last state is a second output.
  ///   - goesBackwards: whether sequences are read from the end.
  ///   - isStateful: whether a batch begins with the state that the batch before ended with.
  ///   - zerosMaskedOutput: whether the output is zero where the mask is false.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, dropout: Double = 0, recurrentDropout: Double = 0,
    returnsSequences: Bool = false, returnsState: Bool = false, goesBackwards: Bool = false, isStateful: Bool = false,
    zerosMaskedOutput: Bool = false, name: String? = nil
  ) {
    self.init(
      SimpleRNNCell(
        units, activation: activation, usesBias: usesBias, kernelInitializer: kernelInitializer,
        recurrentInitializer: recurrentInitializer, biasInitializer: biasInitializer, dropout: dropout,
        recurrentDropout: recurrentDropout),
      RecurrentSettings(
        returnsSequences: returnsSequences, returnsState: returnsState, goesBackwards: goesBackwards,
        isStateful: isStateful, zerosMaskedOutput: zerosMaskedOutput), name)
  }

  private init(_ cell: SimpleRNNCell, _ settings: RecurrentSettings, _ name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String {
    "A recurrent layer whose output is its state: [N, T, features] to [N, units], or [N, T, units]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      try SimpleRNNCell(config: config), try RecurrentSettings(config: config), try config.optionalString("name"))
  }
}
