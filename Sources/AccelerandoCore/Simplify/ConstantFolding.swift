// Computes what is known at trace time: elementwise operations on constants, in Double or Int64. Bounded: a constant
// takes memory in the program, so only scalars (also broadcast ones) and small tensors are folded.

/// The results of an operation on constants; nil if it is not to be folded.
func folded(_ operation: any Operation, _ operands: [Tensor]) -> [Tensor]? {
  guard let first = operands.first, isElementwise(operation) else { return nil }
  if operands.allSatisfy({ $0.uniformValue != nil }), first.rank > 0 {
    // All elements are equal: one of them is computed and broadcast.
    let scalars = operands.compactMap { operand in operand.uniformValue.map { $0.constantScalar(operand.dtype) } }
    return evaluated(operation, scalars).map { [first.constant($0).broadcast(to: first.shape, axes: [])] }
  }
  let values = operands.compactMap(\.constantValue)
  guard values.count == operands.count, first.type.elementCount <= foldingLimit else { return nil }
  return evaluated(operation, values).map { [first.constant($0)] }
}

private func isElementwise(_ operation: any Operation) -> Bool {
  operation is Unary || operation is Binary || operation is Compare || operation is Select || operation is Convert
}

extension Double {
  fileprivate func constantScalar(_ dtype: DType) -> NDArray { NDArray(repeating: self, type: TensorType(dtype, [])) }
}

/// The value of an elementwise operation on arrays of one shape; nil where it is not computed here.
private func evaluated(_ operation: any Operation, _ values: [NDArray]) -> NDArray? {
  switch operation {
  case let operation as Unary: return unary(operation.function, values[0])
  case let operation as Binary: return binary(operation.function, values[0], values[1])
  case let operation as Compare: return compare(operation.direction, values[0], values[1])
  case is Select: return choose(values[0], values[1], values[2])
  case let operation as Convert: return convert(values[0], operation.dtype)
  default: return nil
  }
}

private func unary(_ function: Unary.Function, _ value: NDArray) -> NDArray? {
  guard value.dtype.isFloating else {
    guard value.dtype == .bool, function == .not else { return nil }
    return array(value.elements(as: Bool.self).map { !$0 }, like: value)
  }
  // Only what every machine rounds alike: results that backends approximate differently are left to them.
  let rule: ((Double) -> Double)? =
    switch function {
    case .negate: { -$0 }
    case .abs: { $0.magnitude }
    case .sqrt: { $0.squareRoot() }
    case .floor: { $0.rounded(.down) }
    case .ceil: { $0.rounded(.up) }
    case .roundNearestEven: { $0.rounded(.toNearestOrEven) }
    case .roundNearestAfz: { $0.rounded(.toNearestOrAwayFromZero) }
    case .rsqrt: { 1 / $0.squareRoot() }
    default: nil
    }
  return rule.flatMap { rule in array(value.elements(as: Double.self).map(rule), like: value) }
}

