// Loops over sequences: a recurrent layer over time, a sum that runs. The number of rounds is known, so that a scan has a
// gradient, and each round touches its own elements only, so that the cost grows with the length and not its square.

/// Runs `body` once for each element along the first axis of some sequences, carrying values from round to round.
///
/// Operands: the initial carried values, the sequences (each with `length` elements along its first axis), then
/// constants, which every round reads. Results: the carried values after the last round, then for each other output of
/// the body its values in all rounds, along a new first axis.
public struct Scan: Composite {
  /// From the index of the round's elements (`int32[]`), the carried values, one element of each sequence and the
  /// constants to the new carried values and further outputs.
  public let body: Program
  /// The number of carried values.
  public let carryCount: Int
  /// The number of sequences.
  public let sequenceCount: Int
  /// The number of rounds.
  public let length: Int
  /// Whether the rounds go from the last element to the first.
  public let isReversed: Bool

  /// Makes the operation.
  public init(body: Program, carryCount: Int, sequenceCount: Int, length: Int, isReversed: Bool = false) {
    self.body = body
    self.carryCount = carryCount
    self.sequenceCount = sequenceCount
    self.length = length
    self.isReversed = isReversed
  }

  public var name: String { "scan" }
  public var regions: [Program] { [body] }
  public var hasOwnPullback: Bool { true }
  public func resultCount(operandCount: Int) -> Int { body.outputs.count }

  public func mappingRegions(
    _ transform: (Program) throws(GraphError) -> Program
  ) throws(GraphError) -> any Operation {
    Scan(
      body: try transform(body), carryCount: carryCount, sequenceCount: sequenceCount, length: length,
      isReversed: isReversed)
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard length >= 0 else { throw GraphError("cannot run \(length) times.") }
    guard carryCount >= 0, sequenceCount >= 0, operands.count >= carryCount + sequenceCount else {
      throw GraphError(
        "takes \(carryCount) carried values and \(sequenceCount) sequences; received \(operands.count) operands.")
    }
    let carry = Array(operands.prefix(carryCount))
    let sequences = operands.dropFirst(carryCount).prefix(sequenceCount)
    for (number, sequence) in sequences.enumerated() {
      guard sequence.shape.first == length else {
        throw GraphError("needs sequences of length \(length); sequence \(number) is \(sequence).")
      }
    }
    let expected =
      [TensorType(.int32, [])] + carry + sequences.map { $0.with(Array($0.shape.dropFirst())) }
      + operands.dropFirst(carryCount + sequenceCount)
    guard body.inputs.map(\.type) == expected else {
      throw GraphError("needs a body of \(expected); received one of \(body.inputs.map(\.type)).")
    }
    guard Array(body.outputTypes.prefix(carryCount)) == carry else {
      throw GraphError(
        "needs a body that keeps the carried values' types \(carry); it gives "
          + "\(Array(body.outputTypes.prefix(carryCount))).")
    }
    return carry + body.outputTypes.dropFirst(carryCount).map { $0.with([length] + $0.shape) }
  }

  /// The same as a `While` that reads the sequences and writes the outputs element by element.
  public func expand(_ operands: [Tensor]) -> [Tensor] {
    guard let first = operands.first else { return [] }
    let (graph, count) = (first.graph, carryCount)
    let stacks = body.outputTypes.dropFirst(count).map { type in
      graph.add(Constant(NDArray(repeating: 0, type: type.with([])))).broadcast(to: [length] + type.shape)
    }
    if length == 0 { return operands.prefix(count) + stacks }
    let counter = first.constant(NDArray(scalar: Int32(0)))
    let initial = [counter] + operands.prefix(count) + stacks + operands.dropFirst(count)
    let types = initial.map(\.type)
    do {
      let condition = try Program.region(types) { [$0[0].less(than: $0[0].scalar(Double(length)))] }
      let round = try Program.region(types) { inputs in
        let index = isReversed ? Double(length - 1) - inputs[0] : inputs[0]
        let carry = inputs[1..<1 + count]
        let stacked = inputs[(1 + count)...].prefix(stacks.count)
        let read = Array(inputs.dropFirst(1 + count + stacks.count))
        let elements = read.prefix(sequenceCount).map { $0.dynamicElement(index) }
        let results = body.inlined(
          on: [index] + carry + elements + read.dropFirst(sequenceCount), in: index.graph)
        let filled = zip(stacked, results.dropFirst(count)).map { $0.updatingElement(index, with: $1) }
        return [inputs[0] + 1] + results.prefix(count) + filled + read
      }
      let results = graph.add(While(condition: condition, body: round), initial)
      return Array(results.dropFirst().prefix(count + stacks.count))
    } catch {
      graph.report(error)
      return operands.prefix(count) + stacks
    }
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    do {
      return try ScanGradient(self, context).gradients()
    } catch {
      context.operand.graph.report(error)
      return context.operands.map { _ in nil }
    }
  }
}

