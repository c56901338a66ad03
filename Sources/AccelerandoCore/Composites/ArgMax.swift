// The index of the largest or smallest element.

/// The index of the largest (or smallest) element along an axis, which is removed; the first one of equal elements. NaN
/// counts as the extreme. The result is `int32`.
public struct ArgMax: Composite {
  /// The axis, counted from the first.
  public let axis: Int
  /// Whether to find the smallest element.
  public let smallest: Bool

  /// Makes the operation.
  public init(axis: Int, smallest: Bool = false) {
    self.axis = axis
    self.smallest = smallest
  }

  public var name: String { smallest ? "arg_min" : "arg_max" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    let x = operands[0]
    guard x.shape.indices.contains(axis), x.shape[axis] > 0, x.shape[axis] <= Int(Int32.max) else {
      throw GraphError("needs a tensor with elements along axis \(axis); received \(x).")
    }
    var shape = x.shape
    shape.remove(at: axis)
    return [TensorType(.int32, shape)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    let extreme = smallest ? x.min(axes: [axis], keepDims: true) : x.max(axes: [axis], keepDims: true)
    var isHit = x.equal(to: extreme)
    if x.dtype.isFloating { isHit = isHit.or(x.notEqual(to: x)) }
    let places = x.iota(x.type.with(.int32), axis: axis)
    let none = places.filled(Double(x.shape[axis]))
    return [select(isHit, places, none).min(axes: [axis])]
  }
}

extension Tensor {
  /// The index (`int32`) of the largest element along `axis`; the first one of equal elements.
  public func argMax(axis: Int = -1, keepDims: Bool = false) -> Tensor { argExtreme(axis, keepDims, false) }
  /// The index (`int32`) of the smallest element along `axis`; the first one of equal elements.
  public func argMin(axis: Int = -1, keepDims: Bool = false) -> Tensor { argExtreme(axis, keepDims, true) }

  private func argExtreme(_ axis: Int, _ keepDims: Bool, _ smallest: Bool) -> Tensor {
    let axis = normalized(axis)
    let result = graph.add(ArgMax(axis: axis, smallest: smallest), self)
    return keepDims ? result.expandingDims(axis) : result
  }

  /// For each integer, a vector along a new last axis that is 1 at that index and 0 elsewhere; all zeros for an integer
  /// outside of `0 ..< count`.
  public func oneHot(_ count: Int, dtype: DType = .float32) -> Tensor {
    guard self.dtype.isInteger else {
      graph.report(GraphError("needs integers to make one-hot vectors of; received \(type).", path: graph.path))
      return self
    }
    let places = iota(type.with(shape + [count]), axis: rank)
    return expandingDims(-1).equal(to: places).converted(to: dtype)
  }
}
