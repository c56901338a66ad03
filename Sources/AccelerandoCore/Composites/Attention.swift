// Attention as one operation, so that a backend can compute it block by block without storing the matrix of scores,
// whose size is the square of the sequence length. The gradient is an operation of its own for the same reason: it
// keeps the result and one number per query, and recomputes the scores.

/// dropout(softmax(scale · query · keyᵀ)) · value, for each sample and head separately.
///
/// Operands: query `[N, T, H, D]`, key `[N, S, H, D]`, value `[N, S, H, E]`; with dropout also the random key and,
/// optionally, the position of `Dropout`, whose tensor is the shares, `[N, H, T, S]`. Results: the weighted sums of the
/// values, `[N, T, H, E]`; and log Σ eˢᶜᵒʳᵉ over the keys of each query, `[N, H, T]`, which the gradient needs.
public struct ScaledDotProductAttention: Composite {
  /// What the products of queries and keys are multiplied by.
  public let scale: Double
  /// Whether query i attends only to the keys 0 to i.
  public let isCausal: Bool
  /// The probability with which a key's share in a sum is dropped; 0 for no dropout.
  public let dropout: Double

  /// Makes the operation.
  public init(scale: Double, isCausal: Bool = false, dropout: Double = 0) {
    self.scale = scale
    self.isCausal = isCausal
    self.dropout = dropout
  }

  public var name: String { "scaled_dot_product_attention" }
  public var hasOwnPullback: Bool { true }

  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    if dropout == 0 {
      try requireCount(operands, 3)
    } else if operands.count != 4, operands.count != 5 {
      throw GraphError("takes 4 or 5 operands with dropout; received \(operands.count).")
    }
    try requireAttention(Array(operands.prefix(3)))
    let (query, value) = (operands[0].shape, operands[2].shape)
    if dropout != 0 {
      let shares = operands[0].with([query[0], query[2], query[1], value[1]])
      _ = try Dropout(rate: dropout).infer([shares] + operands.dropFirst(3))
    }
    return [
      operands[0].with([query[0], query[1], query[2], value[3]]), operands[0].with([query[0], query[2], query[1]]),
    ]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let scores = attentionScores(operands[0], operands[1], scale: scale, isCausal: isCausal)
    let product = DotGeneral(
      leftBatching: [0, 1], rightBatching: [0, 2], leftContracting: [3], rightContracting: [1])
    let shares = droppingShares(scores.softmax(), dropout, Array(operands.dropFirst(3)))
    let context = scores.graph.add(product, shares, operands[2])
    return [context.transposed([0, 2, 1, 3]), scores.logSumExp()]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let gradient = ScaledDotProductAttentionGradient(scale: scale, isCausal: isCausal, dropout: dropout)
    var operands = context.operands + context.results + [context.gradient]
    if let bySum = context.gradients[1] { operands.append(bySum) }
    return context.gradient.graph.add(gradient, operands) + context.operands.dropFirst(3).map { _ in nil }
  }
}

/// The gradients of `ScaledDotProductAttention` with respect to its three operands.
///
/// Operands: those of the attention; the two results; the gradient of the first result and, if anything depends on it,
/// that of the second. Results: three tensors of the types of query, key and value.
public struct ScaledDotProductAttentionGradient: Composite {
  /// What the products of queries and keys are multiplied by.
  public let scale: Double
  /// Whether query i attends only to the keys 0 to i.
  public let isCausal: Bool
  /// The probability with which a key's share in a sum is dropped; 0 for no dropout.
  public let dropout: Double

  /// Makes the operation.
  public init(scale: Double, isCausal: Bool = false, dropout: Double = 0) {
    self.scale = scale
    self.isCausal = isCausal
    self.dropout = dropout
  }

