// Cumulative sums.

/// The sum of all elements up to each element along an axis.
public struct CumulativeSum: Composite {
  /// The axis, counted from the first.
  public let axis: Int
  /// Whether the sum runs from the last element to the first.
  public let reverse: Bool
  /// Whether an element is excluded from its own sum.
  public let exclusive: Bool

  /// Makes the operation.
  public init(axis: Int, reverse: Bool = false, exclusive: Bool = false) {
    self.axis = axis
    self.reverse = reverse
    self.exclusive = exclusive
  }

  public var name: String { "cumulative_sum" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard operands[0].shape.indices.contains(axis), operands[0].dtype != .bool else {
      throw GraphError("needs numbers with an axis \(axis); received \(operands[0]).")
    }
    return operands
  }

  /// In ⌈log₂ n⌉ steps each element accumulates the sum of twice as many. This rounds less than summing one by one, and
  /// every step is one pass.
  public func expand(_ operands: [Tensor]) -> [Tensor] {
    var x = operands[0]
    let count = x.shape[axis]
    if exclusive { x = shifted(x, by: 1) }
    var distance = 1
    while distance < count {
      x = x + shifted(x, by: distance)
      distance = distance > count / 2 ? count : distance * 2
    }
    return [x]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    guard context.operand.dtype.isFloating else { return [nil] }
    let back = CumulativeSum(axis: axis, reverse: !reverse, exclusive: exclusive)
    return [context.operand.graph.add(back, context.gradient)]
  }

  /// The elements shifted along the axis in the direction of summing, filled with zeros.
  private func shifted(_ x: Tensor, by distance: Int) -> Tensor {
    guard x.shape[axis] > 0 else { return x }
    var low = x.shape.map { _ in 0 }
    low[axis] = reverse ? -distance : distance
    return x.padded(low: low, high: low.map { -$0 })
  }
}

extension Tensor {
  /// The sum of all elements up to each element along `axis`.
  public func cumulativeSum(axis: Int = -1, reverse: Bool = false, exclusive: Bool = false) -> Tensor {
    graph.add(CumulativeSum(axis: normalized(axis), reverse: reverse, exclusive: exclusive), self)
  }
}
