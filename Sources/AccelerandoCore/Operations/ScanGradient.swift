// The gradient of a scan is a scan in the other direction. The forward scan, which replaces the original, also keeps what
// the way back needs; sums over the rounds that are products (the gradient of a weight matrix) become one product over
// all rounds after the loop, instead of one of each round that is added to a matrix.

/// Differentiates one scan.
struct ScanGradient {
  private let scan: Scan
  private let context: PullbackContext
  /// One round, forward and backward, on which everything below is decided.
  private let graph = Graph()
  private let index: Tensor
  /// The carried values, the elements and the constants at the beginning of the round.
  private let before: [Tensor]
  /// The floating-point results of the round that have gradients, and these.
  private let arrived: [(result: Int, seed: Tensor)]
  /// The gradient of each of `before`, in this round; nil where there is none.
  private let roundGradients: [Tensor?]
  private let after: [Tensor]

  init(_ scan: Scan, _ context: PullbackContext) throws(GraphError) {
    self.scan = scan
    self.context = context
    let graph = graph
    let types = scan.body.inputs.map(\.type)
    index = graph.input("index", types[0])
    before = types.dropFirst().enumerated().map { graph.input("before\($0.offset)", $0.element) }
    after = scan.body.inlined(on: [index] + before, in: graph)
    var arrived: [(result: Int, seed: Tensor)] = []
    for (number, result) in after.enumerated() where result.dtype.isFloating {
      if number >= scan.carryCount, context.gradients[number] == nil { continue }
      arrived.append((number, graph.input("seed\(number)", result.type)))
    }
    self.arrived = arrived
    let sources = before.indices.filter { types[1 + $0].dtype.isFloating }
    let (before, after) = (before, after)
    let found = AccelerandoCore.pullback(
      of: arrived.map { after[$0.result] }, seeds: arrived.map(\.seed), withRespectTo: sources.map { before[$0] })
    var all = [Tensor?](repeating: nil, count: before.count)
    for (source, gradient) in zip(sources, found) { all[source] = gradient }
    roundGradients = all
    if let error = graph.firstError { throw error }
  }

  private var carryCount: Int { scan.carryCount }
  private var constantStart: Int { scan.carryCount + scan.sequenceCount }
  private func resolved(_ tensor: Tensor) -> Int { graph.resolve(tensor.id) }