/// Runs `body` once for each element along the first axis of the sequences, carrying values from round to round.
/// - Parameters:
///   - sequences: tensors of the same length along their first axis.
///   - initial: the carried values before the first round.
///   - length: the number of rounds; nil for the length of the sequences.
///   - isReversed: whether the rounds go from the last element to the first. Outputs stay at the place of their element.
///   - body: from the carried values, one element of each sequence and its index (a scalar `int32`) to the new carried
///     values, of the same types, and further outputs. It may read tensors from outside: they are constants of the loop.
/// - Returns: the carried values after the last round, and each output's values along a new first axis.
public func scan(
  _ sequences: [Tensor], initial: [Tensor], length: Int? = nil, isReversed: Bool = false,
  _ body: (_ carry: [Tensor], _ elements: [Tensor], _ index: Tensor) -> (carry: [Tensor], outputs: [Tensor])
) -> (carry: [Tensor], outputs: [Tensor]) {
  guard let graph = (initial.first ?? sequences.first)?.graph else { return ([], []) }
  let rounds = Swift.max(length ?? sequences.first?.shape.first ?? 0, 0)
  for (number, sequence) in sequences.enumerated() where sequence.shape.first != rounds {
    graph.report(
      GraphError(
        "needs sequences of one length, \(rounds) along the first axis; sequence \(number) is \(sequence.type)."))
  }
  let elements = sequences.map { $0.type.with(Array($0.shape.dropFirst())) }
  let types = [TensorType(.int32, [])] + initial.map(\.type) + elements
  var outputs: [TensorType] = []
  func round(_ inputs: [Tensor]) -> [Tensor] {
    let results = body(
      Array(inputs[1...].prefix(initial.count)), Array(inputs.dropFirst(1 + initial.count)), inputs[0])
    if results.carry.count != initial.count {
      inputs[0].graph.report(
        GraphError("carries \(initial.count) values; the body returned \(results.carry.count)."))
    }
    outputs = results.outputs.map { $0.type.with([rounds] + $0.shape) }
    return results.carry + results.outputs
  }
  do {
    let (programs, captured) = try withoutActuallyEscaping(round) { round throws(GraphError) in
      try Program.regions(types, in: graph, [round])
    }
    let operation = Scan(
      body: programs[0], carryCount: initial.count, sequenceCount: sequences.count, length: rounds,
      isReversed: isReversed)
    let results = graph.add(operation, initial + sequences + captured)
    return (Array(results.prefix(initial.count)), Array(results.dropFirst(initial.count)))
  } catch {
    graph.report(GraphError(error.message, path: graph.path + ["scan"] + error.path))
    return (initial, graph.placeholders(outputs))
  }
}

/// Runs `body` a fixed number of times; the loop has a gradient. The body may read tensors from outside.
/// - Parameters:
///   - count: the number of rounds; none if it is negative.
///   - initial: the carried values, at least one.
///   - body: from the round's index, a scalar `int32` from 0, and the carried values, to new carried values.
/// - Returns: the carried values after the last round.
public func forLoop(
  _ count: Int, _ initial: [Tensor], _ body: (Tensor, [Tensor]) -> [Tensor]
) -> [Tensor] {
  scan([], initial: initial, length: Swift.max(count, 0)) { carry, _, index in (body(index, carry), []) }.carry
}
