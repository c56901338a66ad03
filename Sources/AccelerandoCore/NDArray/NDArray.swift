// Tensors on the host: inputs and outputs of programs, contents of files, numbers to print. The bytes are row-major and
// shared between copies until one of them is written to.

/// A tensor on the host, row-major, with value semantics.
public struct NDArray: Sendable {
  /// The element type and shape.
  public private(set) var type: TensorType
  private var storage: Storage

  /// The element type.
  public var dtype: DType { type.dtype }
  /// The size of each dimension.
  public var shape: [Int] { type.shape }
  /// The number of elements.
  public var elementCount: Int { type.elementCount }
  /// The number of bytes.
  public var byteCount: Int { type.byteCount }

  /// Makes an array of zeros (`false` for `bool`).
  public init(zeros type: TensorType) {
    self.type = type
    storage = Storage(byteCount: type.byteCount)
    storage.bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Makes an array from its elements in row-major order.
  /// - Throws: `GraphError` when the number of elements is not the product of `shape`.
  public init<Scalar: TensorScalar>(_ elements: [Scalar], shape: [Int]) throws {
    guard shape.allSatisfy({ $0 >= 0 }), elements.count == shape.elementCount else {
      throw GraphError(
        "an array of shape \(shape) needs \(shape.elementCount) elements; received \(elements.count).")
    }
    self.init(uncheckedElements: elements, shape: shape)
  }

  /// Makes a vector of the elements.
  public init<Scalar: TensorScalar>(_ elements: [Scalar]) {
    self.init(uncheckedElements: elements, shape: [elements.count])
  }

  /// Makes a scalar.
  public init<Scalar: TensorScalar>(scalar: Scalar) {
    self.init(uncheckedElements: [scalar], shape: [])
  }

  /// Makes an array of `type` in which every element is the one nearest to `value`.
  public init(repeating value: Double, type: TensorType) {
    self.init(zeros: type)
    guard value != 0 else { return }
    switch type.dtype {
    case .bool: fill(Bool(nearestTo: value))
    case .int8: fill(Int8(nearestTo: value))
    case .uint8: fill(UInt8(nearestTo: value))
    case .int32: fill(Int32(nearestTo: value))
    case .int64: fill(Int64(nearestTo: value))
    case .uint32: fill(UInt32(nearestTo: value))
    case .float16: fill(Half(nearestTo: value))
    case .bfloat16: fill(BFloat16(nearestTo: value))
    case .float32: fill(Float(nearestTo: value))
    case .float64: fill(value)
    }
  }

  /// Makes an array over bytes in row-major order, little-endian.
  /// - Throws: `GraphError` when there are not exactly `type.byteCount` bytes.
  public init(bytes: UnsafeRawBufferPointer, type: TensorType) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("an array \(type) needs \(type.byteCount) bytes; received \(bytes.count).")
    }
    self.type = type
    storage = Storage(byteCount: bytes.count)
    storage.bytes.copyMemory(from: bytes)
  }

  /// Makes an array over memory that it does not own and that nobody writes to, such as a mapped file.
  /// The memory must hold `type.byteCount` bytes; `owner` keeps it alive.
  public init(borrowing bytes: UnsafeRawBufferPointer, type: TensorType, owner: any AnyObject & Sendable) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("an array \(type) needs \(type.byteCount) bytes; received \(bytes.count).")
    }
    self.type = type
    storage = Storage(borrowing: bytes, owner: owner)
  }

  private init<Scalar: TensorScalar>(uncheckedElements elements: [Scalar], shape: [Int]) {
    type = TensorType(Scalar.dtype, shape)
    storage = Storage(byteCount: type.byteCount)
    elements.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
  }

  private mutating func fill<Scalar: TensorScalar>(_ value: Scalar) {
    withUnsafeMutableBytes { $0.bindMemory(to: Scalar.self).update(repeating: value) }
  }

  /// Calls `body` with the bytes of the elements.
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(storage.bytes))
  }

  /// Calls `body` with the bytes of the elements for writing, after copying them if they are shared.
  public mutating func withUnsafeMutableBytes<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if !isKnownUniquelyReferenced(&storage) || storage.isBorrowed {
      let copy = Storage(byteCount: byteCount)
      copy.bytes.copyMemory(from: UnsafeRawBufferPointer(storage.bytes))
      storage = copy
    }
    return try body(storage.bytes)
  }

  /// The elements in row-major order, converted to `Scalar` as `TensorScalar.init(nearestTo:)` does when the types
  /// differ.
  public func elements<Scalar: TensorScalar>(as _: Scalar.Type = Scalar.self) -> [Scalar] {
    func read<Stored: TensorScalar>(_: Stored.Type) -> [Scalar] {
      withUnsafeBytes { bytes in
        let stored = bytes.bindMemory(to: Stored.self)
        if Stored.self == Scalar.self { return Array(bytes.bindMemory(to: Scalar.self)) }
        return stored.map { Scalar(nearestTo: $0.doubleValue) }
      }
    }
    switch dtype {
    case .bool: return read(Bool.self)
    case .int8: return read(Int8.self)
    case .uint8: return read(UInt8.self)
    case .int32: return read(Int32.self)
    case .int64: return read(Int64.self)
    case .uint32: return read(UInt32.self)
    case .float16: return read(Half.self)
    case .bfloat16: return read(BFloat16.self)
    case .float32: return read(Float.self)
    case .float64: return read(Double.self)
    }
  }

  /// The array with every element converted to `dtype`.
  public func converted(to dtype: DType) -> NDArray {
    if dtype == self.dtype { return self }
    func write<Scalar: TensorScalar>(_: Scalar.Type) -> NDArray {
      NDArray(uncheckedElements: elements(as: Scalar.self), shape: shape)
    }
    switch dtype {
    case .bool: return write(Bool.self)
    case .int8: return write(Int8.self)
    case .uint8: return write(UInt8.self)
    case .int32: return write(Int32.self)
    case .int64: return write(Int64.self)
    case .uint32: return write(UInt32.self)
    case .float16: return write(Half.self)
    case .bfloat16: return write(BFloat16.self)
    case .float32: return write(Float.self)
    case .float64: return write(Double.self)
    }
  }

  /// The same elements in another shape of the same size.
  /// - Throws: `GraphError` when the number of elements differs.
  public func reshaped(_ shape: [Int]) throws -> NDArray {
    guard shape.allSatisfy({ $0 >= 0 }), shape.elementCount == elementCount else {
      throw GraphError("an array of shape \(self.shape) cannot be seen as \(shape).")
    }
    var result = self
    result.type.shape = shape
    return result
  }

  /// The rows `range` along the first dimension, as a copy.
  /// - Throws: `GraphError` when there is no such range.
  public func rows(_ range: Range<Int>) throws -> NDArray {
    guard let count = shape.first, range.lowerBound >= 0, range.upperBound <= count else {
      throw GraphError("rows \(range) of an array of shape \(shape) do not exist.")
    }
    let rowBytes = count == 0 ? 0 : byteCount / count
    return try withUnsafeBytes { bytes in
      try NDArray(
        bytes: UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]),
        type: type.with([range.count] + shape.dropFirst()))
    }
  }
}

extension NDArray: Hashable {
  /// Equal if type and bytes are: two NaNs with the same bits are equal here, and 0 and −0 are not.
  public static func == (left: NDArray, right: NDArray) -> Bool {
    left.type == right.type
      && left.withUnsafeBytes { a in right.withUnsafeBytes { b in a.elementsEqual(b) } }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(type)
    withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(4096))) }
  }
}

/// Owns (or borrows) the bytes of arrays. Unchecked because a pointer is not Sendable by itself: the memory is written
/// only through `NDArray.withUnsafeMutableBytes`, which holds the one reference to it.
private final class Storage: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  private let owner: (any AnyObject & Sendable)?
  var isBorrowed: Bool { owner != nil }

  init(byteCount: Int) {
    bytes = .allocate(byteCount: max(byteCount, 1), alignment: 64).prefixed(byteCount)
    owner = nil
  }

  init(borrowing memory: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
    bytes = UnsafeMutableRawBufferPointer(mutating: memory)
    self.owner = owner
  }

  deinit { if owner == nil { bytes.deallocate() } }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func prefixed(_ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: baseAddress, count: count)
  }
}