  /// The gradient of each operand; nil where there is none.
  func gradients() throws(GraphError) -> [Tensor?] {
    let outer = context.operand.graph
    // What is summed over the rounds, and how.
    var sums: [Int: [RoundSum]] = [:]
    let varies = varyingValues
    for constant in constantStart..<before.count {
      if let gradient = roundGradients[constant] { sums[constant] = split(gradient, varies) }
    }
    let moving = (0..<carryCount).filter { before[$0].dtype.isFloating }
    let elements = (carryCount..<constantStart).filter { roundGradients[$0] != nil }
    let added = sums.keys.sorted().flatMap { constant in sums[constant, default: []].compactMap(\.added) }
    let factors = sums.keys.sorted().flatMap { constant in sums[constant, default: []].flatMap(\.factors) }
    let carryEnds = moving.map { roundGradients[$0] ?? before[$0].zerosLike() }
    let elementEnds = elements.compactMap { roundGradients[$0] }

    // Forward, once more, keeping what the way back reads.
    let kept = keptValues(for: carryEnds + added + elementEnds + factors)
    let forwardBody = try Program(
      graph, inputs: ([index] + before).map { ("forward", resolved($0)) },
      outputs: after + kept.map { Tensor(graph: graph, id: $0) })
    let forward = outer.add(
      Scan(
        body: forwardBody, carryCount: carryCount, sequenceCount: scan.sequenceCount, length: scan.length,
        isReversed: scan.isReversed), context.operands)
    for (original, replacement) in zip(context.results, forward) { outer.replace(original.id, by: replacement.id) }
    let keptStacks = Array(forward.dropFirst(after.count))
    // Factors of sums that are there for all rounds already: elements, and what was kept.
    var stacks: [Int: Tensor] = [:]
    for (value, stack) in zip(kept, keptStacks) { stacks[value] = stack }
    for element in carryCount..<constantStart { stacks[resolved(before[element])] = context.operands[element] }
    let stacked = factors.filter { stacks[resolved($0)] == nil }

    // Backward. Values that both ways know are read, not computed again.
    let seedsOfCarry = moving.map { number in arrived.first { $0.result == number }?.seed ?? before[number] }
    let accumulators = added.map { graph.input("sum", $0.type) }
    let outputs = carryEnds + zip(accumulators, added).map { $0 + $1 } + elementEnds + stacked
    let seedsOfOutputs = arrived.filter { $0.result >= carryCount }
    let sequences = Array(before[carryCount..<constantStart])
    let constants = Array(before[constantStart...])
    let backwardInputs: [Int] =
      ([index] + seedsOfCarry + accumulators + seedsOfOutputs.map(\.seed)).map(resolved)
      + kept + (sequences + constants).map(resolved)
    let backwardBody = try Program(
      graph, inputs: backwardInputs.map { ("backward", $0) }, outputs: outputs)
    let initial =
      moving.map { context.gradient($0) }
      + added.map { context.operand.constant(NDArray(repeating: 0, type: $0.type.with([]))).broadcast(to: $0.shape) }
    let reads =
      seedsOfOutputs.map { context.gradient($0.result) } + keptStacks
      + Array(context.operands[carryCount..<constantStart])
    let backward = outer.add(
      Scan(
        body: backwardBody, carryCount: initial.count, sequenceCount: reads.count, length: scan.length,
        isReversed: !scan.isReversed), initial + reads + context.operands[constantStart...])

    // Results in the order of the operands.
    var result = [Tensor?](repeating: nil, count: before.count)
    for (place, carried) in moving.enumerated() { result[carried] = backward[place] }
    for (place, element) in elements.enumerated() { result[element] = backward[initial.count + place] }
    for (factor, stack) in zip(stacked, backward.dropFirst(initial.count + elements.count)) {
      stacks[resolved(factor)] = stack
    }
    var totals = backward[moving.count..<initial.count].makeIterator()
    for constant in sums.keys.sorted() {
      let terms = sums[constant, default: []].compactMap { sum -> Tensor? in
        sum.added == nil ? sum.total(sum.factors.compactMap { stacks[resolved($0)] }) : totals.next()
      }
      result[constant] = terms.dropFirst().reduce(terms.first) { total, term in total.map { $0 + term } }
    }
    return result
  }

  // MARK: What is kept

  /// The values of the way forward that are needed to compute `ends` and cost more to compute again than to keep.
  private func keptValues(for ends: [Tensor]) -> [Int] {
    let inputs = Set(([index] + before).map(resolved))
    let isForward = Set(
      graph.schedule(after.map(\.id)).flatMap { graph.results(of: $0).map(\.id) })
    let carried = Set(before.prefix(carryCount).map(resolved))
    var kept: Set<Int> = []
    var visited: Set<Int> = []
    var stack = ends.map(resolved)
    // Values that depend on constants alone are the same in every round; others are kept where the ways meet.
    let varies = varyingValues
    while let value = stack.popLast() {
      guard visited.insert(value).inserted else { continue }
      if carried.contains(value) { kept.insert(value) }
      if inputs.contains(value) || graph.producers[value] < 0 { continue }
      let node = graph.nodes[graph.producers[value]]
      if isForward.contains(value), varies.contains(value), !isFree(node.operation) {
        kept.insert(value)
      } else {
        stack += node.operands.map(graph.resolve)
      }
    }
    // A value that costs next to nothing to compute from others that are there is not kept.
    for value in kept.sorted(by: >) where graph.producers[value] >= 0 {
      let node = graph.nodes[graph.producers[value]]
      let others = kept.subtracting([value])
      if isCheap(node.operation), isThere(node.operands, others, varies, inputs.subtracting(carried)) { kept = others }
    }
    return kept.sorted()
  }

  private func isThere(_ operands: [Int], _ kept: Set<Int>, _ varies: Set<Int>, _ inputs: Set<Int>) -> Bool {
    operands.map(graph.resolve).allSatisfy { value in
      if kept.contains(value) || inputs.contains(value) || !varies.contains(value) { return true }
      guard graph.producers[value] >= 0 else { return false }
      let node = graph.nodes[graph.producers[value]]
      return isFree(node.operation) && isThere(node.operands, kept, varies, inputs)
    }
  }

