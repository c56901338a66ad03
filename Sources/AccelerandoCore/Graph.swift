// Where tensor expressions are recorded while Swift code is traced. Nodes are in one array and refer to each other by
// index, so depth costs nothing. Errors are collected, not thrown: operators need no `try`, and the trace throws once.

/// Records operations while a function is traced. A graph must stay on the thread that traces.
public final class Graph {
  struct Node {
    var operation: any Operation
    var operands: [Int]
    var firstResult: Int
    var resultCount: Int
    var path: [String]
  }

  private(set) var nodes: [Node] = []
  /// The type of each value.
  private(set) var types: [TensorType] = []
  /// The node that computes each value; -1 for inputs.
  private(set) var producers: [Int] = []
  private(set) var inputs: [(name: String, value: Int)] = []
  /// The first error of the trace, with its path.
  public private(set) var firstError: GraphError?
  /// The layers that are being traced, outermost first; part of every error.
  public var path: [String] = []

  /// The trace around, whose tensors a region may read; they become inputs of the region.
  private let outer: Graph?
  /// The inputs that stand for tensors of the trace around, by the value there.
  private var captured: [Int: Int] = [:]

  /// Values that replace others: a composite that was expanded to be differentiated.
  private var replacements: [Int: Int] = [:]
  private var known: [NodeKey: Int]?

  /// Makes an empty graph.
  /// - Parameter sharesEqualNodes: whether the same operation on the same operands is recorded only once.
  public init(sharesEqualNodes: Bool = false) {
    known = sharesEqualNodes ? [:] : nil
    outer = nil
  }

  /// Makes an empty graph for a region of `outer`.
  init(inside outer: Graph) { self.outer = outer }

  /// Whether this is a region of `graph`, or of one of its regions.
  private func isInside(_ graph: Graph) -> Bool {
    var current = outer
    while let next = current {
      if next === graph { return true }
      current = next.outer
    }
    return false
  }

  /// The tensor in this graph: itself, or an input that stands for a tensor of the trace around; nil if the tensor
  /// belongs to neither.
  func captured(_ tensor: Tensor) -> Tensor? {
    if tensor.graph === self { return tensor }
    guard let source = outer?.captured(tensor) else { return nil }
    let id = source.graph.resolve(source.id)
    if let known = captured[id] { return Tensor(graph: self, id: known) }
    let input = input("captured\(captured.count)", source.type)
    captured[id] = input.id
    return input
  }

  /// The tensors of the trace around that the region reads.
  var capturedTensors: [Tensor] {
    guard let outer else { return [] }
    return captured.sorted { $0.value < $1.value }.map { Tensor(graph: outer, id: $0.key) }
  }

  /// Makes the inputs for captured tensors the last ones, one for each of `tensors` in order.
  func arrangeCaptured(_ tensors: [Tensor]) {
    let all = tensors.compactMap { captured($0)?.id }
    let own = inputs.filter { input in !all.contains(input.value) }
    inputs = own + all.enumerated().map { ("captured\($0.offset)", $0.element) }
  }

  /// Adds an input. A type that no tensor has is an error in the trace, and something smaller stands for it.
  public func input(_ name: String, _ type: TensorType) -> Tensor {
    let problem = type.problem
    if let problem { report(GraphError("'\(name)': \(problem)")) }
    let value = addValue(problem == nil ? type : type.with(type.shape.map { $0.signum() & 1 }), producer: -1)
    inputs.append((name, value))
    return Tensor(graph: self, id: value)
  }

  /// Records an operation and returns its results. If the operands do not fit, the error is kept and plausible results
  /// are returned, so that tracing can continue.
  public func add(_ operation: any Operation, _ operands: [Tensor]) -> [Tensor] {
    var ids: [Int] = []
    for operand in operands {
      // An operation on a tensor of a region belongs to the region.
      if operand.graph !== self, operand.graph.isInside(self) { return operand.graph.add(operation, operands) }
      guard let own = captured(operand) else {
        return fail(
          GraphError(
            "an operand of '\(operation.name)' belongs to another trace. "
              + "Pass it in as an input instead of capturing it."), operation, operands)
      }
      ids.append(resolve(own.id))
    }
    let key = known.map { _ in NodeKey(operation: operation, operands: ids) }
    if let key, let node = known?[key] { return results(of: node) }
    let resultTypes: [TensorType]
    do throws(GraphError) {
      resultTypes = try operation.infer(ids.map { types[$0] })
      for type in resultTypes { if let problem = type.problem { throw GraphError(problem) } }
    } catch {
      return fail(error, operation, operands)
    }
    let node = append(operation, ids, resultTypes)
    if let key { known?[key] = node }
    return results(of: node)
  }

