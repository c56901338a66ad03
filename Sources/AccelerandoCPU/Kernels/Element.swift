// How kernels for all element types read, compute and write: narrow floats in Float, integers in Int64 (whose low bits
// are right for wrapping sums and products), bool as 0 and 1.

import AccelerandoCore

/// A number that kernels compute with.
protocol ComputeNumber: Comparable, Sendable {
  static var zero: Self { get }
  static var one: Self { get }
  func plus(_ other: Self) -> Self
  func times(_ other: Self) -> Self
  func larger(_ other: Self) -> Self
  func smaller(_ other: Self) -> Self
  func and(_ other: Self) -> Self
  func or(_ other: Self) -> Self
  /// The number that a widened element of a type computed in `Self` holds.
  init(_ scalar: Scalar64)
}

extension Int64: ComputeNumber {
  static var one: Int64 { 1 }
  func plus(_ other: Int64) -> Int64 { self &+ other }
  func times(_ other: Int64) -> Int64 { self &* other }
  func larger(_ other: Int64) -> Int64 { Swift.max(self, other) }
  func smaller(_ other: Int64) -> Int64 { Swift.min(self, other) }
  func and(_ other: Int64) -> Int64 { self & other }
  func or(_ other: Int64) -> Int64 { self | other }
  init(_ scalar: Scalar64) {
    if case .integer(let value) = scalar { self = value } else { self = 0 }
  }
}

extension ComputeNumber where Self: BinaryFloatingPoint {
  static var one: Self { 1 }
  func plus(_ other: Self) -> Self { self + other }
  func times(_ other: Self) -> Self { self * other }
  func larger(_ other: Self) -> Self { self != self || self > other ? self : other }
  func smaller(_ other: Self) -> Self { self != self || self < other ? self : other }
  func and(_ other: Self) -> Self { self }
  func or(_ other: Self) -> Self { self }
  init(_ scalar: Scalar64) {
    if case .float(let value) = scalar { self = Self(value) } else { self = 0 }
  }
}

extension Float: ComputeNumber {}
extension Double: ComputeNumber {}

/// An element as it is stored.
protocol Element: TensorScalar {
  associatedtype Compute: ComputeNumber
  var compute: Compute { get }
  init(compute: Compute)
}

extension Bool: Element {
  var compute: Int64 { self ? 1 : 0 }
  init(compute: Int64) { self = compute != 0 }
}

extension Element where Self: FixedWidthInteger, Compute == Int64 {
  var compute: Int64 { Int64(truncatingIfNeeded: self) }
  init(compute: Int64) { self = Self(truncatingIfNeeded: compute) }
}

extension Int8: Element { typealias Compute = Int64 }
extension UInt8: Element { typealias Compute = Int64 }
extension Int32: Element { typealias Compute = Int64 }
extension UInt32: Element { typealias Compute = Int64 }
extension Int64: Element { typealias Compute = Int64 }

extension Half: Element {
  var compute: Float { Float(doubleValue) }
  init(compute: Float) { self.init(nearestTo: Double(compute)) }
}

extension BFloat16: Element {
  var compute: Float { Float(bitPattern: UInt32(bits) << 16) }
  init(compute: Float) { self.init(nearestTo: Double(compute)) }
}

extension Float: Element {
  var compute: Float { self }
  init(compute: Float) { self = compute }
}

extension Double: Element {
  var compute: Double { self }
  init(compute: Double) { self = compute }
}

/// Work for one element type; lets a kernel be written once for all.
protocol ElementVisitor {
  associatedtype Result
  func visit<E: Element>(_: E.Type) -> Result
}

extension DType {
  /// Calls the visitor with the Swift type of the elements.
  func visit<Visitor: ElementVisitor>(_ visitor: Visitor) -> Visitor.Result {
    switch self {
    case .bool: visitor.visit(Bool.self)
    case .int8: visitor.visit(Int8.self)
    case .uint8: visitor.visit(UInt8.self)
    case .int32: visitor.visit(Int32.self)
    case .int64: visitor.visit(Int64.self)
    case .uint32: visitor.visit(UInt32.self)
    case .float16: visitor.visit(Half.self)
    case .bfloat16: visitor.visit(BFloat16.self)
    case .float32: visitor.visit(Float.self)
    case .float64: visitor.visit(Double.self)
    }
  }
}

extension Reduce.Function {
  /// The neutral element, widened; made when planning, so that a kernel need not.
  func scalarIdentity(_ dtype: DType) -> Scalar64 {
    identity(dtype).withUnsafeBytes { bytes in bytes.baseAddress.map { Scalar64.load($0, 0, dtype) } ?? .integer(0) }
  }

  /// Combines two numbers.
  @inline(__always)
  func combine<Number: ComputeNumber>(_ a: Number, _ b: Number) -> Number {
    switch self {
    case .sum: a.plus(b)
    case .product: a.times(b)
    case .max: a.larger(b)
    case .min: a.smaller(b)
    case .and: a.and(b)
    case .or: a.or(b)
    }
  }
}
