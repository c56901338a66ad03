// What an operation is. Each one is defined once, in one file under Operations/ or Composites/: its type rule, its
// gradient and its StableHLO text. Everything else (gradients, passes, backends) works from this definition.

/// One kind of computation on tensors, with its attributes. Values are immutable and compare by attributes.
public protocol Operation: Hashable, Sendable {
  /// The name in StableHLO (`dot_general`), or a name of our own for composites.
  var name: String { get }

  /// The type rule: the types of the results for operands of the given types.
  /// - Throws: `GraphError` saying what was expected and what was received.
  func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType]

  /// The number of results of the operation for this many operands. If a trace refuses the operation, as many
  /// placeholders are returned, so that tracing can continue.
  func resultCount(operandCount: Int) -> Int

  /// The gradient with respect to each operand, or nil where there is none (integers, predicates, indices).
  func pullback(_ context: PullbackContext) -> [Tensor?]

  /// The attributes in StableHLO's generic form, in order.
  var attributes: [StableHLOAttribute] { get }

  /// The programs that the operation contains: the branches of a `case`, the condition and body of a `while`.
  var regions: [Program] { get }

  /// The same operation with each region replaced by the result of `transform`: how passes reach into loops.
  func mappingRegions(_ transform: (Program) throws(GraphError) -> Program) throws(GraphError) -> any Operation

  /// Completes the operation's StableHLO form, which starts as name, operands, attributes and regions: a reduction
  /// adds its initial value and its reducer.
  func lower(_ call: inout StableHLOCall) throws(GraphError)
}

extension Operation {
  public var attributes: [StableHLOAttribute] { [] }
  public var regions: [Program] { [] }
  public func resultCount(operandCount: Int) -> Int { 1 }

  public func mappingRegions(
    _ transform: (Program) throws(GraphError) -> Program
  ) throws(GraphError) -> any Operation { self }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {}
}

/// An operation that is a formula over other operations. Type, gradient and lowering come from the formula;
/// a backend may recognize the composite and run it as one kernel, but does not have to.
public protocol Composite: Operation {
  /// The formula.
  func expand(_ operands: [Tensor]) -> [Tensor]

  /// Whether `pullback` is better than differentiating the formula.
  var hasOwnPullback: Bool { get }
}

extension Composite {
  public var hasOwnPullback: Bool { false }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    let graph = Graph()
    let results = expand(operands.map { graph.input("operand", $0) })
    if let error = graph.firstError { throw GraphError(error.message) }
    return results.map(\.type)
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    context.operands.map { _ in nil }
  }
}

/// What a gradient rule receives: the operands and results of one instruction, and the gradients of the results.
public struct PullbackContext {
  /// The operands of the instruction.
  public let operands: [Tensor]
  /// The results of the instruction.
  public let results: [Tensor]
  /// For each result, the gradient of the differentiated value with respect to it; nil where nothing depends on it.
  public let gradients: [Tensor?]

  /// The first operand.
  public var operand: Tensor { operands[0] }
  /// The first result.
  public var result: Tensor { results[0] }
  /// The gradient of the first result; zeros when nothing depends on it.
  public var gradient: Tensor { gradient(0) }
  /// The gradient of result `index`; zeros when nothing depends on it.
  public func gradient(_ index: Int) -> Tensor { gradients[index] ?? results[index].zerosLike() }
}

/// One attribute in StableHLO's generic form: `name = value`.
public struct StableHLOAttribute: Hashable, Sendable {
  /// The attribute's name.
  public let name: String
  /// The value in MLIR's syntax.
  public let value: String

  /// Makes an attribute from a value in MLIR's syntax.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }

  /// An attribute that is a list of integers: `array<i64: 1, 2>`.
  public init(_ name: String, _ values: [Int]) {
    self.init(name, values.isEmpty ? "array<i64>" : "array<i64: \(values.map(String.init).joined(separator: ", "))>")
  }

  /// An attribute that is one integer of 64 bits.
  public init(_ name: String, _ value: Int) { self.init(name, "\(value) : i64") }

  /// An attribute that is true or false.
  public init(_ name: String, _ value: Bool) { self.init(name, value ? "true" : "false") }
}
