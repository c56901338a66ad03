// Arrays as text: the type, then the elements in columns, as people know them from NumPy. Of large arrays, the ends of
// each axis.

extension NDArray: CustomStringConvertible {
  /// The type and the elements: `float32[2, 3]` and two rows of three numbers, rounded to six digits.
  public var description: String {
    let isCut = elementCount > 1000
    // A few rows of elements decide the width of the columns.
    var places: [[Int]] = shape.map { count in
      isCut && count > 6 ? Array(0..<3) + [-1] + Array(count - 3..<count) : Array(0..<count)
    }
    if shape.contains(0) { places = shape.map { _ in [] } }
    var texts: [String] = []
    let strides = shape.rowMajorStrides
    func collect(_ axis: Int, _ start: Int) {
      guard axis < places.count else { return texts.append(text(at: start)) }
      for place in places[axis] where place >= 0 { collect(axis + 1, start + place * strides[axis]) }
    }
    if elementCount > 0 { collect(0, 0) }
    let width = texts.reduce(0) { Swift.max($0, $1.count) }
    var next = 0
    func block(_ axis: Int) -> String {
      guard axis < places.count else {
        defer { next += 1 }
        return String(repeating: " ", count: width - texts[next].count) + texts[next]
      }
      let parts = places[axis].map { $0 < 0 ? "…" : block(axis + 1) }
      let isInnermost = axis == places.count - 1
      let breaks = isInnermost ? 1 : Swift.max(places.count - axis - 1, 1)
      let separator =
        isInnermost ? ", " : "," + String(repeating: "\n", count: breaks) + String(repeating: " ", count: axis + 1)
      return "[" + parts.joined(separator: separator) + "]"
    }
    return shape.isEmpty ? "\(type) \(block(0))" : elementCount == 0 ? "\(type) []" : "\(type)\n\(block(0))"
  }

  private func text(at place: Int) -> String {
    func load<Scalar: TensorScalar>(_: Scalar.Type) -> Scalar {
      withUnsafeBytes { $0.load(fromByteOffset: place * dtype.byteCount, as: Scalar.self) }
    }
    switch dtype {
    case .bool: return String(load(Bool.self))
    case .int8: return String(load(Int8.self))
    case .uint8: return String(load(UInt8.self))
    case .int32: return String(load(Int32.self))
    case .int64: return String(load(Int64.self))
    case .uint32: return String(load(UInt32.self))
    case .float16: return Self.rounded(load(Half.self).doubleValue)
    case .bfloat16: return Self.rounded(load(BFloat16.self).doubleValue)
    case .float32: return Self.rounded(load(Float.self).doubleValue)
    case .float64: return Self.rounded(load(Double.self))
    }
  }

  /// A number with six significant digits.
  private static func rounded(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var (scale, magnitude) = (1.0, value.magnitude)
    while magnitude < 1e5, scale < 1e20 { (scale, magnitude) = (scale * 10, magnitude * 10) }
    return "\(magnitude < 1e5 ? value : (value * scale).rounded() / scale)"
  }
}
