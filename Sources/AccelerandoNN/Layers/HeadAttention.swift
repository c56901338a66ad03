// What layers of attention with heads have in common: projections, which pairs of positions may attend, and the weighted
// mean of the values.

import AccelerandoCore

/// A product with a kernel of several axes, and a bias.
struct HeadProjection: Sendable {
  let kernel: Parameter
  let bias: Parameter

  /// - Parameter inputs: the number of axes of the kernel that are inputs; the rest are outputs.
  init(_ kernel: Initializer, _ bias: Initializer, inputs: Int = 1) {
    // More axes than any kernel has: those that are not there count as 1.
    let outputs = Array(inputs..<inputs + 16)
    self.kernel = Parameter(.alongAxes(kernel, inputs: Array(0..<inputs), outputs: outputs))
    self.bias = Parameter(bias)
  }

  /// `[N, T, features]` to `[N, T, heads, size]`. The bias is added while the heads are one axis: as in a dense layer, a
  /// backend can then do it together with the product.
  /// - Parameter penalty: added to the loss for the result.
  func split(_ x: Tensor, heads: Int, size: Int, usesBias: Bool, penalty: (any Regularizer)?) -> Tensor {
    let kernel = kernel[x.shape[2], heads, size].reshaped([x.shape[2], heads * size])
    let product = x.matmul(kernel)
    let sum = usesBias ? product + bias[heads, size].reshaped([heads * size]) : product
    if let penalty { Scope.current?.regularize(sum, by: penalty) }
    return sum.reshaped([x.shape[0], x.shape[1], heads, size])
  }

  /// `[N, T, heads, size]` to `[N, T, features…]`.
  func joined(_ x: Tensor, features: [Int], usesBias: Bool) -> Tensor {
    // After an error there may be less.
    guard x.rank == 4 else { return x }
    let (heads, size, count) = (x.shape[2], x.shape[3], features.elementCount)
    let kernel = kernel[shape: [heads, size] + features].reshaped([heads * size, count])
    let product = x.reshaped([x.shape[0], x.shape[1], heads * size]).matmul(kernel)
    let sum = usesBias ? product + bias[shape: features].reshaped([count]) : product
    return features.count == 1 ? sum : sum.reshaped(Array(x.shape.prefix(2)) + features)
  }
}

/// Which pairs of positions attend, and how.
struct HeadAttention {
  /// Whether each position attends only to itself and those before it.
  let isCausal: Bool
  /// How near the positions of a pair must be: less than this; nil for any distance.
  let slidingWindow: Int?
  /// The probability of dropping an attention weight while training.
  let dropout: Double
  /// Whether the result of a query that may attend to nothing is zero. Otherwise it attends to everything alike. Keras does
  /// the one or the other, by the path that it takes.
  let zerosLonely: Bool

  /// The values' means by the softmax of the products of queries and keys, divided by the square root of their size.
  /// - Parameters:
  ///   - queries: `[N, T, H, D]`.
  ///   - keys: `[N, S, H, D]`.
  ///   - values: `[N, S, H, E]`.
  ///   - masks: which pairs may attend, `bool` `[N or 1, H or 1, T or 1, S or 1]` each.
  /// - Returns: `[N, T, H, E]`.
  func callAsFunction(_ queries: Tensor, _ keys: Tensor, _ values: Tensor, masks: [Tensor]) -> Tensor {
    guard queries.rank == 4, keys.rank == 4, values.rank == 4 else { return queries }
    let pairs = [queries.shape[0], queries.shape[2], queries.shape[1], keys.shape[1]]
    let scope = dropout > 0 ? Scope.current.flatMap { $0.isTraining ? $0 : nil } : nil
    guard !masks.isEmpty || slidingWindow != nil else {
      return queries.attending(
        to: keys, values: values, isCausal: isCausal, dropout: scope == nil ? 0 : dropout,
        random: scope?.randomness(forShape: pairs) ?? [])
    }
    let masks = masks + positionMasks(queries, pairs)
    let shape = (0..<4).map { axis in masks.map { $0.shape[axis] }.max() ?? 1 }
    let spread = masks.map { $0.broadcast(to: shape, axes: [0, 1, 2, 3]) }
    let allowed = spread.dropFirst().reduce(spread[0]) { $0.and($1) }.broadcast(to: pairs, axes: [0, 1, 2, 3])
    let graph = queries.graph
    let scores = graph.add(
      DotGeneral(leftBatching: [0, 2], rightBatching: [0, 2], leftContracting: [3], rightContracting: [3]),
      queries * (1 / Double(max(queries.shape[3], 1)).squareRoot()), keys)
    let lowest = scores.filled(scores.dtype == .float16 ? -3e4 : -1e9)
    var shares = select(allowed, scores, lowest).softmax()
    if zerosLonely { shares = select(allowed, shares, shares.zerosLike()) }
    if let scope { shares = scope.dropout(shares, rate: dropout) }
    return graph.add(
      DotGeneral(leftBatching: [0, 1], rightBatching: [0, 2], leftContracting: [3], rightContracting: [1]), shares,
      values
    ).transposed([0, 2, 1, 3])
  }

