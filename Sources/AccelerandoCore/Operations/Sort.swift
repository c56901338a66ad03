// Sorting, and what follows from it.

/// Sorts tensors of one shape along an axis by the elements of the first; stable.
///
/// The order is total: NaN counts as larger than every number (last when ascending, first when descending), NaNs are
/// equal to each other, and so are 0 and −0.
public struct Sort: Operation {
  /// The axis to sort along.
  public let axis: Int
  /// Whether the largest element comes first.
  public let descending: Bool

  /// Makes the operation.
  public init(axis: Int, descending: Bool = false) {
    self.axis = axis
    self.descending = descending
  }

  public var name: String { "sort" }
  public var attributes: [StableHLOAttribute] {
    [StableHLOAttribute("dimension", axis), StableHLOAttribute("is_stable", true)]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard let first = operands.first else { throw GraphError("needs at least one tensor; received none.") }
    guard first.shape.indices.contains(axis) else {
      throw GraphError("needs tensors with an axis \(axis); received \(first).")
    }
    for operand in operands where operand.shape != first.shape {
      throw GraphError("needs tensors of one shape; received \(first) and \(operand).")
    }
    return operands
  }

  public func resultCount(operandCount: Int) -> Int { operandCount }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    let scalars = call.operandTypes.flatMap { type in [type.with([]), type.with([])] }
    call.regions = [
      try StableHLOCall.function(scalars) { elements in
        let (a, b) = descending ? (elements[1], elements[0]) : (elements[0], elements[1])
        if a.dtype == .bool { return [(!a).and(b)] }
        let isLess = a.less(than: b)
        guard a.dtype.isFloating else { return [isLess] }
        return [isLess.or(b.notEqual(to: b).and(a.equal(to: a)))]
      }
    ]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.operand
    guard context.operands.contains(where: { $0.dtype.isFloating }) else { return context.operands.map { _ in nil } }
    // Sorted by their original indices, the gradients are back in their places.
    let origin = x.argsort(axis: axis, descending: descending)
    let moved = context.operands.indices.filter { context.operands[$0].dtype.isFloating }
    let back = x.graph.add(Sort(axis: axis), [origin] + moved.map { context.gradient($0) })
    return context.operands.indices.map { index in moved.firstIndex(of: index).map { back[$0 + 1] } }
  }
}

extension Tensor {
  /// The elements in order along `axis`; NaN counts as larger than every number.
  public func sorted(axis: Int = -1, descending: Bool = false) -> Tensor {
    guard rank > 0 else { return self }
    return graph.add(Sort(axis: normalized(axis), descending: descending), self)
  }

  /// The indices (`int32`) that sort the elements along `axis`; stable.
  public func argsort(axis: Int = -1, descending: Bool = false) -> Tensor {
    guard rank > 0 else { return constant(NDArray(scalar: Int32(0))) }
    let axis = normalized(axis)
    let places = iota(type.with(.int32), axis: axis)
    return graph.add(Sort(axis: axis, descending: descending), [self, places])[1]
  }

  /// The `count` largest elements along the last axis, largest first, and their indices (`int32`); the first of equal
  /// ones first.
  public func topK(_ count: Int) -> (values: Tensor, indices: Tensor) {
    guard rank > 0, count >= 0, count <= shape[rank - 1] else {
      graph.report(GraphError("cannot take the \(count) largest along the last axis of \(type)."))
      return (self, self)
    }
    let places = iota(type.with(.int32), axis: rank - 1)
    let ordered = graph.add(Sort(axis: rank - 1, descending: true), [self, places])
    return (ordered[0].sliced(axis: -1, 0..<count), ordered[1].sliced(axis: -1, 0..<count))
  }
}
