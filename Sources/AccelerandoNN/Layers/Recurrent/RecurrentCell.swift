// What a recurrent layer does in one round. A cell is a layer too: of an input and its states, it gives an output and the
// new states.

import AccelerandoCore

/// One round of a recurrent layer.
///
/// A custom cell says the shapes of its states and the formula of a round, `step`. A cell that can do a part of its work
/// for whole sequences at once, like the product with the input, also provides `rounds(over:)`.
public protocol RecurrentCell: MultiOutputLayer {
  /// The number of states.
  var stateCount: Int { get }

  /// The state that is also the output; nil if none is.
  var outputState: Int? { get }

  /// The shapes of the states without the batch axis.
  /// - Parameter input: the shape of an element of the sequence without the batch axis: `[features]`.
  func stateShapes(input: [Int]) -> [[Int]]

  /// The shape of the output without the batch axis.
  func outputShape(input: [Int]) -> [Int]

  /// One round.
  /// - Parameters:
  ///   - x: the element of the sequence, `[N, features]`.
  ///   - states: the states before.
  func step(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor])

  /// What does not depend on states, computed for whole sequences, and the formula for the rest.
  /// - Parameter sequence: `[T, N, features]`.
  func rounds(over sequence: Tensor) -> RecurrentRounds
}

/// The rounds of a cell over a sequence.
public struct RecurrentRounds {
  /// Tensors whose first axis is time, of which each round gets its element.
  public let elements: [Tensor]
  /// From the elements of a round and the states before to the output and the states after.
  public let step: (_ elements: [Tensor], _ states: [Tensor]) -> (output: Tensor, states: [Tensor])

  /// Describes rounds.
  public init(
    elements: [Tensor], step: @escaping ([Tensor], [Tensor]) -> (output: Tensor, states: [Tensor])
  ) {
    self.elements = elements
    self.step = step
  }
}

extension RecurrentCell {
  public var outputState: Int? { nil }
  public var outputNames: [String] { ["output"] + (0..<stateCount).map { "state_\($0)" } }

  public func outputShape(input: [Int]) -> [Int] {
    let shapes = stateShapes(input: input)
    return shapes.indices.contains(outputState ?? 0) ? shapes[outputState ?? 0] : []
  }

  public func rounds(over sequence: Tensor) -> RecurrentRounds {
    RecurrentRounds(elements: [sequence]) { step($0[0], $1) }
  }

  /// One round by the formula for sequences.
  func firstRound(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor]) {
    let rounds = rounds(over: x.expandingDims(0))
    return rounds.step(rounds.elements.map { $0.reshaped(Array($0.shape.dropFirst())) }, states)
  }

  public func outputs(of inputs: [Tensor]) -> [Tensor] {
    guard let x = inputs.first else { return [] }
    guard x.rank >= 2 else { return failed(x, "needs an input [N, features]; received \(x.shape).") }
    if let problem = stateProblem(inputs.dropFirst(), batch: x.shape[0], input: Array(x.shape.dropFirst())) {
      return failed(x, problem)
    }
    let (output, states) = step(
      x, inputs.count > 1 ? Array(inputs.dropFirst()) : zeroStates(x, Array(x.shape.dropFirst())))
    return [output] + states
  }

  private func failed(_ x: Tensor, _ complaint: String) -> [Tensor] {
    [Tensor](repeating: x.rejected(complaint), count: 1 + stateCount)
  }

  /// States of zeros for a batch.
  func zeroStates(_ x: Tensor, _ input: [Int], batch: Int? = nil) -> [Tensor] {
    stateShapes(input: input).map { x.scalar(0).broadcast(to: [batch ?? x.shape[0]] + $0) }
  }

  /// What is wrong with states that were given; nil if nothing is.
  func stateProblem(_ states: some Collection<Tensor>, batch: Int, input: [Int]) -> String? {
    if states.isEmpty { return nil }
    let expected = stateShapes(input: input).map { [batch] + $0 }
    if states.map(\.shape) == expected { return nil }
    let words = expected.map { "\($0)" }.joined(separator: ", ")
    return
      "needs states of \(words) besides its input; received \(states.map { "\($0.shape)" }.joined(separator: ", "))."
  }
}

extension Tensor {
  /// While training, the sequence `[T, N, …]` with the same elements of a sample dropped in all rounds.
  func droppingInRounds(_ rate: Double) -> Tensor {
    guard let factors = dropoutFactors(rate, shape: Array(shape.dropFirst())) else { return self }
    return self * factors
  }

  /// Zeros and 1/(1 − rate), while training; nil if nothing is dropped.
  func dropoutFactors(_ rate: Double, shape: [Int]) -> Tensor? {
    guard rate > 0, let scope = Scope.current, scope.isTraining else { return nil }
    return scope.dropout(scalar(1).broadcast(to: shape), rate: rate)
  }
}
