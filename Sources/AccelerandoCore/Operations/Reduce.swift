// Reductions along axes.

/// Combines the elements along some axes with one of six functions; the axes are removed.
public struct Reduce: Operation {
  /// The functions, named as the StableHLO operation that combines two elements.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case sum = "add"
    case product = "multiply"
    case max = "maximum"
    case min = "minimum"
    case and, or

    /// The neutral element: the result of reducing no elements.
    public func identity(_ dtype: DType) -> NDArray {
      let type = TensorType(dtype, [])
      switch self {
      case .sum: return NDArray(repeating: 0, type: type)
      case .product: return NDArray(repeating: 1, type: type)
      case .max: return dtype == .bool ? NDArray(scalar: false) : NDArray(repeating: -.infinity, type: type)
      case .min: return dtype == .bool ? NDArray(scalar: true) : NDArray(repeating: .infinity, type: type)
      case .or: return NDArray(repeating: 0, type: type)
      case .and:
        switch dtype {
        case .uint8: return NDArray(scalar: UInt8.max)
        case .uint32: return NDArray(scalar: UInt32.max)
        default: return NDArray(repeating: dtype == .bool ? 1 : -1, type: type)
        }
      }
    }

    /// The element types that the function is defined for.
    public var dtypes: [DType] {
      switch self {
      case .and, .or: DType.allCases.filter { !$0.isFloating }
      default: DType.allCases
      }
    }

    /// The function that combines two elements, as an operation.
    public var combiner: Binary {
      switch self {
      case .sum: Binary(.add)
      case .product: Binary(.multiply)
      case .max: Binary(.maximum)
      case .min: Binary(.minimum)
      case .and: Binary(.and)
      case .or: Binary(.or)
      }
    }
  }

  /// The function.
  public let function: Function
  /// The axes to remove.
  public let axes: [Int]

  /// Makes the operation.
  public init(_ function: Function, axes: [Int]) {
    self.function = function
    self.axes = axes
  }

  public var name: String { "reduce" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("dimensions", axes)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    let x = operands[0]
    guard function.dtypes.contains(x.dtype) else {
      throw GraphError("'\(function.rawValue)' is not defined for \(x).")
    }
    guard Set(axes).count == axes.count, axes.allSatisfy(x.shape.indices.contains) else {
      throw GraphError("needs distinct axes of \(x); received \(axes).")
    }
    return [x.with(x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] })]
  }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    let dtype = call.operandTypes[0].dtype
    call.sources = [Constant(function.identity(dtype))]
    call.regions = [try .combiner(function, dtype)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, g) = (context.operand, context.gradient)
    guard x.dtype.isFloating else { return [nil] }
    let kept = x.shape.indices.filter { !axes.contains($0) }
    func spread(_ t: Tensor) -> Tensor { t.broadcast(to: x.shape, axes: kept) }
    switch function {
    case .sum: return [spread(g)]
    case .max, .min: return [extremeGradient(x, g, kept)]
    case .product: return [productGradient(x, g, kept, spread)]
    case .and, .or: return [nil]
    }
  }

  /// The gradient goes to the first of the largest (or smallest) elements, as that of max pooling does. It is found by its
  /// index: elements that a compiler computes again, rounded otherwise, need not equal the extreme.
  private func extremeGradient(_ x: Tensor, _ g: Tensor, _ kept: [Int]) -> Tensor {
    guard x.type.elementCount > 0, !axes.isEmpty else { return axes.isEmpty ? g : x.zerosLike() }
    // Axes that follow each other count as one; others are brought together behind the kept ones.
    let sorted = axes.sorted()
    let isRun = sorted.count == sorted[sorted.count - 1] - sorted[0] + 1
    let order = isRun ? Array(x.shape.indices) : kept + sorted
    let place = isRun ? sorted[0] : kept.count
    let sizes = order.map { x.shape[$0] }
    let joined = sizes[..<place] + [axes.map { x.shape[$0] }.elementCount] + sizes[(place + axes.count)...]
    let lines = x.transposed(order).reshaped(Array(joined))
    let others = lines.shape.indices.filter { $0 != place }
    func spread(_ t: Tensor) -> Tensor { t.broadcast(to: lines.shape, axes: others) }
    let index = lines.argExtreme(place, function == .min)
    let isChosen = x.iota(lines.type.with(.int32), axis: place).equal(to: spread(index))
    let gradient = select(isChosen, spread(g), lines.zerosLike())
    var inverse = order
    for (position, axis) in order.enumerated() { inverse[axis] = position }
    return gradient.reshaped(sizes).transposed(inverse)
  }

  /// The product of the others, without dividing: that of all before times that of all after. So zeros among the
  /// elements are no problem for the gradient and for the gradient's gradient.
  private func productGradient(_ x: Tensor, _ g: Tensor, _ kept: [Int], _ spread: (Tensor) -> Tensor) -> Tensor {
    let order = kept + axes
    let sizes = order.map { x.shape[$0] }
    let lines = x.transposed(order).reshaped(kept.map { x.shape[$0] } + [axes.map { x.shape[$0] }.elementCount])
    let others = productBefore(lines, step: 1) * productBefore(lines, step: -1)
    var inverse = order
    for (position, axis) in order.enumerated() { inverse[axis] = position }
    return spread(g) * others.reshaped(sizes).transposed(inverse)
  }

  /// For each element of a line, the product of those before it (after it for step −1), in doubling steps.
  private func productBefore(_ lines: Tensor, step: Int) -> Tensor {
    func moved(_ t: Tensor, by distance: Int) -> Tensor {
      var low = t.shape.map { _ in 0 }
      low[t.rank - 1] = step * distance
      return t.padded(low: low, high: low.map { -$0 }, with: 1)
    }
    let count = lines.shape[lines.rank - 1]
    guard count > 0 else { return lines }
    var product = moved(lines, by: 1)
    var distance = 1
    while distance < count {
      product = product * moved(product, by: distance)
      distance = distance > count / 2 ? count : distance * 2
    }
    return product
  }
}

extension Tensor {
  private func reduced(_ function: Reduce.Function, _ axes: [Int]?, _ keepDims: Bool) -> Tensor {
    let axes = normalized(axes)
    let result = axes.isEmpty ? self : graph.add(Reduce(function, axes: axes), self)
    guard keepDims else { return result }
    return result.reshaped(shape.indices.map { axes.contains($0) ? 1 : shape[$0] })
  }

  /// The sum along `axes` (all for nil).
  public func sum(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.sum, axes, keepDims) }
  /// The product along `axes` (all for nil).
  public func product(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.product, axes, keepDims) }
  /// The largest element along `axes` (all for nil).
  public func max(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.max, axes, keepDims) }
  /// The smallest element along `axes` (all for nil).
  public func min(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.min, axes, keepDims) }
  /// Whether all elements along `axes` are true; bitwise "and" for integers.
  public func all(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.and, axes, keepDims) }
  /// Whether any element along `axes` is true; bitwise "or" for integers.
  public func any(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor { reduced(.or, axes, keepDims) }
  /// The mean along `axes` (all for nil).
  public func mean(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    let count = normalized(axes).map { shape[$0] }.elementCount
    return sum(axes: axes, keepDims: keepDims) / Double(Swift.max(count, 1))
  }
}
