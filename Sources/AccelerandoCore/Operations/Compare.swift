// Comparison, selection by a predicate, and clamping.

/// Compares two tensors of the same type, elementwise; the result is `bool`. As in IEEE 754, NaN equals nothing.
public struct Compare: Operation {
  /// The directions, named as in StableHLO.
  public enum Direction: String, Hashable, Sendable, CaseIterable {
    case equal = "EQ"
    case notEqual = "NE"
    case less = "LT"
    case lessOrEqual = "LE"
    case greater = "GT"
    case greaterOrEqual = "GE"
  }

  /// The direction.
  public let direction: Direction

  /// Makes the operation.
  public init(_ direction: Direction) { self.direction = direction }

  public var name: String { "compare" }
  public var attributes: [StableHLOAttribute] {
    [StableHLOAttribute("comparison_direction", "#stablehlo<comparison_direction \(direction.rawValue)>")]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    guard operands[0] == operands[1] else {
      throw GraphError(
        "needs two tensors of the same type, or of shapes that broadcast; received \(operands[0]) and \(operands[1]).")
    }
    return [operands[0].with(.bool)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] { [nil, nil] }
}

/// Selects, elementwise, the second operand where the first is true and the third where it is false.
public struct Select: Operation {
  /// Makes the operation.
  public init() {}

  public var name: String { "select" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    guard operands[1] == operands[2] else {
      throw GraphError("needs two branches of the same type; received \(operands[1]) and \(operands[2]).")
    }
    guard operands[0] == operands[1].with(.bool) else {
      throw GraphError("needs a predicate \(operands[1].with(.bool)); received \(operands[0]).")
    }
    return [operands[1]]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let g = context.gradient
    guard g.dtype.isFloating else { return [nil, nil, nil] }
    let zero = g.zerosLike()
    let predicate = context.operands[0]
    return [nil, select(predicate, g, zero), select(predicate, zero, g)]
  }
}

/// Limits each element of the second operand to lie between the first and the third.
public struct Clamp: Operation {
  /// Makes the operation.
  public init() {}

  public var name: String { "clamp" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    guard operands[0] == operands[1], operands[2] == operands[1], operands[1].dtype != .bool else {
      throw GraphError(
        "needs a minimum, a value and a maximum of the same number type; "
          + "received \(operands[0]), \(operands[1]) and \(operands[2]).")
    }
    return [operands[1]]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (low, x, high) = (context.operands[0], context.operands[1], context.operands[2])
    let g = context.gradient
    guard x.dtype.isFloating else { return [nil, nil, nil] }
    let zero = g.zerosLike()
    var below = x.less(than: low)
    var above = x.greater(than: high)
    if low.uniformValue == nil || high.uniformValue == nil {
      // The gradients of the limits may be needed: each element belongs to exactly one operand.
      let (byLow, byHigh) = (x.threeWayCompared(to: low), x.threeWayCompared(to: high))
      below = byLow.less(than: byLow.zerosLike())
      above = byHigh.greater(than: byHigh.zerosLike())
    }
    return [
      select(below, g, zero), select(below.or(above), zero, g), select(above, g, zero),
    ]
  }
}

/// Selects `a` where `predicate` is true and `b` elsewhere, broadcasting all three.
public func select(_ predicate: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  let (x, y) = broadcasting(a, b)
  let (p, z) = broadcasting(predicate, x)
  let (_, w) = broadcasting(p, y)
  return predicate.graph.add(Select(), p, z, w)
}

extension Tensor {
  private func compared(_ direction: Compare.Direction, _ other: Tensor) -> Tensor {
    let (x, y) = broadcasting(self, other)
    return graph.add(Compare(direction), x, y)
  }

  /// Whether elements are equal.
  public func equal(to other: Tensor) -> Tensor { compared(.equal, other) }
  /// Whether elements differ.
  public func notEqual(to other: Tensor) -> Tensor { compared(.notEqual, other) }
  /// Whether elements are less than `other`'s.
  public func less(than other: Tensor) -> Tensor { compared(.less, other) }
  /// Whether elements are less than or equal to `other`'s.
  public func lessOrEqual(to other: Tensor) -> Tensor { compared(.lessOrEqual, other) }
  /// Whether elements are greater than `other`'s.
  public func greater(than other: Tensor) -> Tensor { compared(.greater, other) }
  /// Whether elements are greater than or equal to `other`'s.
  public func greaterOrEqual(to other: Tensor) -> Tensor { compared(.greaterOrEqual, other) }

  /// Each element limited to `low ... high`.
  public func clamped(_ low: Tensor, _ high: Tensor) -> Tensor {
    graph.add(Clamp(), low.broadcast(to: shape), self, high.broadcast(to: shape))
  }

  /// Each element limited to the range.
  public func clamped(_ range: ClosedRange<Double>) -> Tensor {
    clamped(scalar(range.lowerBound), scalar(range.upperBound))
  }
}