  /// The values that depend on anything but constants.
  private var varyingValues: Set<Int> {
    let constants = Set(before[constantStart...].map(resolved))
    var varies: Set<Int> = []
    for value in graph.inputs.map(\.value) where !constants.contains(value) { varies.insert(value) }
    for node in graph.nodes where node.operands.contains(where: { varies.contains(graph.resolve($0)) }) {
      for result in node.firstResult..<node.firstResult + node.resultCount { varies.insert(result) }
    }
    return varies
  }

  private func isFree(_ operation: any Operation) -> Bool {
    switch operation {
    case is Constant, is Iota, is Reshape, is Transpose, is BroadcastInDim, is Slice, is Reverse: true
    default: false
    }
  }

  private func isCheap(_ operation: any Operation) -> Bool {
    switch operation {
    case let binary as Binary: [.add, .subtract, .multiply, .maximum, .minimum].contains(binary.function)
    case let unary as Unary: [.negate, .abs].contains(unary.function)
    case is Compare, is Select, is Convert: true
    default: false
    }
  }

  // MARK: Sums over the rounds

  /// A part of a constant's gradient: added up round by round, or computed at the end from the factors of all rounds.
  private struct RoundSum {
    /// What each round adds.
    var added: Tensor?
    /// What each round contributes to `total`.
    var factors: [Tensor] = []
    /// The sum, from the stacks of the factors.
    var total: ([Tensor]) -> Tensor? = { _ in nil }
  }

  /// - Parameter varies: the values that differ between rounds.
  private func split(_ gradient: Tensor, _ varies: Set<Int>) -> [RoundSum] {
    let id = resolved(gradient)
    guard graph.producers[id] >= 0 else { return [RoundSum(added: gradient)] }
    let node = graph.nodes[graph.producers[id]]
    let operands = node.operands.map { Tensor(graph: graph, id: graph.resolve($0)) }
    switch node.operation {
    case let operation as Binary where operation.function == .add:
      return operands.flatMap { split($0, varies) }
    case let operation as Transpose:
      return split(operands[0], varies).map { changed($0) { $0.transposed(operation.permutation) } }
    case let operation as Reshape:
      return split(operands[0], varies).map { changed($0) { $0.reshaped(operation.shape) } }
    case let operation as DotGeneral where operands.allSatisfy({ varies.contains($0.id) }):
      return [RoundSum(factors: operands) { $0.count == 2 ? operation.summedOverRounds($0[0], $0[1]) : nil }]
    case let operation as Reduce where operation.function == .sum && varies.contains(operands[0].id):
      return [RoundSum(factors: operands) { $0.first?.sum(axes: [0] + operation.axes.map { $0 + 1 }) }]
    default:
      return [RoundSum(added: gradient)]
    }
  }

  private func changed(_ sum: RoundSum, by change: @escaping (Tensor) -> Tensor) -> RoundSum {
    if let added = sum.added { return RoundSum(added: change(added)) }
    return RoundSum(factors: sum.factors) { sum.total($0).map(change) }
  }
}

extension DotGeneral {
  /// The sum of the products of each round, from the stacks of their factors.
  fileprivate func summedOverRounds(_ left: Tensor, _ right: Tensor) -> Tensor {
    func merged(_ stack: Tensor) -> Tensor { stack.reshaped([stack.dim(0) * stack.dim(1)] + stack.shape.dropFirst(2)) }
    // Samples of all rounds are a longer batch.
    if zip(leftContracting, rightContracting).contains(where: { $0 == 0 && $1 == 0 }) {
      return left.graph.add(self, merged(left), merged(right))
    }
    let product = DotGeneral(
      leftBatching: leftBatching.map { $0 + 1 }, rightBatching: rightBatching.map { $0 + 1 },
      leftContracting: [0] + leftContracting.map { $0 + 1 }, rightContracting: [0] + rightContracting.map { $0 + 1 })
    return left.graph.add(product, left, right)
  }
}
