// The gated recurrent unit: one state, which a gate mixes with a candidate.

import AccelerandoCore

/// A round of `GRU` by Cho et al. (2014): `[N, features]` and a state `[N, units]` to `[N, units]`, which is the next state
/// too.
///
/// The gates z and r and the candidate are parts of the products in the order z, r, candidate; then h ← z·h + (1 − z)·
/// candidate. The reset gate r applies to the product of the state (`resetAfter`), or to the state before the product.
public struct GRUCell: KernelCell {
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> {
    ["kernel": "kernel", "recurrentKernel": "recurrent", "bias": "bias"]
  }
  /// Whether the reset gate applies to the product of the state, instead of to the state before it.
  public let resetAfter: Bool
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
  ///   - kernelInitializer: of the kernel, `[features, 3 · units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, 3 · units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - resetAfter: whether the reset gate applies to the product of the state, instead of to the state before it.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, resetAfter: Bool = true, dropout: Double = 0, recurrentDropout: Double = 0,
    name: String? = nil
  ) {
    self.init(
      RecurrentCellSettings(
        units: units, activation: activation, recurrentActivation: recurrentActivation, usesBias: usesBias,
        kernelInitializer: kernelInitializer, recurrentInitializer: recurrentInitializer,
        biasInitializer: biasInitializer, dropout: dropout, recurrentDropout: recurrentDropout), resetAfter: resetAfter,
      name: name)
  }

  private init(_ settings: RecurrentCellSettings, resetAfter: Bool, name: String?) {
    self.settings = settings
    self.resetAfter = resetAfter
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
    // With the reset gate after the product, the product has a bias of its own.
    var (inputBias, recurrentBias): (Tensor?, Tensor?) = (nil, nil)
    if settings.usesBias, resetAfter {
      let both = bias[2, 3 * units]
      func row(_ index: Int) -> Tensor {
        both.sliced(starts: [index, 0], limits: [index + 1, 3 * units]).reshaped([3 * units])
      }
      (inputBias, recurrentBias) = (row(0), row(1))
    } else if settings.usesBias {
      inputBias = bias[3 * units]
    }
    let projected = projected(sequence, gates: 3, bias: inputBias)
    let recurrent = recurrentKernel[units, 3 * units]
    let kept = recurrentDropout(sequence)
    let gate = settings.recurrentActivation ?? .sigmoid
    let gateKernel = recurrent.sliced(starts: [0, 0], limits: [units, 2 * units])
    let candidateKernel = recurrent.part(2, of: 3)
    return RecurrentRounds(elements: [projected]) { elements, states in
      let (x, before) = (elements[0], states[0])
      let state = kept.map { before * $0 } ?? before
      let (update, candidate): (Tensor, Tensor)
      if resetAfter {
        let product = state.matmul(recurrent)
        let inner = recurrentBias.map { product + $0 } ?? product
        if settings.activation == .tanh, gate == .sigmoid {
          let next = inner.graph.add(GRUGates(), [x, inner, before])[0]
          return (next, [next])
        }
        let reset = gate(x.part(1, of: 3) + inner.part(1, of: 3))
        update = gate(x.part(0, of: 3) + inner.part(0, of: 3))
        candidate = settings.activation(x.part(2, of: 3) + reset * inner.part(2, of: 3))
      } else {
        let product = state.matmul(gateKernel)
        let reset = gate(x.part(1, of: 3) + product.part(1, of: 2))
        update = gate(x.part(0, of: 3) + product.part(0, of: 2))
        candidate = settings.activation(x.part(2, of: 3) + (reset * state).matmul(candidateKernel))
      }
      let output = update * before + (1 - update) * candidate
      return (output, [output])
    }
  }

  var extraEntries: [Config.Entry] { [Config.Entry("reset_after", Config(.bool(resetAfter)))] }

  public static var summary: String { "A round of GRU: [N, features] and a state to [N, units]." }

  public init(config: ConfigReader) throws {
    self.init(
      try RecurrentCellSettings(config: config, hasGates: true),
      resetAfter: try config.bool("reset_after", default: true), name: try config.optionalString("name"))
  }

  public func config() throws -> Config { try settings.config(name: name, adding: extraEntries) }
}

/// `GRUCell` along sequences: `[N, T, features]` to the last output `[N, units]`, or to all of them, `[N, T, units]`.
public struct GRU: RecurrentLayer {
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
  ///   - kernelInitializer: of the kernel, `[features, 3 · units]`.
  ///   - recurrentInitializer: of the recurrent kernel, `[units, 3 · units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - resetAfter: whether the reset gate applies to the product of the state, instead of to the state before it.
  ///   - dropout: the probability of dropping an input while training, the same ones in all rounds.
  ///   - recurrentDropout: the probability of dropping an element of the state while training.
  ///   - returnsSequences: whether the outputs of all rounds are returned.
  ///   - returnsState: whether the last state is a second output.
  ///   - goesBackwards: whether sequences are read from the end.
  ///   - isStateful: whether a batch begins with the state that the batch before ended with.
  ///   - zerosMaskedOutput: whether the output is zero where the mask is false.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid, usesBias: Bool = true,
    kernelInitializer: Initializer = .glorotUniform, recurrentInitializer: Initializer = .orthogonal(),
    biasInitializer: Initializer = .zeros, resetAfter: Bool = true, dropout: Double = 0, recurrentDropout: Double = 0,
    returnsSequences: Bool = false, returnsState: Bool = false, goesBackwards: Bool = false, isStateful: Bool = false,
    zerosMaskedOutput: Bool = false, name: String? = nil
  ) {
    self.init(
      GRUCell(
        units, activation: activation, recurrentActivation: recurrentActivation, usesBias: usesBias,
        kernelInitializer: kernelInitializer,
        recurrentInitializer: recurrentInitializer, biasInitializer: biasInitializer, resetAfter: resetAfter,
        dropout: dropout,
        recurrentDropout: recurrentDropout),
      RecurrentSettings(
        returnsSequences: returnsSequences, returnsState: returnsState, goesBackwards: goesBackwards,
        isStateful: isStateful, zerosMaskedOutput: zerosMaskedOutput), name)
  }

  private init(_ cell: GRUCell, _ settings: RecurrentSettings, _ name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String {
    "The gated recurrent unit: [N, T, features] to [N, units], or [N, T, units]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      try GRUCell(config: config), try RecurrentSettings(config: config), try config.optionalString("name"))
  }
}
