// Activation functions that are more than one elementwise operation. Each is a composite, so that a backend can run it
// in one pass, with a gradient rule that needs as little of the forward pass as possible.

/// max(x, 0), and at most `limit` if there is one, elementwise. The gradient at 0 and from the limit on is 0.
public struct Relu: Composite {
  /// The upper limit of the result; nil for none.
  public let limit: Double?

  /// Makes the operation.
  public init(limit: Double? = nil) { self.limit = limit }

  public var name: String { "relu" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard operands[0].dtype != .bool else { throw GraphError("takes numbers; received \(operands[0]).") }
    if limit != nil { try requireFloating(operands[0]) }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let rectified = operands[0].maximum(0)
    return [limit.map { rectified.minimum($0) } ?? rectified]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    guard context.operand.dtype.isFloating else { return [nil] }
    // Uses the result, so that the operand's memory is free after the forward pass.
    var passes = context.result.greater(than: context.result.zerosLike())
    if let limit { passes = passes.and(context.result.less(than: context.result.filled(limit))) }
    return [select(passes, context.gradient, context.gradient.zerosLike())]
  }
}

/// x·Φ(x), elementwise, where Φ is the normal distribution's cumulative function.
public struct Gelu: Composite {
  /// Whether Φ is replaced by its approximation with tanh.
  public let approximate: Bool

  /// Makes the operation.
  public init(approximate: Bool) { self.approximate = approximate }

  public var name: String { "gelu" }
  public var hasOwnPullback: Bool { !approximate }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireFloating(operands[0])
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    guard approximate else { return [x * cumulative(x)] }
    let inner = (x + x * x * x * 0.044715) * (2 / Double.pi).squareRoot()
    return [x * 0.5 * (1 + inner.tanh())]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.operand
    let density = (x * x * -0.5).exp() * (1 / (2 * Double.pi).squareRoot())
    return [context.gradient * (cumulative(x) + x * density)]
  }

  private func cumulative(_ x: Tensor) -> Tensor {
    (x * 0.5.squareRoot()).erf() * 0.5 + 0.5
  }
}

/// x·σ(x), elementwise, where σ is the logistic function; also called swish.
public struct Silu: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "silu" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireFloating(operands[0])
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] { [operands[0] * operands[0].sigmoid()] }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.operand
    let gate = x.sigmoid()
    let slope = gate * (1 + x * (1 - gate))
    return [context.gradient * slope]
  }
}

extension Tensor {
  /// max(x, 0), and at most `limit` if there is one, elementwise.
  public func relu(limit: Double? = nil) -> Tensor { graph.add(Relu(limit: limit), self) }
  /// x·Φ(x), elementwise; with `approximate`, using tanh instead of the error function.
  public func gelu(approximate: Bool = false) -> Tensor { graph.add(Gelu(approximate: approximate), self) }
  /// x·σ(x), elementwise.
  public func silu() -> Tensor { graph.add(Silu(), self) }
}
