// Reverse-mode differentiation: one walk from the value back to the sources, asking each operation for its gradient
// rule. The gradient is recorded in the same graph, so it can be differentiated again.

/// The gradients of a scalar with respect to tensors of the same trace.
/// - Parameters:
///   - value: a floating-point scalar.
///   - sources: the tensors to differentiate by; one that `value` does not depend on gets zeros.
/// - Returns: one tensor for each source, of the source's type.
public func gradients(of value: Tensor, withRespectTo sources: [Tensor]) -> [Tensor] {
  let graph = value.graph
  guard value.dtype.isFloating, value.rank == 0 else {
    graph.report(GraphError("only a floating-point scalar has a gradient; received \(value.type)."))
    return sources.map { $0.zerosLike() }
  }
  return pullback(of: [value], seeds: [value.onesLike()], withRespectTo: sources).enumerated().map { index, gradient in
    gradient ?? sources[index].zerosLike()
  }
}

/// A scalar function's value and its gradients: traces `function` on `arguments` and walks back.
public func valueAndGradient(
  at arguments: [Tensor], of function: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let value = try function(arguments)
  return (value, gradients(of: value, withRespectTo: arguments))
}

/// Propagates the gradients `seeds` of `values` back to `sources`; nil for a source that no gradient reaches.
public func pullback(of values: [Tensor], seeds: [Tensor], withRespectTo sources: [Tensor]) -> [Tensor?] {
  guard let graph = values.first?.graph else { return sources.map { _ in nil } }
  openComposites(graph, between: values, and: sources)
  let sourceIDs = sources.map { graph.resolve($0.id) }
  let order = graph.schedule(values.map(\.id))
  let active = activeValues(graph, order, sources: Set(sourceIDs))

  var gradients: [Int: Tensor] = [:]
  func accumulate(_ gradient: Tensor, into value: Int) {
    gradients[value] = gradients[value].map { $0 + gradient } ?? gradient
  }
  for (value, seed) in zip(values, seeds) { accumulate(seed, into: graph.resolve(value.id)) }
  for index in order.reversed() {
    let node = graph.nodes[index]
    let results = graph.results(of: index)
    let arrived = results.map { gradients[$0.id] }
    guard results.contains(where: { active.contains($0.id) }), arrived.contains(where: { $0 != nil }) else { continue }
    let operands = node.operands.map { Tensor(graph: graph, id: graph.resolve($0)) }
    let outer = graph.path
    graph.path = node.path
    let rules = node.operation.pullback(
      PullbackContext(operands: operands, results: results, gradients: arrived))
    graph.path = outer
    for (operand, gradient) in zip(operands, rules) where active.contains(operand.id) {
      if let gradient { accumulate(gradient, into: operand.id) }
    }
  }
  return sourceIDs.map { gradients[$0] }
}

/// The values that depend on a source and have floating-point elements.
private func activeValues(_ graph: Graph, _ order: [Int], sources: Set<Int>) -> Set<Int> {
  var active = sources
  for index in order {
    let node = graph.nodes[index]
    guard node.operands.contains(where: { active.contains(graph.resolve($0)) }) else { continue }
    for result in node.firstResult..<node.firstResult + node.resultCount where graph.types[result].dtype.isFloating {
      active.insert(result)
    }
  }
  return active
}

/// Replaces composites without a gradient rule by their formulas, where a gradient passes through them.
private func openComposites(_ graph: Graph, between values: [Tensor], and sources: [Tensor]) {
  while true {
    let order = graph.schedule(values.map(\.id))
    let active = activeValues(graph, order, sources: Set(sources.map { graph.resolve($0.id) }))
    let closed = order.filter { index in
      let node = graph.nodes[index]
      guard let composite = node.operation as? any Composite, !composite.hasOwnPullback else { return false }
      return (node.firstResult..<node.firstResult + node.resultCount).contains { active.contains($0) }
    }
    if closed.isEmpty { return }
    let outer = graph.path
    for index in closed {
      let node = graph.nodes[index]
      guard let composite = node.operation as? any Composite else { continue }
      graph.path = node.path
      let formula = composite.expand(node.operands.map { Tensor(graph: graph, id: graph.resolve($0)) })
      for (offset, result) in formula.enumerated() { graph.replace(node.firstResult + offset, by: result.id) }
    }
    graph.path = outer
  }
}
