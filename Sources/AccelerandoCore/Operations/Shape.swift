// Operations that change the shape of a tensor: reshape, transpose, broadcast, reverse.

/// The same elements, in row-major order, in another shape.
public struct Reshape: Operation {
  /// The shape of the result.
  public let shape: [Int]

  /// Makes the operation.
  public init(_ shape: [Int]) { self.shape = shape }

  public var name: String { "reshape" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard shape.allSatisfy({ $0 >= 0 }), shape.elementCount == operands[0].elementCount else {
      throw GraphError(
        "needs as many elements as \(shape) has (\(shape.elementCount)); "
          + "received \(operands[0]) with \(operands[0].elementCount).")
    }
    return [operands[0].with(shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    [context.gradient.reshaped(context.operand.shape)]
  }
}

/// The axes in another order: axis `i` of the result is axis `permutation[i]` of the operand.
public struct Transpose: Operation {
  /// The operand's axis for each axis of the result.
  public let permutation: [Int]

  /// Makes the operation.
  public init(_ permutation: [Int]) { self.permutation = permutation }

  public var name: String { "transpose" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("permutation", permutation)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard permutation.sorted() == Array(0..<operands[0].rank) else {
      throw GraphError("needs an order of all \(operands[0].rank) axes of \(operands[0]); received \(permutation).")
    }
    return [operands[0].with(permutation.map { operands[0].shape[$0] })]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    var inverse = permutation
    for (axis, source) in permutation.enumerated() { inverse[source] = axis }
    return [context.gradient.transposed(inverse)]
  }
}

/// Repeats a tensor along new or size-1 axes: axis `i` of the operand becomes axis `axes[i]` of the result.
public struct BroadcastInDim: Operation {
  /// The shape of the result.
  public let shape: [Int]
  /// The result's axis for each axis of the operand, increasing.
  public let axes: [Int]

  /// Makes the operation.
  public init(_ shape: [Int], axes: [Int]) {
    self.shape = shape
    self.axes = axes
  }

  public var name: String { "broadcast_in_dim" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("broadcast_dimensions", axes)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    let source = operands[0]
    try requireSizes(shape)
    guard axes.count == source.rank, Set(axes).count == axes.count, axes.allSatisfy(shape.indices.contains),
      zip(axes, source.shape).allSatisfy({ $1 == 1 || shape[$0] == $1 })
    else {
      throw GraphError("\(source) cannot be broadcast to \(shape) along axes \(axes).")
    }
    return [source.with(shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let source = context.operand.shape
    let kept = Set(zip(axes, source).filter { shape[$0] == $1 }.map(\.0))
    let summed = context.gradient.sum(axes: shape.indices.filter { !kept.contains($0) })
    // The sum has the kept axes in the result's order; restore the operand's.
    let order = axes.filter(kept.contains)
    let sorted = order.sorted()
    let permuted = order == sorted ? summed : summed.transposed(order.compactMap { sorted.firstIndex(of: $0) })
    return [permuted.reshaped(source)]
  }
}

/// Reverses the order of the elements along some axes.
public struct Reverse: Operation {
  /// The axes.
  public let axes: [Int]

  /// Makes the operation.
  public init(axes: [Int]) { self.axes = axes }

  public var name: String { "reverse" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("dimensions", axes)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard Set(axes).count == axes.count, axes.allSatisfy(operands[0].shape.indices.contains) else {
      throw GraphError("needs distinct axes of \(operands[0]); received \(axes).")
    }
    return operands
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] { [context.gradient.reversed(axes: axes)] }
}

extension Tensor {
  /// The same elements in another shape; one size may be -1 and is then computed.
  public func reshaped(_ shape: [Int]) -> Tensor {
    var shape = shape
    if let free = shape.firstIndex(of: -1) {
      let others = shape.enumerated().filter { $0.offset != free }.map(\.element).elementCount
      shape[free] = others > 0 ? type.elementCount / others : 0
    }
    return shape == self.shape ? self : graph.add(Reshape(shape), self)
  }

  /// The axes in another order; reversed for nil.
  public func transposed(_ permutation: [Int]? = nil) -> Tensor {
    let permutation = permutation ?? Array((0..<rank).reversed())
    return permutation == Array(0..<rank) ? self : graph.add(Transpose(permutation), self)
  }

  /// The tensor repeated to `shape` by NumPy's rules: axes are aligned at the last one.
  public func broadcast(to shape: [Int]) -> Tensor {
    if shape == self.shape { return self }
    return broadcast(to: shape, axes: Array(Swift.max(0, shape.count - rank)..<Swift.max(shape.count, rank)))
  }

  /// The tensor repeated to `shape`; its axis `i` becomes axis `axes[i]`.
  public func broadcast(to shape: [Int], axes: [Int]) -> Tensor {
    graph.add(BroadcastInDim(shape, axes: axes), self)
  }

  /// The elements in reverse order along the axes.
  public func reversed(axes: [Int]) -> Tensor { graph.add(Reverse(axes: axes), self) }

  /// A new axis of size 1 before `axis`; -1 means after the last.
  public func expandingDims(_ axis: Int) -> Tensor {
    var shape = self.shape
    shape.insert(1, at: normalized(axis, extent: rank + 1))
    return reshaped(shape)
  }
}
