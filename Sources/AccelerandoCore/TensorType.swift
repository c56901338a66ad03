// What is known of a tensor at trace time: its element type and its shape. All shapes are static.

/// The element type and shape of a tensor, written like `float32[32, 784]`.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// The element type.
  public var dtype: DType
  /// The size of each dimension, outermost first; empty for a scalar.
  public var shape: [Int]

  /// Makes the type of a tensor with elements `dtype` and dimensions `shape`.
  public init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }

  /// The number of dimensions.
  public var rank: Int { shape.count }

  /// The number of elements: the product of the dimensions, saturating at `Int.max`.
  public var elementCount: Int { shape.elementCount }

  /// Bytes that the elements take, saturating at `Int.max`.
  public var byteCount: Int {
    let (bytes, overflow) = elementCount.multipliedReportingOverflow(by: dtype.byteCount)
    return overflow ? .max : bytes
  }

  /// The most elements that an axis has: indices are 32-bit integers.
  public static let mostAlongAxis = Int(Int32.max)
  /// The most elements that a tensor has. What a few such numbers add up to or multiply to still fits into 64 bits.
  public static let mostElements = 1 << 40

  /// Why there can be no tensor of the type, in words; nil for every type that a program may have. Layers and operations may
  /// compute with the sizes of types that were checked, without fear of an overflow.
  public var problem: String? {
    if let size = shape.first(where: { $0 < 0 }) { return "\(self) has an axis of \(size) elements." }
    if let size = shape.first(where: { $0 > Self.mostAlongAxis }) {
      return "\(self) has an axis of \(size) elements; \(Self.mostAlongAxis) are the most. Make the layer smaller."
    }
    // A size of zero does not excuse the others.
    let count = shape.filter { $0 > 0 }.elementCount
    guard count > Self.mostElements else { return nil }
    return "\(self) is too large: \(Self.mostElements) elements are the most. Make the layer smaller."
  }

  public var description: String { "\(dtype.rawValue)\(shape)" }

  /// The spelling in StableHLO text: `tensor<32x784xf32>`.
  public var stableHLOName: String {
    "tensor<\(shape.map { "\($0)x" }.joined())\(dtype.stableHLOName)>"
  }

  /// The same shape with another element type.
  public func with(_ dtype: DType) -> TensorType { TensorType(dtype, shape) }

  /// The same element type with another shape.
  public func with(_ shape: [Int]) -> TensorType { TensorType(dtype, shape) }
}

extension [Int] {
  /// The product of the sizes, saturating at `Int.max` (a size of zero anywhere gives zero).
  public var elementCount: Int {
    var product = 1
    for size in self {
      if size == 0 { return 0 }
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      product = overflow ? .max : next
    }
    return product
  }

  /// Elements to step over in row-major order when the index of each dimension grows by one.
  public var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: count)
    for axis in stride(from: count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] &* self[axis + 1]
    }
    return strides
  }
}
