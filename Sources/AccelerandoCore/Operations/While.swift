// Loops whose number of rounds is computed. Values that change between rounds are carried; values that the body only
// reads are carried too, unchanged, because a region sees nothing but its own inputs.

/// Runs `body` on the carried values as long as `condition` holds.
///
/// Operands and results: the carried values, before and after.
public struct While: Operation {
  /// From the carried values to one `bool` scalar: whether to continue.
  public let condition: Program
  /// From the carried values to the carried values.
  public let body: Program
  /// Makes the operation.
  public init(condition: Program, body: Program) {
    self.condition = condition
    self.body = body
  }

  public var name: String { "while" }
  public var regions: [Program] { [condition, body] }

  public func mappingRegions(
    _ transform: (Program) throws(GraphError) -> Program
  ) throws(GraphError) -> any Operation {
    While(condition: try transform(condition), body: try transform(body))
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
    return operands
  }

  public func resultCount(operandCount: Int) -> Int { operandCount }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    context.operand.graph.report(
      GraphError("has no gradient, since the number of rounds is not known; use scan or forLoop."))
    return context.operands.map { _ in nil }
  }
}

/// Runs `body` on values as long as `condition` holds. Both may read tensors from outside.
/// - Parameters:
///   - initial: the carried values, at least one.
///   - condition: from the carried values to one `bool` scalar.
///   - body: from the carried values to carried values of the same types.
/// - Returns: the carried values after the last iteration.
public func whileLoop(
  _ initial: [Tensor], condition: ([Tensor]) -> Tensor, body: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  guard let graph = initial.first?.graph else { return [] }
  do {
    let types = initial.map(\.type)
    let (programs, captured) = try withoutActuallyEscaping(condition) { condition throws(GraphError) in
      try withoutActuallyEscaping(body) { body throws(GraphError) in
        try Program.regions(types, in: graph, [{ [condition($0)] }, body])
      }
    }
    let passing = try Program.region(types + captured.map(\.type)) { inputs in
      programs[1].inlined(on: inputs, in: inputs[0].graph) + inputs.dropFirst(types.count)
    }
    let results = graph.add(While(condition: programs[0], body: passing), initial + captured)
    return Array(results.prefix(initial.count))
  } catch {
    graph.report(GraphError(error.message, path: graph.path + ["while"] + error.path))
    return initial
  }
}
