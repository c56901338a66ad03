// The elementwise functions of one operand: name, element types, gradient.

/// An elementwise function of one tensor.
public struct Unary: Operation {
  /// The functions, named as in StableHLO.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case negate, abs, sign, exponential, exponentialMinusOne, log, logPlusOne, sqrt, rsqrt, cbrt
    case tanh, logistic, sine, cosine, tan
    case floor, ceil, roundNearestEven, roundNearestAfz, isFinite, not, popcnt, countLeadingZeros
  }

  /// The function.
  public let function: Function

  /// Makes the operation.
  public init(_ function: Function) { self.function = function }

  public var name: String {
    switch function {
    case .exponentialMinusOne: "exponential_minus_one"
    case .logPlusOne: "log_plus_one"
    case .roundNearestEven: "round_nearest_even"
    case .roundNearestAfz: "round_nearest_afz"
    case .isFinite: "is_finite"
    case .countLeadingZeros: "count_leading_zeros"
    default: function.rawValue
    }
  }

  /// The element types that the function is defined for.
  public var dtypes: [DType] {
    switch function {
    case .negate: DType.allCases.filter { $0 != .bool }
    case .abs, .sign: DType.allCases.filter { $0 != .bool && !$0.isUnsigned }
    case .not: DType.allCases.filter { !$0.isFloating }
    case .popcnt, .countLeadingZeros: DType.allCases.filter(\.isInteger)
    default: DType.allCases.filter(\.isFloating)
    }
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard dtypes.contains(operands[0].dtype) else {
      throw GraphError(
        "takes elements of type \(dtypes.map(\.rawValue).joined(separator: ", ")); received \(operands[0]).")
    }
    return [function == .isFinite ? operands[0].with(.bool) : operands[0]]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.operand
    guard x.dtype.isFloating else { return [nil] }
    let y = context.result
    let g = context.gradient
    switch function {
    case .negate: return [-g]
    case .abs: return [g * x.sign()]
    case .exponential: return [g * y]
    case .exponentialMinusOne: return [g * (y + 1)]
    case .log: return [g / x]
    case .logPlusOne: return [g / (x + 1)]
    case .sqrt: return [g * 0.5 / y]
    case .rsqrt: return [g * -0.5 * y / x]
    case .cbrt: return [g / (3 * y * y)]
    case .tanh: return [g * (1 - y * y)]
    case .logistic: return [g * y * (1 - y)]
    case .sine: return [g * x.cos()]
    case .cosine: return [-(g * x.sin())]
    case .tan: return [g * (1 + y * y)]
    case .sign, .floor, .ceil, .roundNearestEven, .roundNearestAfz: return [x.zerosLike()]
    case .isFinite, .not, .popcnt, .countLeadingZeros: return [nil]
    }
  }
}

extension Tensor {
  private func unary(_ function: Unary.Function) -> Tensor { graph.add(Unary(function), self) }

  /// |x|, elementwise.
  public func abs() -> Tensor { unary(.abs) }
  /// −1, 0 or 1 by the sign of each element; NaN for NaN.
  public func sign() -> Tensor { unary(.sign) }
  /// eˣ, elementwise.
  public func exp() -> Tensor { unary(.exponential) }
  /// eˣ − 1, exact near zero.
  public func expm1() -> Tensor { unary(.exponentialMinusOne) }
  /// The natural logarithm, elementwise.
  public func log() -> Tensor { unary(.log) }
  /// log(1 + x), exact near zero.
  public func log1p() -> Tensor { unary(.logPlusOne) }
  /// The square root, elementwise.
  public func sqrt() -> Tensor { unary(.sqrt) }
  /// 1/√x, elementwise.
  public func rsqrt() -> Tensor { unary(.rsqrt) }
  /// The cube root, elementwise.
  public func cbrt() -> Tensor { unary(.cbrt) }
  /// The hyperbolic tangent, elementwise.
  public func tanh() -> Tensor { unary(.tanh) }
  /// The logistic function 1/(1 + e⁻ˣ), elementwise.
  public func sigmoid() -> Tensor { unary(.logistic) }
  /// The sine of each element, in radians.
  public func sin() -> Tensor { unary(.sine) }
  /// The cosine of each element, in radians.
  public func cos() -> Tensor { unary(.cosine) }
  /// The tangent of each element, in radians.
  public func tan() -> Tensor { unary(.tan) }
  /// The largest integer not above each element.
  public func floor() -> Tensor { unary(.floor) }
  /// The smallest integer not below each element.
  public func ceil() -> Tensor { unary(.ceil) }
  /// The nearest integer, ties to even.
  public func round() -> Tensor { unary(.roundNearestEven) }
  /// The nearest integer, ties away from zero.
  public func roundAwayFromZero() -> Tensor { unary(.roundNearestAfz) }
  /// Whether each element is neither infinite nor NaN, as `bool`.
  public func isFinite() -> Tensor { unary(.isFinite) }
  /// The number of bits that are set in each integer.
  public func popcnt() -> Tensor { unary(.popcnt) }
  /// The number of zero bits above the highest set one.
  public func countLeadingZeros() -> Tensor { unary(.countLeadingZeros) }
  /// x², elementwise.
  public func squared() -> Tensor { self * self }

  /// The negative of each element.
  public static prefix func - (x: Tensor) -> Tensor { x.unary(.negate) }
  /// Logical negation of `bool`, bitwise negation of integers.
  public static prefix func ! (x: Tensor) -> Tensor { x.unary(.not) }
}

/// Checks the number of operands, for type rules.
func requireCount(_ operands: [TensorType], _ count: Int) throws(GraphError) {
  guard operands.count == count else {
    throw GraphError("takes \(count) operands; received \(operands.count).")
  }
}
