// One operation on its way to StableHLO text. Most operations are written as they are; those whose StableHLO form needs
// more than we store (an initial value, a reducer) complete it in `Operation.lower`.

/// The parts of StableHLO's generic form of one operation.
public struct StableHLOCall {
  /// The operation's name, without `stablehlo.`.
  public var name: String
  /// The types of the operands, without `constants`.
  public let operandTypes: [TensorType]
  /// Operations without operands (constants, counts) whose results are passed after the operands.
  public var sources: [any Operation] = []
  /// The types of results before those of the operation that are not used.
  public var leadingResults: [TensorType] = []
  /// The attributes.
  public var attributes: [StableHLOAttribute]
  /// The functions that the operation applies.
  public var regions: [Program]
  /// Whether the regions read all operands but the first directly, instead of having arguments.
  public var regionsReadOperands = false
  /// For an operation without effect that compilers do not expect: the operand that is its result.
  public var forwardedOperand: Int?

  init(_ operation: any Operation, _ operandTypes: [TensorType]) throws(GraphError) {
    name = operation.name
    self.operandTypes = operandTypes
    attributes = operation.attributes
    regions = operation.regions
    try operation.lower(&self)
  }

  /// A region of the given inputs.
  public static func function(
    _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]
  ) throws(GraphError) -> Program {
    try .region(types, body)
  }

  /// A region of `count` scalars of one type.
  public static func scalarFunction(
    _ dtype: DType, _ count: Int, _ body: ([Tensor]) -> [Tensor]
  ) throws(GraphError) -> Program {
    try .region([TensorType](repeating: TensorType(dtype, []), count: count), body)
  }
}

extension Program {
  /// The function that combines two elements, for the region of a reduction.
  static func combiner(_ function: Reduce.Function, _ dtype: DType) throws(GraphError) -> Program {
    try StableHLOCall.scalarFunction(dtype, 2) { pair in pair[0].graph.add(function.combiner, pair) }
  }
}
