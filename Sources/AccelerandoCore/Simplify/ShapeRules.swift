// The algebra of operations that move elements: pairs of them become one, and those without effect disappear.

func simplerReshape(_ operation: Reshape, _ x: Tensor) -> Tensor? {
  if operation.shape == x.shape { return x }
  if let value = uniform(x, operation.shape) { return value }
  if let value = x.constantValue, let reshaped = try? value.reshaped(operation.shape) { return x.constant(reshaped) }
  if let inner = x.made(by: Reshape.self) { return inner.operands[0].reshaped(operation.shape) }
  return nil
}

func simplerTranspose(_ operation: Transpose, _ x: Tensor) -> Tensor? {
  let permutation = operation.permutation
  let shape = permutation.map { x.shape[$0] }
  if permutation == Array(permutation.indices) { return x }
  if let value = uniform(x, shape) { return value }
  if let inner = x.made(by: Transpose.self) {
    return inner.operands[0].transposed(permutation.map { inner.operation.permutation[$0] })
  }
  // Where only axes of size 1 change places, the elements keep theirs.
  let real = permutation.filter { x.shape[$0] != 1 }
  return isIncreasing(real) ? x.reshaped(shape) : nil
}

func simplerBroadcast(_ operation: BroadcastInDim, _ x: Tensor) -> Tensor? {
  let (shape, axes) = (operation.shape, operation.axes)
  if shape == x.shape, axes == Array(shape.indices) { return x }
  // A known scalar stays a broadcast, the form that all rules look for.
  let isKnown = x.rank == 0 && x.constantValue != nil
  if !isKnown, x.type.elementCount == shape.elementCount, isIncreasing(axes) { return x.reshaped(shape) }
  if x.rank > 0, x.type.elementCount == 1 { return x.reshaped([]).broadcast(to: shape, axes: []) }
  if let inner = x.made(by: BroadcastInDim.self) {
    return inner.operands[0].broadcast(to: shape, axes: inner.operation.axes.map { axes[$0] })
  }
  if let iota = x.made(by: Iota.self)?.operation, x.shape[iota.axis] == shape[axes[iota.axis]] {
    return x.iota(x.type.with(shape), axis: axes[iota.axis])
  }
  // Axes of size 1 carry no information: drop them, and with them a reshape that only added them.
  let real = x.shape.indices.filter { x.shape[$0] != 1 }
  if real.count < x.rank {
    return x.reshaped(real.map { x.shape[$0] }).broadcast(to: shape, axes: real.map { axes[$0] })
  }
  return nil
}

func simplerReverse(_ operation: Reverse, _ x: Tensor) -> Tensor? {
  let axes = operation.axes.filter { x.shape[$0] != 1 }
  if axes.isEmpty || x.uniformValue != nil { return x }
  if let inner = x.made(by: Reverse.self) {
    return inner.operands[0].reversed(axes: Set(axes).symmetricDifference(inner.operation.axes).sorted())
  }
  return axes == operation.axes ? nil : x.reversed(axes: axes)
}

func simplerSlice(_ operation: Slice, _ x: Tensor) -> Tensor? {
  let (starts, limits, strides) = (operation.starts, operation.limits, operation.strides)
  guard let shape = try? operation.infer([x.type])[0].shape else { return nil }
  if shape == x.shape { return x }
  if let value = uniform(x, shape) { return value }
  if let inner = x.made(by: Slice.self), shape.elementCount > 0 {
    let outer = inner.operation
    let first = starts.indices.map { outer.starts[$0] + starts[$0] * outer.strides[$0] }
    // Along an axis of one element no step is taken, and two steps may be more than an integer holds.
    let steps = starts.indices.map { shape[$0] > 1 ? strides[$0] * outer.strides[$0] : 1 }
    return inner.operands[0].sliced(
      starts: first, limits: first.indices.map { first[$0] + (shape[$0] - 1) * steps[$0] + 1 }, strides: steps)
  }
  if let (joined, parts) = x.made(by: Concatenate.self), strides[joined.axis] == 1 {
    // A slice that lies within one of the joined parts is a slice of that part.
    var offset = 0
    for part in parts {
      let size = part.shape[joined.axis]
      if starts[joined.axis] >= offset, limits[joined.axis] <= offset + size {
        var (low, high) = (starts, limits)
        low[joined.axis] -= offset
        high[joined.axis] -= offset
        return part.sliced(starts: low, limits: high, strides: strides)
      }
      offset += size
    }
  }
  return nil
}

