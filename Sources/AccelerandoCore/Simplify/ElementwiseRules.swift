// The algebra of elementwise operations. Every rule holds for NaN and infinities too; the sign of a zero may change.

func simplerUnary(_ operation: Unary, _ x: Tensor) -> Tensor? {
  if let inner = x.made(by: Unary.self) {
    switch (operation.function, inner.operation.function) {
    case (.negate, .negate), (.not, .not): return inner.operands[0]
    case (.abs, .negate): return inner.operands[0].abs()
    case (.abs, .abs), (.sign, .sign), (.floor, .floor), (.ceil, .ceil): return x
    default: break
    }
  }
  // Reshapes move down until they meet others or a broadcast.
  if let (reshape, inner) = x.made(by: Reshape.self) { return x.graph.add(reshape, x.graph.add(operation, inner[0])) }
  // Fewer elements before a broadcast than after it.
  guard let (broadcast, inner) = x.made(by: BroadcastInDim.self), isSmaller(inner[0], than: x) else { return nil }
  return x.graph.add(broadcast, x.graph.add(operation, inner[0]))
}

func simplerBinary(_ operation: Binary, _ a: Tensor, _ b: Tensor) -> Tensor? {
  if let result = identityRule(operation.function, a, b) { return result }
  if let result = negationRule(operation.function, a, b) { return result }
  if operation.function == .add, let joined = joinedParts(a, b) { return joined }
  // Fewer elements before a broadcast than after it.
  let left = a.made(by: BroadcastInDim.self)
  let right = b.made(by: BroadcastInDim.self)
  if let (broadcast, x) = left, isSmaller(x[0], than: a) {
    if let (other, y) = right, broadcast == other, x[0].shape == y[0].shape {
      return a.graph.add(broadcast, a.graph.add(operation, x[0], y[0]))
    }
    if let value = b.uniformValue {
      return a.graph.add(broadcast, a.graph.add(operation, x[0], x[0].filled(value)))
    }
  }
  if let (broadcast, y) = right, isSmaller(y[0], than: b), let value = a.uniformValue {
    return a.graph.add(broadcast, a.graph.add(operation, y[0].filled(value), y[0]))
  }
  return nil
}

/// Rules for a constant operand that is neutral or absorbing, and for equal operands.
private func identityRule(_ function: Binary.Function, _ a: Tensor, _ b: Tensor) -> Tensor? {
  let isFloating = a.dtype.isFloating
  let isBool = a.dtype == .bool
  switch function {
  case .add where !isBool:
    if b.isUniform(0) { return a }
    if a.isUniform(0) { return b }
  case .subtract:
    if b.isUniform(0) { return a }
  case .multiply where !isBool:
    if b.isUniform(1) { return a }
    if a.isUniform(1) { return b }
    if isFloating, b.isUniform(-1) { return -a }
    if isFloating, a.isUniform(-1) { return -b }
    if !isFloating, a.isUniform(0) { return a }
    if !isFloating, b.isUniform(0) { return b }
  case .divide:
    if b.isUniform(1) { return a }
    // Exact only for powers of two whose inverse is a normal number of every format.
    if isFloating, let divisor = b.uniformValue, isSmallPowerOfTwo(divisor) { return a * b.filled(1 / divisor) }
  case .power:
    if b.isUniform(1) { return a }
    if isFloating, b.isUniform(2) { return a * a }
  case .maximum, .minimum:
    if a.isSame(as: b) { return a }
  case .and, .or:
    if a.isSame(as: b) { return a }
    guard isBool else { break }
    let neutral: Double = function == .and ? 1 : 0
    if b.isUniform(neutral) { return a }
    if a.isUniform(neutral) { return b }
    if b.isUniform(1 - neutral) { return b }
    if a.isUniform(1 - neutral) { return a }
  case .xor:
    if b.isUniform(0) { return a }
    if a.isUniform(0) { return b }
  case .shiftLeft, .shiftRightLogical, .shiftRightArithmetic:
    if b.isUniform(0) { return a }
  default: break
  }
  return nil
}

