// What all recurrent layers share: a cell, applied along the time axis.

import AccelerandoCore

/// What a recurrent layer returns, and in which order it reads.
public struct RecurrentSettings: Hashable, Sendable {
  /// Whether the outputs of all rounds are returned, `[N, T, …]`, and not just the last, `[N, …]`.
  public var returnsSequences: Bool
  /// Whether the last states are returned after the output.
  public var returnsState: Bool
  /// Whether sequences are read from the end; outputs come in the order in which they are computed.
  public var goesBackwards: Bool
  /// Whether a batch begins with the states that the batch before ended with.
  public var isStateful: Bool
  /// Whether the output is zero where the mask is false, instead of that of the round before.
  public var zerosMaskedOutput: Bool

  /// Makes the settings, with Keras' defaults.
  public init(
    returnsSequences: Bool = false, returnsState: Bool = false, goesBackwards: Bool = false, isStateful: Bool = false,
    zerosMaskedOutput: Bool = false
  ) {
    self.returnsSequences = returnsSequences
    self.returnsState = returnsState
    self.goesBackwards = goesBackwards
    self.isStateful = isStateful
    self.zerosMaskedOutput = zerosMaskedOutput
  }

  init(config: ConfigReader) throws {
    // Loops cost no more than their rounds here, and unrolled ones have the same numbers.
    _ = try config.bool("unroll", default: false, about: "Accepted for Keras' files; changes nothing")
    self.init(
      returnsSequences: try config.bool("return_sequences", default: false),
      returnsState: try config.bool("return_state", default: false),
      goesBackwards: try config.bool("go_backwards", default: false),
      isStateful: try config.bool("stateful", default: false),
      zerosMaskedOutput: try config.bool("zero_output_for_mask", default: false))
  }

  var entries: [Config.Entry] {
    [
      ("return_sequences", returnsSequences), ("return_state", returnsState), ("go_backwards", goesBackwards),
      ("stateful", isStateful), ("zero_output_for_mask", zerosMaskedOutput),
    ].map { Config.Entry($0.0, Config(.bool($0.1))) }
  }
}

/// A layer that applies a cell to the elements of sequences `[N, T, features]`, one after the other.
///
/// Further inputs are initial states. A mask of the input stops the states where it is false.
public protocol RecurrentLayer: MultiOutputLayer, ConfigurableLayer, TrainableLayer {
  /// What happens in a round.
  var cell: any RecurrentCell { get }
  /// What is returned, and in which order the sequence is read.
  var settings: RecurrentSettings { get }
  /// The states after the batch before, if the layer keeps them.
  var keptStates: [Parameter] { get }
}

extension RecurrentLayer {
  public var outputNames: [String] {
    ["output"] + (settings.returnsState ? (0..<cell.stateCount).map { "state_\($0)" } : [])
  }

  public func outputs(of inputs: [Tensor]) -> [Tensor] {
    guard let x = inputs.first else { return [] }
    func rejected(_ complaint: String) -> [Tensor] {
      [Tensor](repeating: x.rejected(complaint), count: outputNames.count)
    }
    guard x.rank >= 3 else { return rejected("needs sequences [N, T, features]; received \(x.shape).") }
    let (batch, features) = (x.shape[0], Array(x.shape.dropFirst(2)))
    if let problem = cell.stateProblem(inputs.dropFirst(), batch: batch, input: features) { return rejected(problem) }
    let kept = zip(keptStates, cell.stateShapes(input: features)).map { $0[shape: [batch] + $1].converted(to: x.dtype) }
    let states = inputs.count > 1 ? Array(inputs.dropFirst()) : kept.isEmpty ? cell.zeroStates(x, features) : kept
    let (last, sequence, ends) = run(x, states, features)
    for (parameter, state) in zip(keptStates, ends) { parameter.update(state.converted(to: parameter.dtype)) }
    let output = sequence?.masked(by: x.mask) ?? last
    return [output] + (settings.returnsState ? ends : [])
  }

  /// The last output, the outputs of all rounds if they are returned, and the last states.
  private func run(
    _ x: Tensor, _ states: [Tensor], _ features: [Int]
  ) -> (last: Tensor, sequence: Tensor?, states: [Tensor]) {
    let swapped = [1, 0] + Array(2..<x.rank)
    let rounds = cell.rounds(over: x.transposed(swapped))
    let mask = x.mask?.transposed()
    // The output before, where a mask may repeat it or nobody else keeps it.
    let carriesOutput = mask != nil || cell.outputState == nil
    let before = carriesOutput ? [x.scalar(0).broadcast(to: [x.shape[0]] + cell.outputShape(input: features))] : []
    let result = scan(
      rounds.elements + (mask.map { [$0] } ?? []), initial: before + states, isReversed: settings.goesBackwards
    ) { carry, elements, _ in
      let old = Array(carry.dropFirst(before.count))
      var (output, new) = rounds.step(Array(elements.prefix(rounds.elements.count)), old)
      if mask != nil {
        let counts = elements[elements.count - 1]
        func chosen(_ a: Tensor, _ b: Tensor) -> Tensor {
          select(counts.broadcast(to: a.shape, axes: [0]), a, b)
        }
        output = chosen(output, settings.zerosMaskedOutput ? output.zerosLike() : carry[0])
        new = zip(new, old).map(chosen)
      }
      return ((carriesOutput ? [output] : []) + new, settings.returnsSequences ? [output] : [])
    }
    let ends = Array(result.carry.dropFirst(before.count))
    let last = carriesOutput ? result.carry[0] : ends[cell.outputState ?? 0]
    guard settings.returnsSequences else { return (last, nil, ends) }
    let ordered = settings.goesBackwards ? result.outputs[0].reversed(axes: [0]) : result.outputs[0]
    return (last, ordered.transposed([1, 0] + Array(2..<ordered.rank)), ends)
  }

  /// Parameters for the states of a layer that keeps them.
  static func states(_ cell: any RecurrentCell, _ settings: RecurrentSettings) -> [Parameter] {
    settings.isStateful ? (0..<cell.stateCount).map { _ in Parameter(.zeros, role: .state) } : []
  }

  /// The settings of the cell and of the layer, as those of one layer.
  public func config() throws -> Config {
    guard let cell = cell as? any ConfigurableLayer, case .object(let entries) = try cell.config().value else {
      throw ConfigError("the cell '\(cell.typeName)' says nothing about its settings.")
    }
    return Config(["name": name.map { Config(.string($0)) }]).adding(
      entries.filter { $0.key != "name" } + settings.entries)
  }
}
