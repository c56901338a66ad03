// What happens in a recurrent layer between the product with the state and the next state. Gates are narrow and many
// rounds follow each other, so that the calls of separate operations would cost more than their arithmetic.

/// The gates of long short-term memory (Hochreiter and Schmidhuber, 1997).
///
/// Operands: the products with the input and with the state, `[…, 4 · units]` each, with the parts i, f, g and o; and the
/// memory c, `[…, units]`. Results: the state o · tanh(c'), the memory c' = f · c + i · g, and the four gates after their
/// functions (sigmoid, for g tanh).
public struct LSTMGates: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "lstm_gates" }
  public var hasOwnPullback: Bool { true }
  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let memory = operands[2]
    try requireParts(operands[0], 4, of: memory)
    try requireParts(operands[1], 4, of: memory)
    return [memory, memory, operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let sum = operands[0] + operands[1]
    let gates = (0..<4).map { $0 == 2 ? sum.part($0, of: 4).tanh() : sum.part($0, of: 4).sigmoid() }
    let memory = gates[1] * operands[2] + gates[0] * gates[2]
    return [gates[3] * memory.tanh(), memory, joined(gates)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let gates = context.results[2]
    let found = gates.graph.add(
      LSTMGatesGradient(),
      [gates, context.operands[2], context.results[1], context.gradient(0), context.gradient(1)])
    guard let direct = context.gradients[2] else { return [found[0], found[0], found[1]] }
    let slopes = (0..<4).map { index -> Tensor in
      let gate = gates.part(index, of: 4)
      return index == 2 ? 1 - gate * gate : gate * (1 - gate)
    }
    let total = found[0] + direct * joined(slopes)
    return [total, total, found[1]]
  }
}

/// The gradient of `LSTMGates`.
///
/// Operands: the gates, the memory before and after, and the gradients of the state and of the memory after. Results: the
/// gradients of the sum of the products, and of the memory before.
public struct LSTMGatesGradient: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "lstm_gates_gradient" }
  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 5)
    try requireParts(operands[0], 4, of: operands[1])
    for operand in operands[2...] where operand != operands[1] {
      throw GraphError("needs memories and gradients of one type, \(operands[1]); received \(operand).")
    }
    return [operands[0], operands[1]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (i, f, g, o) = (
      operands[0].part(0, of: 4), operands[0].part(1, of: 4), operands[0].part(2, of: 4), operands[0].part(3, of: 4)
    )
    let (before, t, byState) = (operands[1], operands[2].tanh(), operands[3])
    let byMemory = operands[4] + byState * o * (1 - t * t)
    let parts = [
      byMemory * g * i * (1 - i), byMemory * before * f * (1 - f), byMemory * i * (1 - g * g),
      byState * t * o * (1 - o),
    ]
    return [joined(parts), byMemory * f]
  }
}

/// The gates of a gated recurrent unit (Cho et al., 2014) whose reset gate applies after the product.
///
/// Operands: the products with the input and with the state, `[…, 3 · units]` each, with the parts z, r and candidate; and
/// the state h, `[…, units]`. Results: the next state z · h + (1 − z) · y, and `[…, 4 · units]` with z, r, the candidate
/// y = tanh(x + r · s) and s, the candidate's part of the product with the state.
public struct GRUGates: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "gru_gates" }
  public var hasOwnPullback: Bool { true }
  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let state = operands[2]
    try requireParts(operands[0], 3, of: state)
    try requireParts(operands[1], 3, of: state)
    return [state, state.with(Array(state.shape.dropLast()) + [try productSize(4, state.shape.last ?? 0)])]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (x, s, h) = (operands[0], operands[1], operands[2])
    let z = (x.part(0, of: 3) + s.part(0, of: 3)).sigmoid()
    let r = (x.part(1, of: 3) + s.part(1, of: 3)).sigmoid()
    let inner = s.part(2, of: 3)
    let y = (x.part(2, of: 3) + r * inner).tanh()
    return [z * h + (1 - z) * y, joined([z, r, y, inner])]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let gates = context.results[1]
    let found = gates.graph.add(GRUGatesGradient(), [gates, context.operands[2], context.gradient(0)])
    guard let direct = context.gradients[1] else { return [found[0], found[1], found[2]] }
    let (z, r, y, inner) = (gates.part(0, of: 4), gates.part(1, of: 4), gates.part(2, of: 4), gates.part(3, of: 4))
    let byCandidate = direct.part(2, of: 4) * (1 - y * y)
    let byZ = direct.part(0, of: 4) * z * (1 - z)
    let byR = (direct.part(1, of: 4) + byCandidate * inner) * r * (1 - r)
    return [
      found[0] + joined([byZ, byR, byCandidate]),
      found[1] + joined([byZ, byR, byCandidate * r + direct.part(3, of: 4)]), found[2],
    ]
  }
}

/// The gradient of `GRUGates`.
///
/// Operands: its second result, the state before, and the gradient of the next state. Results: the gradients of its
/// operands.
public struct GRUGatesGradient: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "gru_gates_gradient" }
  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let state = operands[1]
    try requireParts(operands[0], 4, of: state)
    guard operands[2] == state else {
      throw GraphError("needs a gradient \(state); received \(operands[2]).")
    }
    let product = state.with(Array(state.shape.dropLast()) + [try productSize(3, state.shape.last ?? 0)])
    return [product, product, state]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (gates, h, d) = (operands[0], operands[1], operands[2])
    let (z, r, y, inner) = (gates.part(0, of: 4), gates.part(1, of: 4), gates.part(2, of: 4), gates.part(3, of: 4))
    let byZ = d * (h - y) * z * (1 - z)
    let byCandidate = d * (1 - z) * (1 - y * y)
    let byR = byCandidate * inner * r * (1 - r)
    return [joined([byZ, byR, byCandidate]), joined([byZ, byR, byCandidate * r]), d * z]
  }
}

private func joined(_ parts: [Tensor]) -> Tensor {
  parts[0].graph.add(Concatenate(axis: parts[0].rank - 1), parts)[0]
}

/// Checks for a floating-point tensor with `count` parts of `state` along its last axis.
private func requireParts(_ x: TensorType, _ count: Int, of state: TensorType) throws(GraphError) {
  try requireFloating(x)
  guard let width = state.shape.last, x.dtype == state.dtype, x.rank == state.rank,
    x.shape.dropLast() == state.shape.dropLast(), let size = x.shape.last, size % count == 0, size / count == width
  else {
    throw GraphError("needs \(count) parts of \(state) along the last axis; received \(x).")
  }
}

private func productSize(_ count: Int, _ width: Int) throws(GraphError) -> Int {
  let (size, isTooLarge) = count.multipliedReportingOverflow(by: width)
  if isTooLarge { throw GraphError("\(count) times \(width) is more than an axis has.") }
  return size
}

extension Tensor {
  /// Part `index` of the last axis, which has `count` equal parts.
  package func part(_ index: Int, of count: Int) -> Tensor {
    guard rank > 0 else { return self }
    let size = shape[rank - 1] / count
    var (starts, limits) = (shape.map { _ in 0 }, shape)
    starts[rank - 1] = index * size
    limits[rank - 1] = (index + 1) * size
    return sliced(starts: starts, limits: limits)
  }
}