private func negationRule(_ function: Binary.Function, _ a: Tensor, _ b: Tensor) -> Tensor? {
  func negated(_ x: Tensor) -> Tensor? {
    guard let (operation, operands) = x.made(by: Unary.self), operation.function == .negate else { return nil }
    return operands[0]
  }
  switch function {
  case .add:
    if let y = negated(b) { return a - y }
    if let x = negated(a) { return b - x }
  case .subtract:
    if let y = negated(b) { return a + y }
  case .multiply, .divide:
    if let x = negated(a), let y = negated(b) { return x.graph.add(Binary(function), x, y) }
  default: break
  }
  return nil
}

func simplerSelect(_ predicate: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor? {
  if a.isSame(as: b) { return a }
  if let value = predicate.uniformValue { return value != 0 ? a : b }
  if let inner = predicate.made(by: Unary.self), inner.operation.function == .not {
    return select(inner.operands[0], b, a)
  }
  return simplerMaskedScatter(predicate, a, b)
}

func simplerConvert(_ operation: Convert, _ x: Tensor) -> Tensor? {
  if operation.dtype == x.dtype { return x }
  if let inner = x.made(by: Convert.self), holds(inner.operation.dtype, inner.operands[0].dtype) {
    return inner.operands[0].converted(to: operation.dtype)
  }
  guard let (broadcast, inner) = x.made(by: BroadcastInDim.self), isSmaller(inner[0], than: x) else { return nil }
  return x.graph.add(broadcast, inner[0].converted(to: operation.dtype))
}

/// Whether every value of `narrow` is one of `wide`, so that converting there and back changes nothing.
private func holds(_ wide: DType, _ narrow: DType) -> Bool {
  switch (narrow, wide) {
  case (.bool, _): true
  case (.int8, .int32), (.int8, .int64), (.uint8, .int32), (.uint8, .uint32), (.uint8, .int64): true
  case (.int32, .int64), (.uint32, .int64): true
  case (.float16, .float32), (.float16, .float64), (.bfloat16, .float32), (.bfloat16, .float64): true
  case (.float32, .float64): true
  default: false
  }
}

private func isSmallPowerOfTwo(_ value: Double) -> Bool {
  value.isNormal && value.significand == 1 && value.exponent.magnitude <= 14
}

func isSmaller(_ x: Tensor, than y: Tensor) -> Bool { x.type.elementCount < y.type.elementCount }

extension Tensor {
  /// Whether both are the same value of the graph.
  func isSame(as other: Tensor) -> Bool { graph.resolve(id) == graph.resolve(other.id) }
}

/// The sum of tensors that are zero except for parts that lie next to each other: the gradients of neighbouring slices,
/// which become one concatenation. Nil if the terms are others.
private func joinedParts(_ a: Tensor, _ b: Tensor) -> Tensor? {
  guard b.made(by: Pad.self) != nil || a.made(by: Pad.self) != nil else { return nil }
  var terms: [(pad: Pad, part: Tensor, zero: Tensor)] = []
  var open = [a, b]
  while let term = open.popLast() {
    if let (sum, operands) = term.made(by: Binary.self), sum.function == .add {
      open += operands
    } else if let (pad, operands) = term.made(by: Pad.self), operands[1].isUniform(0) {
      terms.append((pad, operands[0], operands[1]))
    } else {
      return nil
    }
    if terms.count + open.count > 64 { return nil }
  }
  guard let axis = terms[0].pad.onlyAxis, terms.allSatisfy({ $0.pad.onlyAxis == axis }) else { return nil }
  terms.sort { $0.pad.low[axis] < $1.pad.low[axis] }
  for (term, next) in zip(terms, terms.dropFirst()) {
    guard term.pad.low[axis] + term.part.shape[axis] == next.pad.low[axis] else { return nil }
  }
  let parts = terms.flatMap { term -> [Tensor] in
    guard let (join, operands) = term.part.made(by: Concatenate.self), join.axis == axis else { return [term.part] }
    return operands
  }
  let (first, last) = (terms[0].pad, terms[terms.count - 1].pad)
  let joined = a.graph.add(Concatenate(axis: axis), parts)[0]
  return a.graph.add(Pad(low: first.low, high: last.high, interior: first.interior), joined, terms[0].zero)
}

extension Pad {
  /// The one axis that is padded, at its ends only; nil for other paddings.
  fileprivate var onlyAxis: Int? {
    let axes = low.indices.filter { low[$0] != 0 || high[$0] != 0 }
    guard axes.count == 1, (low + high).allSatisfy({ $0 >= 0 }), interior.allSatisfy({ $0 == 0 }) else { return nil }
    return axes[0]
  }
}
