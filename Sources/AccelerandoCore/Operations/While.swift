// Loops inside a program. Values that change between iterations are carried; values that the body only reads are
// carried too, unchanged, because a region sees nothing but its own inputs.

/// Runs `body` on the carried values as long as `condition` holds.
///
/// Operands and results: the carried values, before and after.
public struct While: Operation {
  /// From the carried values to one `bool` scalar: whether to continue.
  public let condition: Program
  /// From the carried values to the carried values.
  public let body: Program
  /// The number of iterations, if known. A loop with a known number has a gradient.
  public let tripCount: Int?

  /// Makes the operation.
  public init(condition: Program, body: Program, tripCount: Int? = nil) {
    self.condition = condition
    self.body = body
    self.tripCount = tripCount
  }

  public var name: String { "while" }
  public var regions: [Program] { [condition, body] }

  public func mappingRegions(
    _ transform: (Program) throws(GraphError) -> Program
  ) throws(GraphError) -> any Operation {
    While(condition: try transform(condition), body: try transform(body), tripCount: tripCount)
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard condition.inputs.map(\.type) == operands, condition.outputTypes == [TensorType(.bool, [])] else {
      throw GraphError(
        "needs a condition from the carried values \(operands) to one bool[]; "
          + "received one from \(condition.inputs.map(\.type)) to \(condition.outputTypes).")
    }
    guard body.inputs.map(\.type) == operands, body.outputTypes == operands else {
      throw GraphError(
        "needs a body that keeps the carried values' types \(operands); "
          + "received one from \(body.inputs.map(\.type)) to \(body.outputTypes).")
    }
    if let tripCount, tripCount < 0 { throw GraphError("cannot run \(tripCount) times.") }
    return operands
  }

  public func resultCount(operandCount: Int) -> Int { operandCount }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let graph = context.operand.graph
    guard let tripCount else {
      graph.report(
        GraphError("has a gradient only if the number of rounds is known; say tripCount, or use forLoop."))
      return context.operands.map { _ in nil }
    }
    if tripCount == 0 {
      return context.operands.indices.map { context.operands[$0].dtype.isFloating ? context.gradient($0) : nil }
    }
    do {
      return try LoopGradient(self, tripCount, context).gradients()
    } catch {
      graph.report(error)
      return context.operands.map { _ in nil }
    }
  }
}

/// The two loops that differentiate a loop: one forward that records, in each iteration, the carried values that the
/// backward pass needs, and one backward. The recording loop replaces the original, so nothing is computed twice.
private struct LoopGradient {
  let loop: While
  let tripCount: Int
  let context: PullbackContext
  /// The carried values that have gradients.
  let moving: [Int]

  init(_ loop: While, _ tripCount: Int, _ context: PullbackContext) {
    self.loop = loop
    self.tripCount = tripCount
    self.context = context
    moving = context.operands.indices.filter { context.operands[$0].dtype.isFloating }
  }

  private var carried: [TensorType] { loop.body.inputs.map(\.type) }

  func gradients() throws(GraphError) -> [Tensor?] {
    let graph = context.operand.graph
    let counter = context.operand.constant(NDArray(scalar: Int32(0)))
    let step = try stepBack()
    let needed = carried.indices.filter { step.uses(input: moving.count + $0) }
    let constant = needed.filter { loop.body.outputs[$0] == $0 }
    let recorded = needed.filter { loop.body.outputs[$0] != $0 }

    // Forward: counter, carried values, one stack for each value to record.
    let stacks = recorded.map { index in
      context.operand.constant(NDArray(repeating: 0, type: carried[index].with([])))
        .broadcast(to: [tripCount] + carried[index].shape)
    }
    let forward = graph.add(try recording(recorded, stacks.map(\.type)), [counter] + context.operands + stacks)
    for (original, replacement) in zip(context.results, forward.dropFirst()) {
      graph.replace(original.id, by: replacement.id)
    }

    // Backward: counter, gradients, then read-only values: stacks and constants.
    let seeds = moving.map { context.gradient($0) }
    let values = Array(forward.dropFirst(1 + carried.count)) + constant.map { context.operands[$0] }
    let backward = graph.add(
      try walkingBack(step, recorded: recorded, constant: constant, seeds.map(\.type) + values.map(\.type)),
      [counter] + seeds + values)
    return carried.indices.map { index in moving.firstIndex(of: index).map { backward[1 + $0] } }
  }

