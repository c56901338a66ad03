// Reading at computed positions, in full generality as in StableHLO: rows of an embedding table, one element of each
// row, windows.

/// Collects windows of a tensor at start indices.
///
/// Operands: the tensor and the start indices, integers. The axis `indexVectorDimension` of the indices holds one index
/// vector, whose component i is the start along axis `startIndexMap[i]`, clamped so that the window lies inside.
public struct Gather: Operation {
  /// The role of each axis of operand, indices and result.
  public struct Dimensions: Hashable, Sendable {
    /// The result's axes that index into the window.
    public var offset: [Int]
    /// The operand's axes along which the window has size 1 and that the result lacks.
    public var collapsed: [Int]
    /// The operand's axes that correspond to `indicesBatching`.
    public var operandBatching: [Int]
    /// The indices' axes that correspond to `operandBatching`.
    public var indicesBatching: [Int]
    /// The operand's axis for each component of an index vector.
    public var startIndexMap: [Int]
    /// The indices' axis that holds an index vector; the rank of the indices for vectors of one component.
    public var indexVector: Int

    /// Assigns the roles.
    public init(
      offset: [Int], collapsed: [Int], operandBatching: [Int] = [], indicesBatching: [Int] = [],
      startIndexMap: [Int], indexVector: Int
    ) {
      self.offset = offset
      self.collapsed = collapsed
      self.operandBatching = operandBatching
      self.indicesBatching = indicesBatching
      self.startIndexMap = startIndexMap
      self.indexVector = indexVector
    }

    /// The axes of a tensor of `rank` that the window keeps: neither collapsed nor batching.
    func kept(_ rank: Int) -> [Int] {
      (0..<rank).filter { !collapsed.contains($0) && !operandBatching.contains($0) }
    }
  }

  /// The roles of the axes.
  public let dimensions: Dimensions
  /// The window's size along each axis of the operand.
  public let sliceSizes: [Int]
  /// A promise that the index vectors are in increasing order.
  public let indicesAreSorted: Bool

  /// Makes the operation.
  public init(_ dimensions: Dimensions, sliceSizes: [Int], indicesAreSorted: Bool = false) {
    self.dimensions = dimensions
    self.sliceSizes = sliceSizes
    self.indicesAreSorted = indicesAreSorted
  }

  public var name: String { "gather" }
  public var attributes: [StableHLOAttribute] {
    let d = dimensions
    let numbers =
      "#stablehlo.gather<offset_dims = \(d.offset), collapsed_slice_dims = \(d.collapsed), "
      + "operand_batching_dims = \(d.operandBatching), start_indices_batching_dims = \(d.indicesBatching), "
      + "start_index_map = \(d.startIndexMap), index_vector_dim = \(d.indexVector)>"
    return [
      StableHLOAttribute("dimension_numbers", numbers), StableHLOAttribute("slice_sizes", sliceSizes),
      StableHLOAttribute("indices_are_sorted", indicesAreSorted),
    ]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let (x, indices) = (operands[0], operands[1])
    let d = dimensions
    try d.check(x, indices)
    guard sliceSizes.count == x.rank, zip(sliceSizes, x.shape).allSatisfy({ $0 >= 0 && $0 <= $1 }),
      (d.collapsed + d.operandBatching).allSatisfy({ sliceSizes[$0] <= 1 })
    else {
      throw GraphError(
        "needs a window that fits into \(x), of size 1 along axes \(d.collapsed + d.operandBatching); "
          + "received \(sliceSizes).")
    }
    let window = d.kept(x.rank).map { sliceSizes[$0] }
    let batch = indices.shape.indices.filter { $0 != d.indexVector }.map { indices.shape[$0] }
    guard isIncreasing(d.offset), d.offset.count == window.count,
      d.offset.allSatisfy({ (0..<window.count + batch.count).contains($0) })
    else {
      throw GraphError(
        "needs \(window.count) increasing axes of the result for the window's axes; received \(d.offset).")
    }
    return [x.with(merging(window, batch, at: d.offset))]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, indices) = (context.operands[0], context.operands[1])
    guard x.dtype.isFloating else { return [nil, nil] }
    // Scatter skips indices out of range, gather clamps them: so clamp first.
    let limits = dimensions.startIndexMap.map { x.shape[$0] - sliceSizes[$0] }
    let inside = indices.clampedStarts(to: limits, along: dimensions.indexVector)
    let scatter = Scatter(.add, Scatter.Dimensions(dimensions), indicesAreSorted: indicesAreSorted)
    return [x.graph.add(scatter, x.zerosLike(), inside, context.gradient), nil]
  }
}

