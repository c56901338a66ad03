// A choice between programs at run time: only the chosen one is computed.

/// Runs one of several programs on the same operands.
///
/// Operands: the index, a scalar `int32`, then the branches' inputs. An index out of range selects the last branch.
public struct Case: Operation {
  /// The programs, at least one, all with the same input and output types.
  public let branches: [Program]

  /// Makes the operation.
  public init(branches: [Program]) { self.branches = branches }

  public var name: String { "case" }
  public var regions: [Program] { branches }

  public func mappingRegions(
    _ transform: (Program) throws(GraphError) -> Program
  ) throws(GraphError) -> any Operation {
    var mapped: [Program] = []
    for branch in branches { mapped.append(try transform(branch)) }
    return Case(branches: mapped)
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard operands.first == TensorType(.int32, []), let first = branches.first else {
      throw GraphError("needs an index int32[] and at least one branch; received \(operands).")
    }
    let inputs = Array(operands.dropFirst())
    for (number, branch) in branches.enumerated() {
      guard branch.inputs.map(\.type) == inputs else {
        throw GraphError("branch \(number) takes \(branch.inputs.map(\.type)); received \(inputs).")
      }
      guard branch.outputTypes == first.outputTypes else {
        throw GraphError(
          "needs branches that give the same types; "
            + "branch 0 gives \(first.outputTypes), branch \(number) \(branch.outputTypes).")
      }
    }
    return first.outputTypes
  }

  public func resultCount(operandCount: Int) -> Int { branches.first?.outputs.count ?? 0 }

  /// A region of `case` takes no arguments in StableHLO: it reads the operands directly.
  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    call.regionsReadOperands = true
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let graph = context.operand.graph
    let operands = Array(context.operands.dropFirst())
    let moving = operands.indices.filter { operands[$0].dtype.isFloating }
    let arrived = context.results.indices.filter { context.results[$0].dtype.isFloating }
    let seeds = arrived.map { context.gradient($0) }
    guard !moving.isEmpty, !seeds.isEmpty else { return context.operands.map { _ in nil } }
    do {
      var steps: [Program] = []
      for branch in branches {
        let step = try Program.region(operands.map(\.type) + seeds.map(\.type)) { inputs in
          let before = Array(inputs.prefix(operands.count))
          let after = branch.inlined(on: before, in: inputs[0].graph)
          let gradients = AccelerandoCore.pullback(
            of: arrived.map { after[$0] }, seeds: Array(inputs.dropFirst(operands.count)),
            withRespectTo: moving.map { before[$0] })
          return zip(gradients, moving).map { $0 ?? before[$1].zerosLike() }
        }
        steps.append(step)
      }
      let gradients = graph.add(Case(branches: steps), [context.operand] + operands + seeds)
      return [nil] + operands.indices.map { index in moving.firstIndex(of: index).map { gradients[$0] } }
    } catch {
      graph.report(error)
      return context.operands.map { _ in nil }
    }
  }
}

/// Computes one of several functions of the same operands, selected by a scalar integer; an index out of range selects
/// the last. The functions may read tensors from outside, and return the same types.
public func switchCase(
  _ index: Tensor, on operands: [Tensor], branches: [([Tensor]) -> [Tensor]]
) -> [Tensor] {
  let graph = index.graph
  var results: [TensorType]?
  func noting(_ branch: @escaping ([Tensor]) -> [Tensor]) -> ([Tensor]) -> [Tensor] {
    return { inputs in
      let outputs = branch(inputs)
      if results == nil { results = outputs.map(\.type) }
      return outputs
    }
  }
  do {
    let (programs, captured) = try Program.regions(operands.map(\.type), in: graph, branches.map(noting))
    return graph.add(Case(branches: programs), [index.converted(to: .int32)] + operands + captured)
  } catch {
    graph.report(GraphError(error.message, path: graph.path + ["case"] + error.path))
    return graph.placeholders(results ?? operands.map(\.type))
  }
}

/// Computes one of two functions of the same operands, by a scalar `bool`; see `switchCase`.
public func conditional(
  _ predicate: Tensor, on operands: [Tensor], then: ([Tensor]) -> [Tensor], otherwise: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  withoutActuallyEscaping(then) { then in
    withoutActuallyEscaping(otherwise) { otherwise in
      switchCase((!predicate).converted(to: .int32), on: operands, branches: [then, otherwise])
    }
  }
}