  /// One iteration backwards: from gradients after it and carried values before it to gradients before it.
  private func stepBack() throws(GraphError) -> Program {
    try .region(moving.map { carried[$0] } + carried) { inputs in
      let before = Array(inputs.dropFirst(moving.count))
      let after = loop.body.inlined(on: before, in: inputs[0].graph)
      let sources = moving.map { before[$0] }
      let gradients = AccelerandoCore.pullback(
        of: moving.map { after[$0] }, seeds: Array(inputs.prefix(moving.count)), withRespectTo: sources)
      return zip(gradients, sources).map { $0 ?? $1.zerosLike() }
    }
  }

  private func recording(_ recorded: [Int], _ stacks: [TensorType]) throws(GraphError) -> While {
    let types = [TensorType(.int32, [])] + carried + stacks
    let condition = try Program.region(types) { inputs in
      loop.condition.inlined(on: Array(inputs[1...carried.count]), in: inputs[0].graph)
    }
    let body = try Program.region(types) { inputs in
      let before = Array(inputs[1...carried.count])
      let after = loop.body.inlined(on: before, in: inputs[0].graph)
      let next = recorded.enumerated().map { place, index in
        inputs[1 + carried.count + place].updatingElement(inputs[0], with: before[index])
      }
      return [inputs[0] + 1] + after + next
    }
    return While(condition: condition, body: body, tripCount: tripCount)
  }

  private func walkingBack(
    _ step: Program, recorded: [Int], constant: [Int], _ values: [TensorType]
  ) throws(GraphError) -> While {
    let types = [TensorType(.int32, [])] + values
    let condition = try Program.region(types) { inputs in
      [inputs[0].less(than: inputs[0].scalar(Double(tripCount)))]
    }
    let body = try Program.region(types) { inputs in
      let gradients = Array(inputs[1..<1 + moving.count])
      let read = Array(inputs.dropFirst(1 + moving.count))
      let round = Double(tripCount - 1) - inputs[0]
      let before = carried.indices.map { index -> Tensor in
        if let place = recorded.firstIndex(of: index) { return read[place].dynamicElement(round) }
        if let place = constant.firstIndex(of: index) { return read[recorded.count + place] }
        // The step does not read it.
        return inputs[0].constant(NDArray(repeating: 0, type: carried[index].with([])))
          .broadcast(to: carried[index].shape)
      }
      return [inputs[0] + 1] + step.inlined(on: gradients + before, in: inputs[0].graph) + read
    }
    return While(condition: condition, body: body, tripCount: tripCount)
  }
}

extension Program {
  /// Whether an instruction or an output reads the input.
  public func uses(input: Int) -> Bool {
    outputs.contains(input) || instructions.contains { $0.operands.contains(input) }
  }

  /// Traces a region. Any error in it is an error of the trace.
  static func region(
    _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]
  ) throws(GraphError) -> Program {
    let graph = Graph()
    let inputs = types.enumerated().map { graph.input("carried\($0.offset)", $0.element) }
    return try Program(graph, outputs: body(inputs))
  }
}

/// Runs `body` on values as long as `condition` holds.
/// - Parameters:
///   - initial: the carried values, at least one. Pass what the functions need from outside too; they cannot capture
///     tensors.
///   - tripCount: the number of iterations, if known; needed for gradients.
///   - condition: from the carried values to one `bool` scalar.
///   - body: from the carried values to carried values of the same types.
/// - Returns: the carried values after the last iteration.
public func whileLoop(
  _ initial: [Tensor], tripCount: Int? = nil, condition: ([Tensor]) -> Tensor, body: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  guard let graph = initial.first?.graph else { return [] }
  do {
    let types = initial.map(\.type)
    let loop = While(
      condition: try .region(types) { [condition($0)] }, body: try .region(types, body), tripCount: tripCount)
    return graph.add(loop, initial)
  } catch {
    graph.report(GraphError(error.message, path: graph.path + ["while"] + error.path))
    return initial
  }
}

/// Runs `body` a fixed number of times; the loop has a gradient.
/// - Parameters:
///   - count: the number of iterations.
///   - initial: the carried values, at least one; see `whileLoop`.
///   - body: from the iteration's index, a scalar `int32` from 0, and the carried values, to new carried values.
/// - Returns: the carried values after the last iteration.
public func forLoop(
  _ count: Int, _ initial: [Tensor], _ body: (Tensor, [Tensor]) -> [Tensor]
) -> [Tensor] {
  guard let first = initial.first else { return [] }
  let counter = first.constant(NDArray(scalar: Int32(0)))
  let results = whileLoop([counter] + initial, tripCount: Swift.max(count, 0)) { carried in
    carried[0].less(than: carried[0].scalar(Double(count)))
  } body: { carried in
    [carried[0] + 1] + body(carried[0], Array(carried.dropFirst()))
  }
  return Array(results.dropFirst())
}
