// Writing at computed positions, in full generality as in StableHLO: the gradient of every read at computed positions.

/// Combines windows of updates into a tensor at start indices.
///
/// Operands: the tensor, the start indices, integers, and the updates. The axes have the same roles as in `Gather`. A
/// window that does not lie wholly inside the tensor is skipped. Where several windows overlap, `set` keeps one of
/// them: which one depends on the backend; those of this package keep the last.
public struct Scatter: Operation {
  /// How an update is combined with the existing element.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case set, add, multiply, min, max

    /// The function that combines the old element and the update; nil for `set`.
    public var combiner: Binary? {
      switch self {
      case .set: nil
      case .add: Binary(.add)
      case .multiply: Binary(.multiply)
      case .min: Binary(.minimum)
      case .max: Binary(.maximum)
      }
    }
  }

  /// The role of each axis of operand, indices and updates.
  public struct Dimensions: Hashable, Sendable {
    /// The updates' axes that index into the window.
    public var updateWindow: [Int]
    /// The operand's axes along which the window has size 1 and that the updates lack.
    public var inserted: [Int]
    /// The operand's axes that correspond to `indicesBatching`.
    public var operandBatching: [Int]
    /// The indices' axes that correspond to `operandBatching`.
    public var indicesBatching: [Int]
    /// The operand's axis for each component of an index vector.
    public var scatterToOperand: [Int]
    /// The indices' axis that holds an index vector; the rank of the indices for vectors of one component.
    public var indexVector: Int

    /// Assigns the roles.
    public init(
      updateWindow: [Int], inserted: [Int], operandBatching: [Int] = [], indicesBatching: [Int] = [],
      scatterToOperand: [Int], indexVector: Int
    ) {
      self.updateWindow = updateWindow
      self.inserted = inserted
      self.operandBatching = operandBatching
      self.indicesBatching = indicesBatching
      self.scatterToOperand = scatterToOperand
      self.indexVector = indexVector
    }

    /// The roles with which a scatter writes where a gather read.
    public init(_ gather: Gather.Dimensions) {
      self.init(
        updateWindow: gather.offset, inserted: gather.collapsed, operandBatching: gather.operandBatching,
        indicesBatching: gather.indicesBatching, scatterToOperand: gather.startIndexMap,
        indexVector: gather.indexVector)
    }

    /// The roles with which a gather reads where the scatter writes.
    public var gather: Gather.Dimensions {
      Gather.Dimensions(
        offset: updateWindow, collapsed: inserted, operandBatching: operandBatching, indicesBatching: indicesBatching,
        startIndexMap: scatterToOperand, indexVector: indexVector)
    }
  }

  /// How an update is combined with the existing element.
  public let function: Function
  /// The roles of the axes.
  public let dimensions: Dimensions
  /// A promise that the index vectors are in increasing order.
  public let indicesAreSorted: Bool
  /// A promise that no two windows overlap.
  public let indicesAreUnique: Bool

  /// Makes the operation.
  public init(
    _ function: Function, _ dimensions: Dimensions, indicesAreSorted: Bool = false, indicesAreUnique: Bool = false
  ) {
    self.function = function
    self.dimensions = dimensions
    self.indicesAreSorted = indicesAreSorted
    self.indicesAreUnique = indicesAreUnique
  }

  public var name: String { "scatter" }
  public var attributes: [StableHLOAttribute] {
    let d = dimensions
    let numbers =
      "#stablehlo.scatter<update_window_dims = \(d.updateWindow), inserted_window_dims = \(d.inserted), "
      + "input_batching_dims = \(d.operandBatching), scatter_indices_batching_dims = \(d.indicesBatching), "
      + "scatter_dims_to_operand_dims = \(d.scatterToOperand), index_vector_dim = \(d.indexVector)>"
    return [
      StableHLOAttribute("scatter_dimension_numbers", numbers),
      StableHLOAttribute("indices_are_sorted", indicesAreSorted),
      StableHLOAttribute("unique_indices", indicesAreUnique),
    ]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let (x, indices, updates) = (operands[0], operands[1], operands[2])
    let d = dimensions
    try d.gather.check(x, indices)
    guard updates.dtype == x.dtype else { throw GraphError("needs updates of type \(x.dtype); received \(updates).") }
    guard isIncreasing(d.updateWindow), d.updateWindow.allSatisfy(updates.shape.indices.contains) else {
      throw GraphError("needs increasing axes of \(updates) for the window; received \(d.updateWindow).")
    }
    let kept = d.gather.kept(x.rank)
    let batch = indices.shape.indices.filter { $0 != d.indexVector }.map { indices.shape[$0] }
    guard kept.count == d.updateWindow.count,
      zip(kept, d.updateWindow).allSatisfy({ updates.shape[$1] <= x.shape[$0] }),
      updates.shape.indices.filter({ !d.updateWindow.contains($0) }).map({ updates.shape[$0] }) == batch
    else {
      throw GraphError(
        "needs updates with windows along axes \(d.updateWindow) that fit into \(x) and with the other axes \(batch); "
          + "received \(updates).")
    }
    return [x]
  }

  /// The window's size along each axis of the operand.
  public func sliceSizes(_ x: TensorType, _ updates: TensorType) -> [Int] {
    var sizes = [Int](repeating: 1, count: x.rank)
    for (axis, place) in zip(dimensions.gather.kept(x.rank), dimensions.updateWindow) {
      sizes[axis] = updates.shape[place]
    }
    return sizes
  }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    call.regions = [
      try StableHLOCall.scalarFunction(call.operandTypes[0].dtype, 2) { pair in
        function.combiner.map { pair[0].graph.add($0, pair) } ?? [pair[1]]
      }
    ]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, indices, updates) = (context.operands[0], context.operands[1], context.operands[2])
    guard x.dtype.isFloating else { return [nil, nil, nil] }
    guard updates.type.elementCount > 0, x.type.elementCount > 0 else {
      return [context.gradient, nil, updates.zerosLike()]
    }
    let (y, g) = (context.result, context.gradient)
    switch function {
    case .add: return [g, nil, gathered(g, indices, updates)]
    case .set:
      let rest = x.graph.add(self, g, indices, updates.zerosLike())
      let read = gathered(g, indices, updates)
      return [rest, nil, indicesAreUnique ? read : read * winners(x, indices, updates)]
    case .multiply:
      guard indicesAreUnique else {
        x.graph.report(
          GraphError("multiplies elements by updates, which has a gradient only where the indices are unique."))
        return [nil, nil, nil]
      }
      return [
        x.graph.add(self, g, indices, updates), nil, gathered(g * x, indices, updates),
      ]
    case .min, .max:
      // The element and the updates that equal the extreme share the gradient.
      let isKept = x.equal(to: y).converted(to: x.dtype)
      let isExtreme = updates.equal(to: gathered(y, indices, updates)).converted(to: x.dtype)
      let isHit = isExtreme * isInside(x, indices, updates)
      let count = x.graph.add(with(.add), isKept, indices, isHit)
      let share = g / count
      return [isKept * share, nil, isHit * gathered(share, indices, updates)]
    }
  }

  private func with(_ function: Function) -> Scatter {
    Scatter(function, dimensions, indicesAreSorted: indicesAreSorted, indicesAreUnique: indicesAreUnique)
  }

  /// The elements of `source` at the positions of the updates; zero for updates that were skipped.
  private func gathered(_ source: Tensor, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    let gather = Gather(
      dimensions.gather, sliceSizes: sliceSizes(source.type, updates.type), indicesAreSorted: indicesAreSorted)
    return source.graph.add(gather, source, indices) * isInside(source, indices, updates)
  }

  /// 1 for the updates whose window lies inside, 0 for those that are skipped; in the updates' type.
  private func isInside(_ x: Tensor, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    let sizes = sliceSizes(x.type, updates.type)
    let limits = dimensions.scatterToOperand.map { x.shape[$0] - sizes[$0] }
    var isInside = indices.equal(to: indices.clampedStarts(to: limits, along: dimensions.indexVector))
    if dimensions.indexVector < indices.rank { isInside = isInside.all(axes: [dimensions.indexVector]) }
    let batch = updates.shape.indices.filter { !dimensions.updateWindow.contains($0) }
    return isInside.broadcast(to: updates.shape, axes: batch).converted(to: updates.dtype)
  }

  /// 1 for the updates that `set` kept, 0 for those that were overwritten: their indices are scattered and read back.
  private func winners(_ x: Tensor, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    let count = updates.type.elementCount
    let numbers = x.iota(TensorType(.int64, [count]), axis: 0).reshaped(updates.shape)
    let none = x.constant(NDArray(scalar: Int64(-1))).broadcast(to: x.shape)
    let placed = x.graph.add(self, none, indices, numbers)
    let gather = Gather(dimensions.gather, sliceSizes: sliceSizes(x.type, updates.type))
    return x.graph.add(gather, placed, indices).equal(to: numbers).converted(to: updates.dtype)
  }
}

extension Tensor {
  /// The tensor with `updates` combined into its slices at `indices` along `axis`: the inverse of `taking`. The
  /// updates' shape is the tensor's with `axis` replaced by the shape of `indices`. Indices out of range are skipped.
  public func scattering(
    _ updates: Tensor, at indices: Tensor, axis: Int = 0, function: Scatter.Function = .add,
    indicesAreUnique: Bool = false
  ) -> Tensor {
    let axis = normalized(axis)
    let after = axis + 1..<Swift.max(rank, axis + 1)
    let dimensions = Scatter.Dimensions(
      updateWindow: Array(0..<axis) + after.map { $0 - 1 + indices.rank }, inserted: [axis], scatterToOperand: [axis],
      indexVector: indices.rank)
    return graph.add(Scatter(function, dimensions, indicesAreUnique: indicesAreUnique), self, indices, updates)
  }
}
