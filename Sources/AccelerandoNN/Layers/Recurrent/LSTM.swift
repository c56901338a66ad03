// Long short-term memory: a state that gates write to, keep and read, so that gradients survive many rounds.

import AccelerandoCore

/// A round of `LSTM` by Hochreiter and Schmidhuber (1997): `[N, features]` and the states h and c, `[N, units]` each, to
/// the next h, which is the output, and c.
///
/// The gates i, f and o and the candidate g are parts of `x · kernel + h · recurrentKernel + bias` in the order i, f, g,
/// o; then c ← f·c + i·g and h ← o·activation(c).
public struct LSTMCell: KernelCell {
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> {
    ["kernel": "kernel", "recurrentKernel": "recurrent", "bias": "bias"]
  }
  /// Whether the bias of the forget gate starts at one.
  public let unitForgetBias: Bool
  let settings: RecurrentCellSettings
  let kernel: Parameter
  let recurrentKernel: Parameter
  let bias: Parameter

  /// Makes the cell.
  /// - Parameters:
  ///   - units: the size of the state.
  ///   - activation: the function of the result.
  ///   - recurrentActivation: the function of the gates.
  ///   - usesBias: whether a bias is added.
  ///   - kernelInitializer: of the kernel, `[features, 4 · units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, 4 · units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - unitForgetBias: whether the bias of the forget gate starts at one.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, unitForgetBias: Bool = true, dropout: Double = 0,
    recurrentDropout: Double = 0, name: String? = nil
  ) {
    self.init(
      RecurrentCellSettings(
        units: units, activation: activation, recurrentActivation: recurrentActivation, usesBias: usesBias,
        kernelInitializer: kernelInitializer, recurrentInitializer: recurrentInitializer,
        biasInitializer: biasInitializer, dropout: dropout, recurrentDropout: recurrentDropout),
      unitForgetBias: unitForgetBias, name: name)
  }

  private init(_ settings: RecurrentCellSettings, unitForgetBias: Bool, name: String?) {
    self.settings = settings
    self.unitForgetBias = unitForgetBias
    self.name = name
    kernel = Parameter(settings.kernelInitializer)
    recurrentKernel = Parameter(settings.recurrentInitializer)
    bias = Parameter(
      unitForgetBias
        ? .parts([settings.biasInitializer, .ones, settings.biasInitializer, settings.biasInitializer])
        : settings.biasInitializer)
  }

  public var stateCount: Int { 2 }
  public var outputState: Int? { 0 }
  public func stateShapes(input: [Int]) -> [[Int]] { [[settings.units], [settings.units]] }

  public func rounds(over sequence: Tensor) -> RecurrentRounds {
    let units = settings.units
    let projected = projected(sequence, gates: 4, bias: settings.usesBias ? bias[4 * units] : nil)
    let recurrent = recurrentKernel[units, 4 * units]
    let kept = recurrentDropout(sequence)
    let gate = settings.recurrentActivation ?? .sigmoid
    return RecurrentRounds(elements: [projected]) { elements, states in
      let product = (kept.map { states[0] * $0 } ?? states[0]).matmul(recurrent)
      if settings.activation == .tanh, gate == .sigmoid {
        let next = product.graph.add(LSTMGates(), [elements[0], product, states[1]])
        return (next[0], [next[0], next[1]])
      }
      func part(_ index: Int) -> Tensor { elements[0].part(index, of: 4) + product.part(index, of: 4) }
      let (input, forget, output) = (gate(part(0)), gate(part(1)), gate(part(3)))
      let memory = forget * states[1] + input * settings.activation(part(2))
      let state = output * settings.activation(memory)
      return (state, [state, memory])
    }
  }

  var extraEntries: [Config.Entry] { [Config.Entry("unit_forget_bias", Config(.bool(unitForgetBias)))] }

  public static var summary: String { "A round of LSTM: [N, features] and the states h and c to the next h and c." }

  public init(config: ConfigReader) throws {
    self.init(
      try RecurrentCellSettings(config: config, hasGates: true),
      unitForgetBias: try config.bool("unit_forget_bias", default: true), name: try config.optionalString("name"))
  }

  public func config() throws -> Config { try settings.config(name: name, adding: extraEntries) }
}

/// `LSTMCell` along sequences: `[N, T, features]` to the last output `[N, units]`, or to all of them, `[N, T, units]`.
public struct LSTM: RecurrentLayer {
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
  ///   - recurrentActivation: the function of the gates.
  ///   - usesBias: whether a bias is added.
  ///   - kernelInitializer: of the kernel, `[features, 4 · units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, 4 · units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - unitForgetBias: whether the bias of the forget gate starts at one.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - returnsSequences: whether the outputs of all rounds are returned.
  ///   - returnsState: whether the last h and c are further outputs.
  ///   - goesBackwards: whether sequences are read from the end.
  ///   - isStateful: whether a batch begins with the state that the batch before ended with.
  ///   - zerosMaskedOutput: whether the output is zero where the mask is false.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, unitForgetBias: Bool = true, dropout: Double = 0,
    recurrentDropout: Double = 0,
    returnsSequences: Bool = false, returnsState: Bool = false, goesBackwards: Bool = false, isStateful: Bool = false,
    zerosMaskedOutput: Bool = false, name: String? = nil
  ) {
    self.init(
      LSTMCell(
        units, activation: activation, recurrentActivation: recurrentActivation, usesBias: usesBias,
        kernelInitializer: kernelInitializer,
        recurrentInitializer: recurrentInitializer, biasInitializer: biasInitializer, unitForgetBias: unitForgetBias,
        dropout: dropout,
        recurrentDropout: recurrentDropout),
      RecurrentSettings(
        returnsSequences: returnsSequences, returnsState: returnsState, goesBackwards: goesBackwards,
        isStateful: isStateful, zerosMaskedOutput: zerosMaskedOutput), name)
  }

  private init(_ cell: LSTMCell, _ settings: RecurrentSettings, _ name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String {
    "Long short-term memory: [N, T, features] to [N, units], or [N, T, units]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      try LSTMCell(config: config), try RecurrentSettings(config: config), try config.optionalString("name"))
  }
}
