// Reductions along axes.

/// Combines the elements along some axes with one of six functions; the axes disappear.
public struct Reduce: Operation {
  /// The functions, named as the StableHLO operation that combines two elements.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case sum = "add"
    case product = "multiply"
    case max = "maximum"
    case min = "minimum"
    case and, or

    /// The value that changes nothing: what the reduction of no elements gives.
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
  /// The axes that disappear.
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
    call.constants = [function.identity(dtype)]
    call.regions = [try .combiner(function, dtype)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, y, g) = (context.operand, context.result, context.gradient)
    guard x.dtype.isFloating else { return [nil] }
    let kept = x.shape.indices.filter { !axes.contains($0) }
    func spread(_ t: Tensor) -> Tensor { t.broadcast(to: x.shape, axes: kept) }
    switch function {
    case .sum: return [spread(g)]
    case .max, .min:
      // Elements that share the extreme share the gradient.
      let hit = x.equal(to: spread(y)).converted(to: x.dtype)
      return [hit * spread(g / hit.sum(axes: axes))]
    case .product: return [productGradient(x, g, spread)]
    case .and, .or: return [nil]
    }
  }

  /// The product of the others, without dividing: a zero among the elements must not spoil the gradient.
  private func productGradient(_ x: Tensor, _ g: Tensor, _ spread: (Tensor) -> Tensor) -> Tensor {
    let isZero = x.equal(to: x.zerosLike())
    let zeros = isZero.converted(to: x.dtype).sum(axes: axes)
    let safe = select(isZero, x.onesLike(), x)
    let product = x.graph.add(Reduce(.product, axes: axes), safe)
    let others = spread(product) / safe
    let noZeros = spread(zeros.equal(to: zeros.zerosLike()))
    let oneZero = spread(zeros.equal(to: zeros.onesLike()))
    let zero = x.zerosLike()
    return spread(g) * select(noZeros, others, select(oneZero.and(isZero), others, zero))
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