  /// What follows from the places of the positions alone, `[1, 1, T, S]`.
  private func positionMasks(_ x: Tensor, _ pairs: [Int]) -> [Tensor] {
    let type = TensorType(.int32, [1, 1, pairs[2], pairs[3]])
    let (query, key) = (x.iota(type, axis: 2), x.iota(type, axis: 3))
    var masks = isCausal ? [query.greaterOrEqual(to: key)] : []
    if let slidingWindow {
      let distance = query - key
      masks.append(distance.maximum(-distance).less(than: distance.filled(Double(slidingWindow))))
    }
    return masks
  }
}

/// How tensors of several axes are sequences: positions along the attention axes, the other ones together are the batch.
struct AttentionAxes {
  let shape: [Int]
  /// The axes of positions, and those of samples after the first.
  let positions: [Int]
  let others: [Int]

  /// - Parameter axes: the axes of positions; negative ones count from the last; nil for all between first and last.
  init?(_ shape: [Int], _ axes: [Int]?) {
    let inner = 1..<max(shape.count - 1, 1)
    let positions = axes.map { $0.map { $0 < 0 ? $0 + shape.count : $0 } } ?? Array(inner)
    guard shape.count >= 3, !positions.isEmpty, Set(positions).count == positions.count,
      positions.allSatisfy(inner.contains)
    else { return nil }
    self.shape = shape
    self.positions = positions
    others = inner.filter { !positions.contains($0) }
  }

  /// The sizes of the batch's axes, and of the positions'.
  var batch: [Int] { ([0] + others).map { shape[$0] } }
  var length: [Int] { positions.map { shape[$0] } }

  private var order: [Int] { [0] + others + positions }

  /// `[N, …, features]` as `[batch, positions, features]`.
  func sequences(_ x: Tensor) -> Tensor {
    shape.count == 3
      ? x : x.transposed(order + [shape.count - 1]).reshaped([batch.elementCount, length.elementCount, x.dim(-1)])
  }

  /// A mask of the first axes as `[batch, positions]`.
  func sequences(mask: Tensor) -> Tensor {
    if shape.count == 3, mask.rank == 2 { return mask }
    let whole = mask.broadcast(to: Array(shape.dropLast()), axes: Array(0..<mask.rank))
    return whole.transposed(order).reshaped([batch.elementCount, length.elementCount])
  }

  /// `[batch, positions, features…]` as `[N, …, features…]`.
  func restored(_ x: Tensor) -> Tensor {
    if shape.count == 3 { return x }
    let features = Array(x.shape.dropFirst(2))
    let count = order.count
    let back = (0..<count).map { axis in order.firstIndex(of: axis) ?? axis }
    return x.reshaped(batch + length + features).transposed(back + features.indices.map { $0 + count })
  }
}

extension Tensor {
  /// A mask of pairs as `bool`: not zero.
  var asPairMask: Tensor { dtype == .bool ? self : notEqual(to: zerosLike()) }
}
