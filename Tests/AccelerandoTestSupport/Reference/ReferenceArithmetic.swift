// What each elementwise function means for one element: IEEE arithmetic in Double, and integers that wrap in their
// width, with StableHLO's answers where arithmetic has none (division by zero, shifts beyond the width).

import AccelerandoCore
import Foundation

extension Unary.Function {
  /// The function of one element of type `dtype`.
  func apply(_ x: ReferenceScalar, _ dtype: DType) -> ReferenceScalar {
    if self == .isFinite { return .integer(x.real.isFinite ? 1 : 0) }
    return dtype.isFloating ? .real(real(x.real)) : .integer(dtype.wrapped(integer(x.integer, dtype)))
  }

  private func real(_ x: Double) -> Double {
    switch self {
    case .negate: -x
    case .abs: x.magnitude
    case .sign: x.isNaN || x == 0 ? x : x < 0 ? -1 : 1
    case .exponential: exp(x)
    case .exponentialMinusOne: expm1(x)
    case .log: Foundation.log(x)
    case .logPlusOne: log1p(x)
    case .sqrt: x.squareRoot()
    case .rsqrt: 1 / x.squareRoot()
    case .cbrt: Foundation.cbrt(x)
    case .tanh: Foundation.tanh(x)
    case .logistic: 1 / (1 + exp(-x))
    case .sine: sin(x)
    case .cosine: cos(x)
    case .tan: Foundation.tan(x)
    case .floor: x.rounded(.down)
    case .ceil: x.rounded(.up)
    case .roundNearestEven: x.rounded(.toNearestOrEven)
    case .roundNearestAfz: x.rounded(.toNearestOrAwayFromZero)
    case .isFinite, .not, .popcnt, .countLeadingZeros: .nan
    }
  }

  private func integer(_ x: Int64, _ dtype: DType) -> Int64 {
    let bits = UInt64(bitPattern: x) & dtype.bitMask
    switch self {
    case .negate: return 0 &- x
    case .abs: return x < 0 ? 0 &- x : x
    case .sign: return x.signum()
    case .not: return ~x
    case .popcnt: return Int64(bits.nonzeroBitCount)
    case .countLeadingZeros: return Int64(bits.leadingZeroBitCount - (64 - dtype.bitCount))
    default: return 0
    }
  }
}

extension Binary.Function {
  /// The function of two elements of type `dtype`.
  func apply(_ a: ReferenceScalar, _ b: ReferenceScalar, _ dtype: DType) -> ReferenceScalar {
    if dtype.isFloating { return .real(real(a.real, b.real)) }
    if dtype == .bool { return .integer(boolean(a.integer, b.integer)) }
    return .integer(dtype.wrapped(integer(a.integer, b.integer, dtype)))
  }

  private func real(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: a.isNaN || b.isNaN ? .nan : a > b ? a : b
    case .minimum: a.isNaN || b.isNaN ? .nan : a < b ? a : b
    case .power: pow(a, b)
    case .remainder: fmod(a, b)
    case .atan2: Foundation.atan2(a, b)
    case .and, .or, .xor, .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: .nan
    }
  }

  private func boolean(_ a: Int64, _ b: Int64) -> Int64 {
    switch self {
    case .add, .maximum, .or: a | b
    case .multiply, .minimum, .and: a & b
    default: a ^ b
    }
  }

  private func integer(_ a: Int64, _ b: Int64, _ dtype: DType) -> Int64 {
    switch self {
    case .add: return a &+ b
    case .subtract: return a &- b
    case .multiply: return a &* b
    case .divide: return b == 0 ? -1 : b == -1 ? 0 &- a : a / b
    case .remainder: return b == 0 ? a : b == -1 ? 0 : a % b
    case .maximum: return max(a, b)
    case .minimum: return min(a, b)
    case .power: return power(a, b)
    case .and: return a & b
    case .or: return a | b
    case .xor: return a ^ b
    case .atan2: return 0
    case .shiftLeft: return isInWidth(b, dtype) ? a << b : 0
    case .shiftRightLogical:
      return isInWidth(b, dtype) ? Int64(bitPattern: (UInt64(bitPattern: a) & dtype.bitMask) >> UInt64(b)) : 0
    case .shiftRightArithmetic:
      // The sign is the top bit of the width, for unsigned types too.
      let top = Int64(64 - dtype.bitCount)
      let signed = (a << top) >> top
      return signed >> (isInWidth(b, dtype) ? b : 63)
    }
  }

  private func isInWidth(_ count: Int64, _ dtype: DType) -> Bool { count >= 0 && count < dtype.bitCount }

  /// Integer powers wrap; of the negative ones only those of 1 and −1 are integers, the others are 0.
  private func power(_ base: Int64, _ exponent: Int64) -> Int64 {
    if exponent < 0 { return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0 }
    var (result, square, rest) = (Int64(1), base, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result = result &* square }
      square = square &* square
      rest >>= 1
    }
    return result
  }
}

extension Compare.Direction {
  /// Whether the comparison of two elements of one type holds.
  func holds(_ a: ReferenceScalar, _ b: ReferenceScalar, _ dtype: DType) -> Bool {
    func compare<Value: Comparable>(_ x: Value, _ y: Value) -> Bool {
      switch self {
      case .equal: x == y
      case .notEqual: x != y
      case .less: x < y
      case .lessOrEqual: x <= y
      case .greater: x > y
      case .greaterOrEqual: x >= y
      }
    }
    return dtype.isFloating ? compare(a.real, b.real) : compare(a.integer, b.integer)
  }
}

/// An element of type `source` as one of type `target`.
func convert(_ x: ReferenceScalar, from source: DType, to target: DType) -> ReferenceScalar {
  switch (source.isFloating, target.isFloating) {
  case (true, true): return x
  case (false, true):
    return .real(target == .float32 ? Double(Float(x.integer)) : target == .bfloat16 ? sticky(x.integer) : x.real)
  case (false, false):
    return .integer(target == .bool ? (x.integer == 0 ? 0 : 1) : target.wrapped(x.integer))
  case (true, false):
    switch target {
    case .bool: return .integer(x.real == 0 ? 0 : 1)
    case .int8: return .integer(Int64(Int8(nearestTo: x.real)))
    case .uint8: return .integer(Int64(UInt8(nearestTo: x.real)))
    case .int32: return .integer(Int64(Int32(nearestTo: x.real)))
    case .uint32: return .integer(Int64(UInt32(nearestTo: x.real)))
    default: return .integer(Int64(nearestTo: x.real))
    }
  }
}

/// The integer as a Double from which rounding once more gives what rounding it once would: of an integer that a Double
/// cannot hold, the bits that fall off are replaced by one that says "there was more".
private func sticky(_ x: Int64) -> Double {
  x.magnitude < 1 << 53 || x & 0xfff == 0 ? Double(x) : Double(x & ~0xfff | 0x800)
}