  public var name: String { "scaled_dot_product_attention_gradient" }

  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    let inputCount = Self.inputCount(operands)
    guard operands.count == inputCount + 3 || operands.count == inputCount + 4 else {
      throw GraphError("takes \(inputCount + 3) or \(inputCount + 4) operands; received \(operands.count).")
    }
    let attention = ScaledDotProductAttention(scale: scale, isCausal: isCausal, dropout: dropout)
    let results = try attention.infer(Array(operands[0..<inputCount]))
    let expected = results + results
    let names = ["result", "logarithm of sums", "gradient of the result", "gradient of the logarithm of sums"]
    for (index, type) in operands.dropFirst(inputCount).enumerated() where type != expected[index] {
      throw GraphError("needs a \(names[index]) \(expected[index]); received \(type).")
    }
    return Array(operands[0..<3])
  }

  /// The number of operands of the attention: those after the third are `uint32`, all others are not.
  public static func inputCount(_ operands: [TensorType]) -> Int {
    Swift.min(3, operands.count) + operands.dropFirst(3).prefix { $0.dtype == .uint32 }.count
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let inputCount = Self.inputCount(operands.map(\.type))
    let (query, key, value) = (operands[0], operands[1], operands[2])
    let random = Array(operands[3..<inputCount])
    let outcome = Array(operands[inputCount...])
    let (result, logSum, gradient) = (outcome[0], outcome[1], outcome[2])
    let graph = query.graph
    /// Σ over one sequence of attention weights or similar values, `[N, H, T, S]`, times rows of that sequence; laid
    /// out as the rows.
    func gathered(_ shares: Tensor, along axis: Int, _ rows: Tensor) -> Tensor {
      let product = DotGeneral(
        leftBatching: [0, 1], rightBatching: [0, 2], leftContracting: [axis], rightContracting: [1])
      return graph.add(product, shares, rows).transposed([0, 2, 1, 3])
    }
    let scores = attentionScores(query, key, scale: scale, isCausal: isCausal)
    let shares = (scores - logSum.expandingDims(3)).exp()
    let byShares = droppingShares(graph.add(headProduct, gradient, value), dropout, random)
    // How the gradient of a weight changes all scores of its row: through the sum that the row is divided by.
    var common = (gradient * result).sum(axes: [3]).transposed([0, 2, 1])
    if outcome.count == 4 { common = common - outcome[3] }
    let byScores = shares * (byShares - common.expandingDims(3)) * scale
    return [
      gathered(byScores, along: 3, key), gathered(byScores, along: 2, query),
      gathered(droppingShares(shares, dropout, random), along: 2, gradient),
    ]
  }
}

extension Tensor {
  /// dropout(softmax(scale · self · keysᵀ)) · values for each sample and head; see `ScaledDotProductAttention`.
  /// - Parameters:
  ///   - keys: `[N, S, H, D]`, for queries `[N, T, H, D]`.
  ///   - values: `[N, S, H, E]`.
  ///   - scale: what scores are multiplied by; 1/√D for nil.
  ///   - isCausal: whether query i attends only to the keys 0 to i.
  ///   - dropout: the probability with which a key's share in a sum is dropped.
  ///   - random: for dropout, a random key, `uint32[2]`, and, optionally, a position in the shares, `[N, H, T, S]`.
  /// - Returns: `[N, T, H, E]`.
  public func attending(
    to keys: Tensor, values: Tensor, scale: Double? = nil, isCausal: Bool = false, dropout: Double = 0,
    random: [Tensor] = []
  ) -> Tensor {
    let size = Double(Swift.max(shape.last ?? 1, 1))
    let operation = ScaledDotProductAttention(
      scale: scale ?? 1 / size.squareRoot(), isCausal: isCausal, dropout: dropout)
    return graph.add(operation, [self, keys, values] + random)[0]
  }
}

/// Products of rows of two sequences, `[N, T, H, D]` and `[N, S, H, D]`: `[N, H, T, S]`.
private let headProduct = DotGeneral(
  leftBatching: [0, 2], rightBatching: [0, 2], leftContracting: [3], rightContracting: [3])

/// The scores of each query and key, `[N, H, T, S]`; −∞ where the key is masked.
private func attentionScores(_ query: Tensor, _ key: Tensor, scale: Double, isCausal: Bool) -> Tensor {
  let scores = query.graph.add(headProduct, query * scale, key)
  guard isCausal else { return scores }
  let places = TensorType(.int32, Array(scores.shape.suffix(2)))
  let isSeen = scores.iota(places, axis: 0).greaterOrEqual(to: scores.iota(places, axis: 1))
  return select(isSeen.broadcast(to: scores.shape), scores, scores.filled(-.infinity))
}

/// Dropout of what there is for each query and key, `[N, H, T, S]`.
private func droppingShares(_ shares: Tensor, _ rate: Double, _ random: [Tensor]) -> Tensor {
  rate == 0 ? shares : shares.graph.add(Dropout(rate: rate), [shares] + random)[0]
}

private func requireAttention(_ operands: [TensorType]) throws(GraphError) {
  try requireFloating(operands[0])
  let shapes = operands.map(\.shape)
  guard shapes.allSatisfy({ $0.count == 4 }), operands.allSatisfy({ $0.dtype == operands[0].dtype }),
    shapes[1][0] == shapes[0][0], shapes[2][0] == shapes[0][0], shapes[1][2] == shapes[0][2],
    shapes[2][2] == shapes[0][2], shapes[1][3] == shapes[0][3], shapes[2][1] == shapes[1][1]
  else {
    throw GraphError(
      "needs a query [N, T, H, D], a key [N, S, H, D] and a value [N, S, H, E] of one type; received "
        + operands.map(\.description).joined(separator: ", ") + ".")
  }
}