func simplerPad(_ operation: Pad, _ x: Tensor, _ value: Tensor) -> Tensor? {
  let isNothing = x.shape.indices.allSatisfy {
    operation.low[$0] == 0 && operation.high[$0] == 0 && (operation.interior[$0] == 0 || x.shape[$0] <= 1)
  }
  if isNothing { return x }
  guard let shape = try? operation.infer([x.type, value.type])[0].shape else { return nil }
  if x.type.elementCount == 0 { return value.broadcast(to: shape, axes: []) }
  if let inside = x.uniformValue, inside == value.uniformValue { return value.broadcast(to: shape, axes: []) }
  // Cropping alone is a slice.
  guard operation.interior.allSatisfy({ $0 == 0 }), (operation.low + operation.high).allSatisfy({ $0 <= 0 }) else {
    return nil
  }
  return x.sliced(
    starts: operation.low.map { -$0 }, limits: x.shape.indices.map { x.shape[$0] + operation.high[$0] })
}

func simplerConcatenate(_ operation: Concatenate, _ parts: [Tensor]) -> Tensor? {
  let filled = parts.filter { $0.shape[operation.axis] > 0 }
  if filled.isEmpty { return parts[0] }
  if filled.count == 1 { return filled[0] }
  return filled.count == parts.count ? nil : Tensor.concatenating(filled, axis: operation.axis)
}

func simplerReduce(_ operation: Reduce, _ x: Tensor) -> Tensor? {
  let axes = operation.axes.filter { x.shape[$0] != 1 }
  let shape = x.shape.indices.filter { !operation.axes.contains($0) }.map { x.shape[$0] }
  if axes.isEmpty { return x.reshaped(shape) }
  let count = axes.map { x.shape[$0] }.elementCount
  if let value = x.uniformValue, x.dtype.isFloating, count > 0 {
    switch operation.function {
    case .sum: return x.scalar(value * Double(count)).broadcast(to: shape, axes: [])
    case .max, .min: return x.scalar(value).broadcast(to: shape, axes: [])
    default: break
    }
  }
  return simplerScatteredSum(operation, x)
}

func simplerDynamicSlice(_ operation: DynamicSlice, _ operands: [Tensor]) -> Tensor? {
  let x = operands[0]
  if operation.sizes == x.shape { return x }
  let starts = operands.dropFirst().compactMap(\.uniformValue)
  guard starts.count == x.rank else { return nil }
  let clamped = x.shape.indices.map { max(0, min(Int(starts[$0]), x.shape[$0] - operation.sizes[$0])) }
  return x.sliced(starts: clamped, limits: zip(clamped, operation.sizes).map { $0 + $1 })
}

/// A dot_general reads its operands' axes in any order, so a transposition before it, or of a matrix after it, is free.
func simplerProduct(_ operation: DotGeneral, _ a: Tensor, _ b: Tensor) -> Tensor? {
  if let (transpose, inner) = a.made(by: Transpose.self),
    let axes = absorbed(transpose, operation.leftBatching, operation.leftContracting)
  {
    let product = DotGeneral(
      leftBatching: axes.batching, rightBatching: operation.rightBatching, leftContracting: axes.contracting,
      rightContracting: operation.rightContracting)
    return a.graph.add(product, inner[0], b)
  }
  if let (transpose, inner) = b.made(by: Transpose.self),
    let axes = absorbed(transpose, operation.rightBatching, operation.rightContracting)
  {
    let product = DotGeneral(
      leftBatching: operation.leftBatching, rightBatching: axes.batching, leftContracting: operation.leftContracting,
      rightContracting: axes.contracting)
    return a.graph.add(product, a, inner[0])
  }
  return nil
}

/// The axes before a transposition, if the free ones stay in order.
private func absorbed(
  _ transpose: Transpose, _ batching: [Int], _ contracting: [Int]
) -> (batching: [Int], contracting: [Int])? {
  let source = transpose.permutation
  let free = source.indices.filter { !batching.contains($0) && !contracting.contains($0) }
  guard isIncreasing(free.map { source[$0] }) else { return nil }
  return (batching.map { source[$0] }, contracting.map { source[$0] })
}

/// The tensor as a broadcast scalar, if its elements are known to be equal.
private func uniform(_ x: Tensor, _ shape: [Int]) -> Tensor? {
  x.uniformValue.map { x.scalar($0).broadcast(to: shape, axes: []) }
}
