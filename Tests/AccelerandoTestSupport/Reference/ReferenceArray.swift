// The oracle's tensors: every element is a Double or an Int64, whatever the element type, so that each rule is written
// once and with the widest arithmetic there is. Narrow types come back by rounding or wrapping after every operation.

import AccelerandoCore

/// One element of a tensor of any type. Booleans are the integers 0 and 1; unsigned integers are not negative.
enum ReferenceScalar: Equatable {
  case real(Double)
  case integer(Int64)

  /// The element as a Double, for real arithmetic.
  var real: Double {
    switch self {
    case .real(let value): value
    case .integer(let value): Double(value)
    }
  }

  /// The element as an integer; only asked of elements of integer types.
  var integer: Int64 {
    switch self {
    case .real(let value): Int64(nearestTo: value)
    case .integer(let value): value
    }
  }

  /// Whether a predicate holds.
  var isTrue: Bool { integer != 0 }
}

/// A tensor of the oracle.
struct ReferenceArray {
  var type: TensorType
  /// The elements in row-major order.
  var elements: [ReferenceScalar]

  var shape: [Int] { type.shape }
  var dtype: DType { type.dtype }

  init(_ type: TensorType, _ elements: [ReferenceScalar]) {
    self.type = type
    self.elements = elements
  }

  init(repeating element: ReferenceScalar, _ type: TensorType) {
    self.init(type, [ReferenceScalar](repeating: element, count: type.elementCount))
  }

  /// Computes each element from its index, in row-major order.
  init(_ type: TensorType, element: (_ index: [Int]) throws -> ReferenceScalar) rethrows {
    self.type = type
    elements = []
    elements.reserveCapacity(type.elementCount)
    try forEachIndex(type.shape) { elements.append(try element($0)) }
  }

  init(_ array: NDArray) {
    type = array.type
    elements =
      array.dtype.isFloating
      ? array.elements(as: Double.self).map { .real($0) } : array.integerElements().map { .integer($0) }
  }

  /// The element at an index that lies inside.
  subscript(index: [Int]) -> ReferenceScalar {
    get { elements[offset(index)] }
    set { elements[offset(index)] = newValue }
  }

  /// The element at an index, nil outside.
  func element(ifInside index: [Int]) -> ReferenceScalar? {
    for (position, size) in zip(index, shape) where position < 0 || position >= size { return nil }
    return self[index]
  }

  private func offset(_ index: [Int]) -> Int {
    var offset = 0
    for (axis, size) in shape.enumerated() { offset = offset * size + index[axis] }
    return offset
  }

  /// The elements as they are kept on the host.
  func array() throws -> NDArray {
    switch dtype {
    case .bool: try NDArray(elements.map(\.isTrue), shape: shape)
    case .int8: try NDArray(elements.map { Int8(truncatingIfNeeded: $0.integer) }, shape: shape)
    case .uint8: try NDArray(elements.map { UInt8(truncatingIfNeeded: $0.integer) }, shape: shape)
    case .int32: try NDArray(elements.map { Int32(truncatingIfNeeded: $0.integer) }, shape: shape)
    case .int64: try NDArray(elements.map(\.integer), shape: shape)
    case .uint32: try NDArray(elements.map { UInt32(truncatingIfNeeded: $0.integer) }, shape: shape)
    case .float16: try NDArray(elements.map { Half(nearestTo: $0.real) }, shape: shape)
    case .bfloat16: try NDArray(elements.map { BFloat16(nearestTo: $0.real) }, shape: shape)
    case .float32: try NDArray(elements.map { Float($0.real) }, shape: shape)
    case .float64: try NDArray(elements.map(\.real), shape: shape)
    }
  }

  /// Every element rounded to what its type can hold.
  func rounded() -> ReferenceArray {
    dtype.isFloating && dtype != .float64
      ? ReferenceArray(type, elements.map { .real(dtype.rounded($0.real)) }) : self
  }
}

extension NDArray {
  /// The elements of an array of integers or booleans, all 64 bits of them.
  func integerElements() -> [Int64] {
    dtype == .int64 ? elements(as: Int64.self) : elements(as: Double.self).map { Int64($0) }
  }
}

extension DType {
  /// The number of bits of an integer type.
  var bitCount: Int { self == .bool ? 1 : byteCount * 8 }

  /// The number of this floating-point type that lies nearest to `value`.
  func rounded(_ value: Double) -> Double {
    switch self {
    case .float16: Half(nearestTo: value).doubleValue
    case .bfloat16: BFloat16(nearestTo: value).doubleValue
    case .float32: Double(Float(value))
    default: value
    }
  }

  /// The integer of this type whose bits are the low bits of `value`.
  func wrapped(_ value: Int64) -> Int64 {
    switch self {
    case .bool: value & 1
    case .int8: Int64(Int8(truncatingIfNeeded: value))
    case .uint8: Int64(UInt8(truncatingIfNeeded: value))
    case .int32: Int64(Int32(truncatingIfNeeded: value))
    case .uint32: Int64(UInt32(truncatingIfNeeded: value))
    default: value
    }
  }

  /// The bits that belong to the width of an integer type.
  var bitMask: UInt64 { bitCount == 64 ? .max : 1 << UInt64(bitCount) - 1 }

  /// Zero, as an element of this type.
  var zero: ReferenceScalar { isFloating ? .real(0) : .integer(0) }
}

/// Calls `body` with every index of a tensor of `shape`, in row-major order; once, with no axes, for a scalar.
func forEachIndex(_ shape: [Int], _ body: ([Int]) throws -> Void) rethrows {
  guard !shape.contains(0) else { return }
  var index = [Int](repeating: 0, count: shape.count)
  while true {
    try body(index)
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] += 1
      if index[axis] < shape[axis] { break }
      index[axis] = 0
      axis -= 1
    }
    if axis < 0 { return }
  }
}