private func binary(_ function: Binary.Function, _ a: NDArray, _ b: NDArray) -> NDArray? {
  if a.dtype.isFloating {
    // Sums, products and quotients of two numbers of up to 24 bits round in Double as in their own format.
    let rule: ((Double, Double) -> Double)? =
      switch function {
      case .add: { $0 + $1 }
      case .subtract: { $0 - $1 }
      case .multiply: { $0 * $1 }
      case .divide: { $0 / $1 }
      case .maximum: { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
      case .minimum: { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }
      default: nil
      }
    return rule.flatMap { array(zip(a.elements(as: Double.self), b.elements(as: Double.self)).map($0), like: a) }
  }
  if a.dtype == .bool {
    let rule: ((Bool, Bool) -> Bool)? =
      switch function {
      case .and, .multiply, .minimum: { $0 && $1 }
      case .or, .add, .maximum: { $0 || $1 }
      case .xor: { $0 != $1 }
      default: nil
      }
    return rule.flatMap { array(zip(a.elements(as: Bool.self), b.elements(as: Bool.self)).map($0), like: a) }
  }
  let rule: ((Int64, Int64) -> Int64)? =
    switch function {
    case .add: { $0 &+ $1 }
    case .subtract: { $0 &- $1 }
    case .multiply: { $0 &* $1 }
    case .maximum: { max($0, $1) }
    case .minimum: { min($0, $1) }
    case .and: { $0 & $1 }
    case .or: { $0 | $1 }
    case .xor: { $0 ^ $1 }
    default: nil
    }
  guard let rule, let x = integers(a), let y = integers(b) else { return nil }
  return truncated(zip(x, y).map(rule), like: a)
}

private func compare(_ direction: Compare.Direction, _ a: NDArray, _ b: NDArray) -> NDArray? {
  func compared<Element: Comparable>(_ x: [Element], _ y: [Element]) -> [Bool] {
    zip(x, y).map { left, right in
      switch direction {
      case .equal: left == right
      case .notEqual: left != right
      case .less: left < right
      case .lessOrEqual: left <= right
      case .greater: left > right
      case .greaterOrEqual: left >= right
      }
    }
  }
  if a.dtype.isFloating { return array(compared(a.elements(as: Double.self), b.elements()), like: a) }
  guard let x = integers(a), let y = integers(b) else { return nil }
  return array(compared(x, y), like: a)
}

private func choose(_ predicate: NDArray, _ a: NDArray, _ b: NDArray) -> NDArray? {
  let isFirst = predicate.elements(as: Bool.self)
  var result = b
  let width = a.dtype.byteCount
  a.withUnsafeBytes { source in
    result.withUnsafeMutableBytes { target in
      for (index, chosen) in isFirst.enumerated() where chosen {
        for byte in index * width..<(index + 1) * width { target[byte] = source[byte] }
      }
    }
  }
  return result
}

private func convert(_ value: NDArray, _ dtype: DType) -> NDArray? {
  // Values that an integer cannot hold are left to the backend; so are 64 bits that a Double cannot hold.
  if dtype == .bool || (dtype.isFloating && value.dtype != .int64) { return value.converted(to: dtype) }
  let elements = value.elements(as: Double.self).map { $0.rounded(.towardZero) }
  guard value.dtype != .int64, let range = exactRange(dtype), elements.allSatisfy(range.contains) else { return nil }
  return value.converted(to: dtype)
}

private func exactRange(_ dtype: DType) -> ClosedRange<Double>? {
  switch dtype {
  case .int8: -128...127
  case .uint8: 0...255
  case .int32: -0x1p31...(0x1p31 - 1)
  case .uint32: 0...(0x1p32 - 1)
  case .int64: -0x1p53...0x1p53
  default: nil
  }
}

/// The elements of an integer (or bool) array, exactly.
private func integers(_ value: NDArray) -> [Int64]? {
  guard value.dtype == .int64 else { return value.elements(as: Double.self).map { Int64(nearestTo: $0) } }
  return value.elements(as: Int64.self)
}

/// Integers that wrap around into the element type of `value`.
private func truncated(_ elements: [Int64], like value: NDArray) -> NDArray? {
  switch value.dtype {
  case .int8: array(elements.map { Int8(truncatingIfNeeded: $0) }, like: value)
  case .uint8: array(elements.map { UInt8(truncatingIfNeeded: $0) }, like: value)
  case .int32: array(elements.map { Int32(truncatingIfNeeded: $0) }, like: value)
  case .uint32: array(elements.map { UInt32(truncatingIfNeeded: $0) }, like: value)
  case .int64: array(elements, like: value)
  default: nil
  }
}

private func array(_ elements: [Double], like value: NDArray) -> NDArray? {
  (try? NDArray(elements, shape: value.shape))?.converted(to: value.dtype)
}

private func array<Scalar: TensorScalar>(_ elements: [Scalar], like value: NDArray) -> NDArray? {
  try? NDArray(elements, shape: value.shape)
}
