// The element types of tensors, and the Swift types that represent them on the host. Everything that depends on the
// number format asks here, so that a new format is added in one place.

/// The element type of a tensor.
public enum DType: String, Hashable, Sendable, CaseIterable, Codable {
  case bool, int8, uint8, int32, int64, uint32, float16, bfloat16, float32, float64

  /// Bytes that one element takes in memory; a `bool` takes one, holding 0 or 1.
  public var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8: 1
    case .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .float64: 8
    }
  }

  /// Whether the elements are floating-point numbers.
  public var isFloating: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// Whether the elements are integers, `bool` not among them.
  public var isInteger: Bool { !isFloating && self != .bool }

  /// Whether the elements are unsigned integers.
  public var isUnsigned: Bool { self == .uint8 || self == .uint32 }

  /// The name that StableHLO gives to the type, as in `tensor<2x3xf32>`.
  public var stableHLOName: String {
    switch self {
    case .bool: "i1"
    case .int8: "i8"
    case .uint8: "ui8"
    case .int32: "i32"
    case .int64: "i64"
    case .uint32: "ui32"
    case .float16: "f16"
    case .bfloat16: "bf16"
    case .float32: "f32"
    case .float64: "f64"
    }
  }
}

/// A Swift type whose values are the elements of tensors of one `DType`.
public protocol TensorScalar: Hashable, Sendable {
  /// The element type that this Swift type stands for.
  static var dtype: DType { get }
  /// The value as a `Double`; exact except for 64-bit integers beyond 2⁵³.
  var doubleValue: Double { get }
  /// The value nearest to `value`: integers truncate toward zero and saturate, NaN becomes 0, `bool` is true unless 0.
  init(nearestTo value: Double)
}

extension Bool: TensorScalar {
  public static var dtype: DType { .bool }
  public var doubleValue: Double { self ? 1 : 0 }
  public init(nearestTo value: Double) { self = value != 0 }
}

extension TensorScalar where Self: FixedWidthInteger {
  public var doubleValue: Double { Double(self) }
  public init(nearestTo value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}

extension Int8: TensorScalar { public static var dtype: DType { .int8 } }
extension UInt8: TensorScalar { public static var dtype: DType { .uint8 } }
extension Int32: TensorScalar { public static var dtype: DType { .int32 } }
extension Int64: TensorScalar { public static var dtype: DType { .int64 } }
extension UInt32: TensorScalar { public static var dtype: DType { .uint32 } }

extension Float: TensorScalar {
  public static var dtype: DType { .float32 }
  public var doubleValue: Double { Double(self) }
  public init(nearestTo value: Double) { self = Float(value) }
}

extension Double: TensorScalar {
  public static var dtype: DType { .float64 }
  public var doubleValue: Double { self }
  public init(nearestTo value: Double) { self = value }
}

/// IEEE 754 half precision, stored as its bits so that it exists on every platform.
public struct Half: TensorScalar {
  public static var dtype: DType { .float16 }
  /// The sixteen bits: sign, five of exponent, ten of fraction.
  public var bits: UInt16
  public init(bits: UInt16) { self.bits = bits }
  public var doubleValue: Double { decodeSmallFloat(bits, exponentBits: 5, fractionBits: 10) }
  public init(nearestTo value: Double) { bits = encodeSmallFloat(value, exponentBits: 5, fractionBits: 10) }
}

/// The upper half of a `Float`: eight bits of exponent, seven of fraction.
public struct BFloat16: TensorScalar {
  public static var dtype: DType { .bfloat16 }
  /// The sixteen bits: sign, eight of exponent, seven of fraction.
  public var bits: UInt16
  public init(bits: UInt16) { self.bits = bits }
  public var doubleValue: Double { Double(Float(bitPattern: UInt32(bits) << 16)) }
  public init(nearestTo value: Double) { bits = encodeSmallFloat(value, exponentBits: 8, fractionBits: 7) }
}

private func decodeSmallFloat(_ bits: UInt16, exponentBits: Int, fractionBits: Int) -> Double {
  let sign: Double = bits >> 15 == 0 ? 1 : -1
  let exponentMask = (1 << exponentBits) - 1
  let exponent = (Int(bits) >> fractionBits) & exponentMask
  let fraction = Double(Int(bits) & ((1 << fractionBits) - 1))
  let bias = exponentMask >> 1
  if exponent == exponentMask { return fraction == 0 ? sign * .infinity : .nan }
  let scale = Double(sign: .plus, exponent: (exponent == 0 ? 1 : exponent) - bias - fractionBits, significand: 1)
  let implicit = exponent == 0 ? 0 : Double(1 << fractionBits)
  return sign * (implicit + fraction) * scale
}

/// Rounds to nearest, ties to even, directly from double: rounding twice (through `Float`) would be wrong in rare
/// cases.
private func encodeSmallFloat(_ value: Double, exponentBits: Int, fractionBits: Int) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
  let exponentMask = (1 << exponentBits) - 1
  let bias = exponentMask >> 1
  if value.isNaN { return UInt16(exponentMask << fractionBits | 1 << (fractionBits - 1)) | sign }
  let magnitude = value.magnitude
  if magnitude == 0 { return sign }
  let infinity = UInt16(exponentMask << fractionBits) | sign
  if magnitude.isInfinite { return infinity }
  let exponent = max(Int(magnitude.exponent), 1 - bias)
  if exponent > bias { return infinity }
  let units = (magnitude * Double(sign: .plus, exponent: fractionBits - exponent, significand: 1))
    .rounded(.toNearestOrEven)
  // `units` counts steps of the last fraction bit; a carry out of the fraction increments the exponent.
  let encoded = Int(units) + (exponent + bias - 1) << fractionBits
  return encoded >= exponentMask << fractionBits ? infinity : UInt16(encoded) | sign
}
