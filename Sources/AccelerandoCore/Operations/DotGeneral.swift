// Products that sum over shared axes: matrix products, batched products, and every einsum of two tensors.

/// Multiplies two tensors, summing over the contracting axes, for each index of the batching axes.
/// The result's axes are: batching, then the left's free axes, then the right's free axes.
public struct DotGeneral: Operation {
  /// The left operand's batching axes.
  public let leftBatching: [Int]
  /// The right operand's batching axes, in the same order.
  public let rightBatching: [Int]
  /// The left operand's contracting axes.
  public let leftContracting: [Int]
  /// The right operand's contracting axes, in the same order.
  public let rightContracting: [Int]

  /// Makes the operation.
  public init(
    leftBatching: [Int] = [], rightBatching: [Int] = [], leftContracting: [Int], rightContracting: [Int]
  ) {
    self.leftBatching = leftBatching
    self.rightBatching = rightBatching
    self.leftContracting = leftContracting
    self.rightContracting = rightContracting
  }

  public var name: String { "dot_general" }
  public var attributes: [StableHLOAttribute] {
    let value =
      "#stablehlo.dot<lhs_batching_dimensions = \(leftBatching), rhs_batching_dimensions = \(rightBatching), "
      + "lhs_contracting_dimensions = \(leftContracting), rhs_contracting_dimensions = \(rightContracting)>"
    return [StableHLOAttribute("dot_dimension_numbers", value)]
  }

  /// The axes of an operand of `rank` that are neither batching nor contracting.
  static func free(_ rank: Int, _ batching: [Int], _ contracting: [Int]) -> [Int] {
    (0..<rank).filter { !batching.contains($0) && !contracting.contains($0) }
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let (left, right) = (operands[0], operands[1])
    guard left.dtype == right.dtype, left.dtype != .bool else {
      throw GraphError("needs two tensors of one number type; received \(left) and \(right).")
    }
    let leftAxes = leftBatching + leftContracting
    let rightAxes = rightBatching + rightContracting
    guard leftBatching.count == rightBatching.count, leftContracting.count == rightContracting.count,
      Set(leftAxes).count == leftAxes.count, Set(rightAxes).count == rightAxes.count,
      leftAxes.allSatisfy(left.shape.indices.contains), rightAxes.allSatisfy(right.shape.indices.contains)
    else {
      throw GraphError(
        "cannot pair axes \(leftAxes) of \(left) with axes \(rightAxes) of \(right).")
    }
    for (a, b) in zip(leftAxes, rightAxes) where left.shape[a] != right.shape[b] {
      throw GraphError(
        "needs axis \(a) of the left operand and axis \(b) of the right to be of one size; "
          + "received \(left.shape) and \(right.shape).")
    }
    let shape =
      leftBatching.map { left.shape[$0] }
      + Self.free(left.rank, leftBatching, leftContracting).map { left.shape[$0] }
      + Self.free(right.rank, rightBatching, rightContracting).map { right.shape[$0] }
    return [left.with(shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (left, right) = (context.operands[0], context.operands[1])
    guard left.dtype.isFloating else { return [nil, nil] }
    let g = context.gradient
    let batch = leftBatching.count
    let leftFree = Self.free(left.rank, leftBatching, leftContracting)
    let rightFree = Self.free(right.rank, rightBatching, rightContracting)
    let batchAxes = Array(0..<batch)
    let leftFreeInG = (0..<leftFree.count).map { $0 + batch }
    let rightFreeInG = (0..<rightFree.count).map { $0 + batch + leftFree.count }

    // dLeft: [batch, left free] × remaining axes of right, in the order in which right has its contracting axes.
    let rawLeft = g.graph.add(
      DotGeneral(
        leftBatching: batchAxes, rightBatching: rightBatching, leftContracting: rightFreeInG,
        rightContracting: rightFree), g, right)
    let leftOrder =
      leftBatching + leftFree
      + rightContracting.sorted().map { axis in
        leftContracting[rightContracting.firstIndex(of: axis) ?? 0]
      }
    // dRight: [batch, remaining axes of left] × [right free], which for a plain matrix product is right's own order.
    let rawRight = g.graph.add(
      DotGeneral(
        leftBatching: leftBatching, rightBatching: batchAxes, leftContracting: leftFree,
        rightContracting: leftFreeInG), left, g)
    let rightOrder =
      rightBatching
      + leftContracting.sorted().map { axis in
        rightContracting[leftContracting.firstIndex(of: axis) ?? 0]
      } + rightFree
    return [rawLeft.transposed(inverse(leftOrder)), rawRight.transposed(inverse(rightOrder))]
  }

  private func inverse(_ order: [Int]) -> [Int] {
    var result = order
    for (position, axis) in order.enumerated() { result[axis] = position }
    return result
  }
}

extension Tensor {
  /// The matrix product. Contracts the last axis of the tensor with the last but one of `other` (its only one for a
  /// vector). A tensor of higher rank times a matrix multiplies every row; two of higher rank share their leading axes.
  public func matmul(_ other: Tensor) -> Tensor {
    guard rank >= 1, other.rank >= 1 else {
      graph.report(GraphError("a matrix product needs tensors of rank 1 or more; received \(type) and \(other.type)."))
      return self
    }
    if other.rank <= 2 {
      return graph.add(
        DotGeneral(leftContracting: [rank - 1], rightContracting: [Swift.max(other.rank - 2, 0)]), self, other)
    }
    let batch = Array(0..<other.rank - 2)
    return graph.add(
      DotGeneral(
        leftBatching: batch, rightBatching: batch, leftContracting: [rank - 1], rightContracting: [other.rank - 2]),
      self, other)
  }
}
