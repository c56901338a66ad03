// Reading and overwriting parts at computed positions. Starts are clamped so that the part always lies inside.

/// A part of fixed size at a position given by scalar integers.
///
/// Operands: the tensor, then one scalar start for each axis, all of one integer type. A start is clamped to
/// 0 ... dimension − size.
public struct DynamicSlice: Operation {
  /// The size of the part along each axis.
  public let sizes: [Int]

  /// Makes the operation.
  public init(sizes: [Int]) { self.sizes = sizes }

  public var name: String { "dynamic_slice" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("slice_sizes", sizes)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard let x = operands.first else { throw GraphError("takes a tensor and its starts; received nothing.") }
    try requireStarts(operands.dropFirst(), of: x)
    guard sizes.count == x.rank, zip(sizes, x.shape).allSatisfy({ $0 >= 0 && $0 <= $1 }) else {
      throw GraphError("needs a size for each axis of \(x), no larger than the axis; received \(sizes).")
    }
    return [x.with(sizes)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let starts = Array(context.operands.dropFirst())
    let zeros = context.operand.zerosLike()
    return [zeros.updatingSlice(with: context.gradient, starts: starts)] + starts.map { _ in nil }
  }
}

/// A tensor with a part overwritten at a position given by scalar integers.
///
/// Operands: the tensor, the part, then one scalar start for each axis, all of one integer type. A start is clamped to
/// 0 ... dimension − size of the part.
public struct DynamicUpdateSlice: Operation {
  /// Makes the operation.
  public init() {}

  public var name: String { "dynamic_update_slice" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard operands.count >= 2 else { throw GraphError("takes a tensor, a part and its starts.") }
    let (x, update) = (operands[0], operands[1])
    try requireStarts(operands.dropFirst(2), of: x)
    guard update.dtype == x.dtype, update.rank == x.rank, zip(update.shape, x.shape).allSatisfy({ $0 <= $1 }) else {
      throw GraphError("needs a part of \(x) that is no larger along any axis; received \(update).")
    }
    return [x]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let starts = Array(context.operands.dropFirst(2))
    let update = context.operands[1]
    let g = context.gradient
    return [
      g.updatingSlice(with: update.zerosLike(), starts: starts), g.dynamicSliced(starts: starts, sizes: update.shape),
    ] + starts.map { _ in nil }
  }
}

extension Tensor {
  /// The part of the given sizes at scalar integer `starts`, one for each axis, clamped into the tensor.
  public func dynamicSliced(starts: [Tensor], sizes: [Int]) -> Tensor {
    graph.add(DynamicSlice(sizes: sizes), [self] + starts)[0]
  }

  /// The tensor with the part at scalar integer `starts`, one for each axis, replaced by `update`.
  public func updatingSlice(with update: Tensor, starts: [Tensor]) -> Tensor {
    graph.add(DynamicUpdateSlice(), [self, update] + starts)[0]
  }

  /// Element `index` (a scalar integer, clamped) along `axis`, which is removed.
  public func dynamicElement(_ index: Tensor, axis: Int = 0) -> Tensor {
    let axis = normalized(axis)
    guard rank > 0 else { return self }
    var sizes = shape
    sizes[axis] = 1
    let starts = shape.indices.map { $0 == axis ? index : index.scalar(0) }
    sizes.remove(at: axis)
    var part = shape
    part[axis] = 1
    return dynamicSliced(starts: starts, sizes: part).reshaped(sizes)
  }

  /// The tensor with element `index` (a scalar integer, clamped) along `axis` replaced.
  public func updatingElement(_ index: Tensor, with element: Tensor, axis: Int = 0) -> Tensor {
    let axis = normalized(axis)
    guard rank > 0 else { return element }
    let starts = shape.indices.map { $0 == axis ? index : index.scalar(0) }
    return updatingSlice(with: element.expandingDims(axis), starts: starts)
  }
}

private func requireStarts(_ starts: ArraySlice<TensorType>, of x: TensorType) throws(GraphError) {
  guard starts.count == x.rank, starts.allSatisfy({ $0.rank == 0 && $0.dtype.isInteger && $0 == starts.first }) else {
    throw GraphError(
      "needs a scalar start for each axis of \(x), all of one integer type; received \(Array(starts)).")
  }
}
