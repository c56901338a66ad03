// Arithmetic on the host, for preparing data and looking at results: arrays of one element type, shapes that broadcast as
// in NumPy. What a model computes belongs into its program, which is far faster.

extension NDArray {
  /// The sum, element by element.
  /// - Throws: `GraphError` if element types differ, or shapes do not broadcast.
  public static func + (a: NDArray, b: NDArray) throws -> NDArray { try combined(a, b, "+", { $0 + $1 }, { $0 &+ $1 }) }
  /// The difference, element by element; see `+`.
  public static func - (a: NDArray, b: NDArray) throws -> NDArray { try combined(a, b, "-", { $0 - $1 }, { $0 &- $1 }) }
  /// The product, element by element; see `+`.
  public static func * (a: NDArray, b: NDArray) throws -> NDArray { try combined(a, b, "*", { $0 * $1 }, { $0 &* $1 }) }

  /// The quotient, element by element. Integers are divided toward zero.
  /// - Throws: `GraphError` if element types differ, shapes do not broadcast, or an integer is divided by 0.
  public static func / (a: NDArray, b: NDArray) throws -> NDArray {
    if b.dtype.isInteger, b.elements(as: Double.self).contains(0) { throw GraphError("an integer is divided by 0.") }
    return try combined(a, b, "/", { $0 / $1 }, { $0.dividedReportingOverflow(by: $1).partialValue })
  }

  /// Each element plus a number.
  /// - Throws: `GraphError` if the elements are integers and the number is none.
  public static func + (a: NDArray, b: Double) throws -> NDArray { try a + a.scalar(b) }
  /// Each element minus a number; see `+`.
  public static func - (a: NDArray, b: Double) throws -> NDArray { try a - a.scalar(b) }
  /// Each element times a number; see `+`.
  public static func * (a: NDArray, b: Double) throws -> NDArray { try a * a.scalar(b) }
  /// Each element divided by a number; see `+`.
  public static func / (a: NDArray, b: Double) throws -> NDArray { try a / a.scalar(b) }
  /// A number plus each element.
  public static func + (a: Double, b: NDArray) throws -> NDArray { try b.scalar(a) + b }
  /// A number minus each element.
  public static func - (a: Double, b: NDArray) throws -> NDArray { try b.scalar(a) - b }
  /// A number times each element.
  public static func * (a: Double, b: NDArray) throws -> NDArray { try b.scalar(a) * b }
  /// A number divided by each element.
  public static func / (a: Double, b: NDArray) throws -> NDArray { try b.scalar(a) / b }
  /// Each element with the other sign.
  public static prefix func - (a: NDArray) throws -> NDArray { try 0 - a }

  /// A function of each element, as an array of the same type: `array.map { $0.squareRoot() }`. Results are rounded to the
  /// nearest number of the element type.
  public func map(_ function: (Double) throws -> Double) rethrows -> NDArray {
    NDArray(elements: try elements(as: Double.self).map(function), type)
  }

  private func scalar(_ value: Double) throws -> NDArray {
    let result = NDArray(repeating: value, type: type.with([]))
    guard dtype.isFloating || result.elements(as: Double.self) == [value] else {
      throw GraphError(
        "an array of \(dtype.rawValue) and the number \(value) have no common type. Convert the array first: "
          + "converted(to: .float32).")
    }
    return result
  }

  /// The results for all pairs of elements. Doubles are exact enough for a single operation on smaller floating-point
  /// numbers to be rounded correctly; integers wrap around.
  private static func combined(
    _ a: NDArray, _ b: NDArray, _ symbol: String, _ floating: (Double, Double) -> Double,
    _ integer: (Int64, Int64) -> Int64
  ) throws -> NDArray {
    guard a.dtype == b.dtype, a.dtype != .bool else {
      throw GraphError(
        "\(a.type) \(symbol) \(b.type) needs two arrays of one type of numbers. Convert one: converted(to: .float32).")
    }
    let rank = Swift.max(a.shape.count, b.shape.count)
    func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
    let shape = zip(padded(a.shape), padded(b.shape)).map { $0 == 1 ? $1 : $0 }
    guard let first = try? a.broadcast(to: shape), let second = try? b.broadcast(to: shape) else {
      throw GraphError(
        "\(a.type) \(symbol) \(b.type) needs shapes that broadcast: equal sizes, or 1, from the last axis on.")
    }
    if a.dtype.isFloating {
      return NDArray(
        elements: zip(first.elements(as: Double.self), second.elements(as: Double.self)).map(floating), first.type)
    }
    let results = zip(first.elements(as: Int64.self), second.elements(as: Int64.self)).map(integer)
    return NDArray(elements: results.map { $0.wrapped(to: a.dtype) }, first.type)
  }

  /// An array of elements whose number fits the type.
  private init<Scalar: TensorScalar>(elements: [Scalar], _ type: TensorType) {
    let flat = NDArray(elements).converted(to: type.dtype)
    self = (try? flat.reshaped(type.shape)) ?? flat
  }
}

extension Int64 {
  /// The lowest bits as a number of an integer type.
  fileprivate func wrapped(to dtype: DType) -> Int64 {
    switch dtype {
    case .int8: Int64(Int8(truncatingIfNeeded: self))
    case .uint8: Int64(UInt8(truncatingIfNeeded: self))
    case .int32: Int64(Int32(truncatingIfNeeded: self))
    case .uint32: Int64(UInt32(truncatingIfNeeded: self))
    default: self
    }
  }
}