extension Gather.Dimensions {
  /// Checks what gather and scatter have in common.
  func check(_ x: TensorType, _ indices: TensorType) throws(GraphError) {
    guard indices.dtype.isInteger, (0...indices.rank).contains(indexVector) else {
      throw GraphError("needs integer indices with index vectors along axis \(indexVector); received \(indices).")
    }
    let length = indexVector < indices.rank ? indices.shape[indexVector] : 1
    guard startIndexMap.count == length, Set(startIndexMap).count == length,
      startIndexMap.allSatisfy(x.shape.indices.contains), Set(startIndexMap).isDisjoint(with: operandBatching)
    else {
      throw GraphError(
        "needs a distinct axis of \(x) for each component of the index vectors in \(indices); "
          + "received \(startIndexMap).")
    }
    let gone = collapsed + operandBatching
    guard isIncreasing(collapsed), isIncreasing(operandBatching), Set(gone).count == gone.count,
      gone.allSatisfy(x.shape.indices.contains)
    else {
      throw GraphError(
        "needs distinct increasing axes of \(x); received \(collapsed) and, for batching, \(operandBatching).")
    }
    guard operandBatching.count == indicesBatching.count, Set(indicesBatching).count == indicesBatching.count,
      indicesBatching.allSatisfy({ indices.shape.indices.contains($0) && $0 != indexVector }),
      zip(operandBatching, indicesBatching).allSatisfy({ x.shape[$0] == indices.shape[$1] })
    else {
      throw GraphError(
        "cannot run along axes \(operandBatching) of \(x) and axes \(indicesBatching) of \(indices) in step.")
    }
  }
}

extension Tensor {
  /// Integer index vectors along an axis, each component limited to 0 ... its limit.
  func clampedStarts(to limits: [Int], along axis: Int) -> Tensor {
    guard type.elementCount > 0 else { return self }
    let bounds = limits.map { Double(Swift.max($0, 0)) }
    let highest: Tensor
    if let first = bounds.first, bounds.allSatisfy({ $0 == first }) {
      highest = filled(first)
    } else {
      let vector = constant(NDArray(bounds)).converted(to: dtype)
      highest = vector.broadcast(to: shape, axes: [axis])
    }
    return clamped(zerosLike(), highest)
  }

  /// The slices of the tensor at `indices` along `axis`, which is replaced by the shape of `indices`. Indices are
  /// clamped.
  public func taking(_ indices: Tensor, axis: Int = 0) -> Tensor {
    let axis = normalized(axis)
    var sizes = shape
    if rank > 0 { sizes[axis] = Swift.min(1, sizes[axis]) }
    let dimensions = Gather.Dimensions(
      offset: Array(0..<axis) + (axis + 1..<Swift.max(rank, axis + 1)).map { $0 - 1 + indices.rank }, collapsed: [axis],
      startIndexMap: [axis], indexVector: indices.rank)
    return graph.add(Gather(dimensions, sliceSizes: sizes), self, indices)
  }

  /// For each element of `indices`, the tensor's element at the same position, but at that index along `axis`. Both
  /// have the same shape except for `axis`. Indices are clamped.
  public func takingAlongAxis(_ indices: Tensor, axis: Int) -> Tensor {
    let axis = normalized(axis)
    let others = (0..<rank).filter { $0 != axis }
    let dimensions = Gather.Dimensions(
      offset: [], collapsed: [axis], operandBatching: others, indicesBatching: others, startIndexMap: [axis],
      indexVector: indices.rank)
    return graph.add(Gather(dimensions, sliceSizes: shape.map { Swift.min(1, $0) }), self, indices)
  }
}

func isIncreasing(_ axes: [Int]) -> Bool { zip(axes, axes.dropFirst()).allSatisfy { $0 < $1 } }

/// A shape with `window` at the axes `places`, in order, and `batch` at the others.
func merging(_ window: [Int], _ batch: [Int], at places: [Int]) -> [Int] {
  var (window, batch) = (window[...], batch[...])
  return (0..<window.count + batch.count).compactMap { places.contains($0) ? window.popFirst() : batch.popFirst() }
}