  /// Records an operation after applying `transform` to its regions.
  func add(
    _ operation: any Operation, _ operands: [Tensor],
    mappingRegions transform: (Program) throws(GraphError) -> Program
  ) -> [Tensor] {
    if operation.regions.isEmpty { return add(operation, operands) }
    do {
      return add(try operation.mappingRegions(transform), operands)
    } catch {
      return fail(error, operation, operands)
    }
  }

  /// Records an operation with one result.
  public func add(_ operation: any Operation, _ operands: Tensor...) -> Tensor {
    add(operation, operands)[0]
  }

  /// Keeps the first error, with the current path.
  public func report(_ error: GraphError) {
    if firstError == nil { firstError = GraphError(error.message, path: error.path.isEmpty ? path : error.path) }
  }

  private func fail(_ error: GraphError, _ operation: any Operation, _ operands: [Tensor]) -> [Tensor] {
    report(GraphError(error.message, path: path + [operation.name]))
    let types = operands.map { $0.graph === self ? $0.type : TensorType(.float32, []) }
    let first = types.first ?? TensorType(.float32, [])
    return placeholders(
      (0..<operation.resultCount(operandCount: operands.count)).map { $0 < types.count ? types[$0] : first })
  }

  /// Values of the given types that stand where something was refused.
  func placeholders(_ types: [TensorType]) -> [Tensor] {
    results(of: append(Placeholder(types: types), [], types))
  }

  private func append(_ operation: any Operation, _ operands: [Int], _ resultTypes: [TensorType]) -> Int {
    let node = nodes.count
    let first = types.count
    for type in resultTypes { _ = addValue(type, producer: node) }
    nodes.append(
      Node(
        operation: operation, operands: operands, firstResult: first, resultCount: resultTypes.count, path: path))
    return node
  }

  private func addValue(_ type: TensorType, producer: Int) -> Int {
    types.append(type)
    producers.append(producer)
    return types.count - 1
  }

  func results(of node: Int) -> [Tensor] {
    let first = nodes[node].firstResult
    return (first..<first + nodes[node].resultCount).map { Tensor(graph: self, id: $0) }
  }

  func type(of value: Int) -> TensorType { types[value] }

  /// The value that replaces `value`, or `value` itself.
  func resolve(_ value: Int) -> Int {
    var current = value
    while let next = replacements[current] { current = next }
    return current
  }

  /// Replaces `value` by `replacement` wherever it is used.
  func replace(_ value: Int, by replacement: Int) {
    if value != replacement { replacements[value] = replacement }
  }

  /// The nodes that `roots` depend on, operands before users.
  /// - Parameter known: values that are given: what computes them is left out.
  func schedule(_ roots: [Int], known: Set<Int> = []) -> [Int] {
    var order: [Int] = []
    var state = [UInt8](repeating: 0, count: nodes.count)
    var stack: [Int] = []
    for root in roots.map(resolve) where producers[root] >= 0 && !known.contains(root) {
      stack.append(producers[root])
      while let node = stack.last {
        if state[node] == 2 {
          stack.removeLast()
        } else if state[node] == 1 {
          state[node] = 2
          order.append(node)
          stack.removeLast()
        } else {
          state[node] = 1
          for operand in nodes[node].operands.reversed() {
            let value = resolve(operand)
            let producer = producers[value]
            if producer >= 0, state[producer] == 0, known.isEmpty || !known.contains(value) { stack.append(producer) }
          }
        }
      }
    }
    return order
  }

  private struct NodeKey: Hashable {
    let operation: any Operation
    let operands: [Int]

    static func == (a: NodeKey, b: NodeKey) -> Bool {
      a.operands == b.operands && sameOperation(a.operation, b.operation)
    }

    func hash(into hasher: inout Hasher) {
      hasher.combine(operation.name)
      operation.hash(into: &hasher)
      hasher.combine(operands)
    }
  }
}

/// A placeholder for an invalid operation, so that tracing can continue; a program never contains one.
private struct Placeholder: Operation {
  let types: [TensorType]
  var name: String { "placeholder" }
  func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] { types }
  func resultCount(operandCount: Int) -> Int { types.count }
  func pullback(_ context: PullbackContext) -> [Tensor?] { [] }
}
