// The elementwise functions of two operands of the same type.

/// An elementwise function of two tensors of the same type.
public struct Binary: Operation {
  /// The functions, named as in StableHLO.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum, power, remainder, atan2
    case and, or, xor, shiftLeft, shiftRightLogical, shiftRightArithmetic
  }

  /// The function.
  public let function: Function

  /// Makes the operation.
  public init(_ function: Function) { self.function = function }

  public var name: String {
    switch function {
    case .shiftLeft: "shift_left"
    case .shiftRightLogical: "shift_right_logical"
    case .shiftRightArithmetic: "shift_right_arithmetic"
    default: function.rawValue
    }
  }

  /// The element types that the function is defined for. On `bool`, `add` is "or" and `multiply` is "and".
  public var dtypes: [DType] {
    switch function {
    case .add, .multiply, .maximum, .minimum: DType.allCases
    case .subtract, .divide, .power, .remainder: DType.allCases.filter { $0 != .bool }
    case .atan2: DType.allCases.filter(\.isFloating)
    case .and, .or, .xor: DType.allCases.filter { !$0.isFloating }
    case .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: DType.allCases.filter(\.isInteger)
    }
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    guard operands[0] == operands[1] else {
      throw GraphError(
        "needs two tensors of the same type, or of shapes that broadcast; received \(operands[0]) and \(operands[1]).")
    }
    guard dtypes.contains(operands[0].dtype) else {
      throw GraphError(
        "takes elements of type \(dtypes.map(\.rawValue).joined(separator: ", ")); received \(operands[0]).")
    }
    return [operands[0]]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (a, b) = (context.operands[0], context.operands[1])
    guard a.dtype.isFloating else { return [nil, nil] }
    let y = context.result
    let g = context.gradient
    switch function {
    case .add: return [g, g]
    case .subtract: return [g, -g]
    case .multiply: return [g * b, g * a]
    case .divide: return [g / b, -(g * y / b)]
    case .maximum, .minimum:
      // Where both are equal, each gets half: which treats them alike.
      if a.uniformValue != nil || b.uniformValue != nil {
        // A known limit has no gradient, so that there is only one answer to use.
        let half = select(a.equal(to: b), g * 0.5, g.zerosLike())
        let first = function == .maximum ? a.greater(than: b) : a.less(than: b)
        let second = function == .maximum ? b.greater(than: a) : b.less(than: a)
        return [select(first, g, half), select(second, g, half)]
      }
      let order = function == .maximum ? a.threeWayCompared(to: b) : b.threeWayCompared(to: a)
      let half = select(order.equal(to: order.zerosLike()), g * 0.5, g.zerosLike())
      return [
        select(order.greater(than: order.zerosLike()), g, half), select(order.less(than: order.zerosLike()), g, half),
      ]
    case .power:
      let byBase = g * b * a.power(b - 1)
      let logarithm = select(a.equal(to: a.zerosLike()), a.onesLike(), a).log()
      let byExponent = select(a.equal(to: a.zerosLike()), a.zerosLike(), g * y * logarithm)
      return [select(b.equal(to: b.zerosLike()), a.zerosLike(), byBase), byExponent]
    case .remainder:
      let quotient = a / b
      let truncated = select(quotient.less(than: quotient.zerosLike()), quotient.ceil(), quotient.floor())
      return [g, -(g * truncated)]
    case .atan2:
      let squared = a * a + b * b
      return [g * b / squared, -(g * a / squared)]
    case .and, .or, .xor, .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: return [nil, nil]
    }
  }
}

extension Tensor {
  private static func binary(_ function: Binary.Function, _ a: Tensor, _ b: Tensor) -> Tensor {
    let (x, y) = broadcasting(a, b)
    return a.graph.add(Binary(function), x, y)
  }

  /// The sum, elementwise, broadcasting.
  public static func + (a: Tensor, b: Tensor) -> Tensor { binary(.add, a, b) }
  /// The difference, elementwise, broadcasting.
  public static func - (a: Tensor, b: Tensor) -> Tensor { binary(.subtract, a, b) }
  /// The product, elementwise, broadcasting.
  public static func * (a: Tensor, b: Tensor) -> Tensor { binary(.multiply, a, b) }
  /// The quotient, elementwise, broadcasting; integers truncate toward zero.
  public static func / (a: Tensor, b: Tensor) -> Tensor { binary(.divide, a, b) }
  /// The sum of each element and a number.
  public static func + (a: Tensor, b: Double) -> Tensor { binary(.add, a, a.scalar(b)) }
  /// The sum of a number and each element.
  public static func + (a: Double, b: Tensor) -> Tensor { binary(.add, b.scalar(a), b) }
  /// The difference of each element and a number.
  public static func - (a: Tensor, b: Double) -> Tensor { binary(.subtract, a, a.scalar(b)) }
  /// The difference of a number and each element.
  public static func - (a: Double, b: Tensor) -> Tensor { binary(.subtract, b.scalar(a), b) }
  /// The product of each element and a number.
  public static func * (a: Tensor, b: Double) -> Tensor { binary(.multiply, a, a.scalar(b)) }
  /// The product of a number and each element.
  public static func * (a: Double, b: Tensor) -> Tensor { binary(.multiply, b.scalar(a), b) }
  /// The quotient of each element and a number.
  public static func / (a: Tensor, b: Double) -> Tensor { binary(.divide, a, a.scalar(b)) }
  /// The quotient of a number and each element.
  public static func / (a: Double, b: Tensor) -> Tensor { binary(.divide, b.scalar(a), b) }

  /// The larger of two elements; NaN if either is.
  public func maximum(_ other: Tensor) -> Tensor { Self.binary(.maximum, self, other) }
  /// The smaller of two elements; NaN if either is.
  public func minimum(_ other: Tensor) -> Tensor { Self.binary(.minimum, self, other) }
  /// The larger of each element and a number.
  public func maximum(_ other: Double) -> Tensor { maximum(scalar(other)) }
  /// The smaller of each element and a number.
  public func minimum(_ other: Double) -> Tensor { minimum(scalar(other)) }
  /// Each element raised to a power.
  public func power(_ exponent: Tensor) -> Tensor { Self.binary(.power, self, exponent) }
  /// Each element raised to a power.
  public func power(_ exponent: Double) -> Tensor { power(scalar(exponent)) }
  /// The remainder of a truncating division: it has the sign of the dividend.
  public func remainder(_ divisor: Tensor) -> Tensor { Self.binary(.remainder, self, divisor) }
  /// The angle of the point (x, self), in radians.
  public func atan2(_ x: Tensor) -> Tensor { Self.binary(.atan2, self, x) }
  /// Logical or bitwise "and".
  public func and(_ other: Tensor) -> Tensor { Self.binary(.and, self, other) }
  /// Logical or bitwise "or".
  public func or(_ other: Tensor) -> Tensor { Self.binary(.or, self, other) }
  /// Logical or bitwise "exclusive or".
  public func xor(_ other: Tensor) -> Tensor { Self.binary(.xor, self, other) }
  /// Bits shifted left; 0 if shifted by the width or more.
  public func shiftLeft(_ count: Tensor) -> Tensor { Self.binary(.shiftLeft, self, count) }
  /// Bits shifted right, filled with zeros.
  public func shiftRightLogical(_ count: Tensor) -> Tensor { Self.binary(.shiftRightLogical, self, count) }
  /// Bits shifted right, filled with the sign bit.
  public func shiftRightArithmetic(_ count: Tensor) -> Tensor { Self.binary(.shiftRightArithmetic, self, count) }
}
