// The index of the largest or smallest element. It is an operation of its own and not a formula of comparisons: a compiler may
// compute a cheap operand once for the extreme and again, rounded differently, for the comparison, and then no element equals
// the extreme. One reduction reads every element once.

/// The index of the largest (or smallest) element along an axis, which is removed; the first one of equal elements. NaN
/// counts as the extreme. The result is `int32`.
public struct ArgMax: Operation {
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

  /// A reduction of pairs of an element and its index.
  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    let x = call.operandTypes[0]
    let extreme: Reduce.Function = smallest ? .min : .max
    call.name = "reduce"
    call.attributes = [StableHLOAttribute("dimensions", [axis])]
    call.sources = [
      Iota(x.with(.int32), axis: axis), Constant(extreme.identity(x.dtype)), Constant(NDArray(scalar: Int32.max)),
    ]
    var shape = x.shape
    shape.remove(at: axis)
    call.leadingResults = [x.with(shape)]
    let scalars = [x.with([]), TensorType(.int32, [])]
    call.regions = [
      try StableHLOCall.function(scalars + scalars) { pair in
        let isFirst = comesFirst(pair[0], pair[1], pair[2], pair[3])
        return [select(isFirst, pair[0], pair[2]), select(isFirst, pair[1], pair[3])]
      }
    ]
  }

  /// Whether a at index i is chosen before b at index j.
  private func comesFirst(_ a: Tensor, _ i: Tensor, _ b: Tensor, _ j: Tensor) -> Tensor {
    var isBetter = smallest ? a.less(than: b) : a.greater(than: b)
    var isEqual = a.equal(to: b)
    if a.dtype.isFloating {
      let (isNaN, isOtherNaN) = (a.notEqual(to: a), b.notEqual(to: b))
      isBetter = isBetter.or(isNaN.and(!isOtherNaN))
      isEqual = isEqual.or(isNaN.and(isOtherNaN))
    }
    return isBetter.or(isEqual.and(i.less(than: j)))
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] { [nil] }
}

extension Tensor {
  /// The index (`int32`) of the largest element along `axis`; the first one of equal elements.
  public func argMax(axis: Int = -1, keepDims: Bool = false) -> Tensor { argExtreme(axis, false, keepDims: keepDims) }
  /// The index (`int32`) of the smallest element along `axis`; the first one of equal elements.
  public func argMin(axis: Int = -1, keepDims: Bool = false) -> Tensor { argExtreme(axis, true, keepDims: keepDims) }

  func argExtreme(_ axis: Int, _ smallest: Bool, keepDims: Bool = false) -> Tensor {
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
