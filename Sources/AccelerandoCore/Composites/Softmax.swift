// Softmax and its relatives. All subtract the largest element first, so that no exponential overflows, and have
// gradient rules in terms of their results, so that the logits need not be kept.

/// eˣ / Σ eˣ along one axis.
public struct Softmax: Composite {
  /// The axis, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "softmax" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireFloating(operands, axis: axis)
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let exponentials = shifted(operands[0], axis).exp()
    return [exponentials / exponentials.sum(axes: [axis], keepDims: true)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    [context.gradient.graph.add(SoftmaxGradient(axis: axis), context.result, context.gradient)]
  }
}

/// The gradient of `Softmax`: y · (g − Σ g·y) along one axis.
///
/// Operands: the softmax y, and the gradient g of it.
public struct SoftmaxGradient: Composite {
  /// The axis, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "softmax_gradient" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    [try requireResultAndGradient(operands, axis: axis)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (y, g) = (operands[0], operands[1])
    return [y * (g - (g * y).sum(axes: [axis], keepDims: true))]
  }
}

/// x − log Σ eˣ along one axis: the logarithm of softmax, without losing small probabilities.
public struct LogSoftmax: Composite {
  /// The axis, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "log_softmax" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireFloating(operands, axis: axis)
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = shifted(operands[0], axis)
    return [x - x.exp().sum(axes: [axis], keepDims: true).log()]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    [context.gradient.graph.add(LogSoftmaxGradient(axis: axis), context.result, context.gradient)]
  }
}

/// The gradient of `LogSoftmax`: g − eʸ · Σ g along one axis.
///
/// Operands: the log-softmax y, and the gradient g of it.
public struct LogSoftmaxGradient: Composite {
  /// The axis, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "log_softmax_gradient" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    [try requireResultAndGradient(operands, axis: axis)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (y, g) = (operands[0], operands[1])
    return [g - y.exp() * g.sum(axes: [axis], keepDims: true)]
  }
}

/// log Σ eˣ along one axis, which is removed.
public struct LogSumExp: Composite {
  /// The axis, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "log_sum_exp" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireFloating(operands, axis: axis)
    var shape = operands[0].shape
    shape.remove(at: axis)
    return [operands[0].with(shape)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    let largest = finite(x.max(axes: [axis]))
    let sum = (x - largest.expandingDims(axis)).exp().sum(axes: [axis])
    return [sum.log() + largest]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let share = (context.operand - finite(context.result).expandingDims(axis)).exp()
    return [context.gradient.expandingDims(axis) * share]
  }

  /// The tensor with infinities replaced by 0: ∞ − ∞ would be NaN where the answer is ∞.
  private func finite(_ x: Tensor) -> Tensor {
    let isInfinite = x.abs().equal(to: x.filled(.infinity))
    return select(isInfinite, x.zerosLike(), x)
  }
}

extension Tensor {
  /// eˣ / Σ eˣ along `axis`.
  public func softmax(axis: Int = -1) -> Tensor { graph.add(Softmax(axis: normalized(axis)), self) }
  /// The logarithm of softmax along `axis`.
  public func logSoftmax(axis: Int = -1) -> Tensor { graph.add(LogSoftmax(axis: normalized(axis)), self) }
  /// log Σ eˣ along `axis`.
  public func logSumExp(axis: Int = -1, keepDims: Bool = false) -> Tensor {
    let axis = normalized(axis)
    let result = graph.add(LogSumExp(axis: axis), self)
    return keepDims ? result.expandingDims(axis) : result
  }
}

private func shifted(_ x: Tensor, _ axis: Int) -> Tensor {
  x - x.max(axes: [axis], keepDims: true)
}

/// Checks for two operands of one floating-point type that has the axis, for type rules; returns the type.
private func requireResultAndGradient(_ operands: [TensorType], axis: Int) throws(GraphError) -> TensorType {
  try requireCount(operands, 2)
  try requireFloating([operands[0]], axis: axis)
  guard operands[1] == operands[0] else {
    throw GraphError("needs a gradient of the result's type \(operands[0]); received \(operands[1]).")
  }
  return operands[0]
}

/// Checks for one floating-point operand that has the axis, for type rules.
func requireFloating(_ operands: [TensorType], axis: Int) throws(GraphError) {
  try requireCount(operands, 1)
  try requireFloating(operands[0])
  guard operands[0].shape.indices.contains(axis) else {
    throw GraphError("needs a tensor with an axis \(axis); received \(operands[0]).")
  }
}
