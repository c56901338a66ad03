// Layer normalization. Its gradient is an operation of its own, so that a backend can compute all three parts of it
// while a row is in the cache.

/// (x − mean) / √(variance + ε) · scale + offset, where mean and (biased) variance are taken over the last axes, for
/// each sample separately.
///
/// Operands: x; scale and offset, of the shape of x's last `axisCount` axes.
public struct LayerNormalization: Composite {
  /// The number of last axes that are normalized over.
  public let axisCount: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// Makes the operation.
  public init(axisCount: Int = 1, epsilon: Double) {
    self.axisCount = axisCount
    self.epsilon = epsilon
  }

  public var name: String { "layer_normalization" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let vector = try requireNormalizable(operands[0], axisCount: axisCount)
    for (name, type) in [("scale", operands[1]), ("offset", operands[2])] where type != vector {
      throw GraphError("needs a \(name) \(vector) for \(operands[0]); received \(type).")
    }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (normalized, _) = normalize(operands[0], axisCount, epsilon)
    return [normalized * operands[1].broadcast(to: operands[0].shape) + operands[2].broadcast(to: operands[0].shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let gradient = LayerNormalizationGradient(axisCount: axisCount, epsilon: epsilon)
    return context.gradient.graph.add(gradient, [context.operands[0], context.operands[1], context.gradient])
  }
}

/// The gradients of `LayerNormalization` with respect to its three operands.
///
/// Operands: x, the scale, and the gradient of the result. Results: tensors of the types of x, scale and offset.
public struct LayerNormalizationGradient: Composite {
  /// The number of last axes that are normalized over.
  public let axisCount: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// Makes the operation.
  public init(axisCount: Int = 1, epsilon: Double) {
    self.axisCount = axisCount
    self.epsilon = epsilon
  }

  public var name: String { "layer_normalization_gradient" }

  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    let vector = try requireNormalizable(operands[0], axisCount: axisCount)
    guard operands[1] == vector, operands[2] == operands[0] else {
      throw GraphError(
        "needs a scale \(vector) and a gradient \(operands[0]); received \(operands[1]) and \(operands[2]).")
    }
    return [operands[0], vector, vector]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (x, scale, g) = (operands[0], operands[1], operands[2])
    let (normalized, inverse) = normalize(x, axisCount, epsilon)
    let axes = Array(x.rank - axisCount..<x.rank)
    let samples = Array(0..<x.rank - axisCount)
    let scaled = g * scale.broadcast(to: x.shape)
    let mean = scaled.mean(axes: axes, keepDims: true)
    let slope = (scaled * normalized).mean(axes: axes, keepDims: true)
    let byX = inverse * (scaled - mean - normalized * slope)
    return [byX, (g * normalized).sum(axes: samples), g.sum(axes: samples)]
  }
}

extension Tensor {
  /// The tensor normalized over its last axes, as many as `scale` has; see `LayerNormalization`.
  public func layerNormalized(scale: Tensor, offset: Tensor, epsilon: Double = 1e-3) -> Tensor {
    graph.add(LayerNormalization(axisCount: scale.rank, epsilon: epsilon), self, scale, offset)
  }
}

/// (x − mean) / √(variance + ε) over the last axes, and 1 / √(variance + ε).
private func normalize(_ x: Tensor, _ axisCount: Int, _ epsilon: Double) -> (normalized: Tensor, inverse: Tensor) {
  let (mean, variance) = x.moments(axes: Array(x.rank - axisCount..<x.rank), keepDims: true)
  let inverse = (variance + epsilon).rsqrt()
  return ((x - mean) * inverse, inverse)
}

/// Checks for a floating-point tensor that has the axes; returns the type of a scale for it.
private func requireNormalizable(_ x: TensorType, axisCount: Int) throws(GraphError) -> TensorType {
  try requireFloating(x)
  guard axisCount >= 1, axisCount <= x.rank else {
    throw GraphError("normalizes over the last \(axisCount) axes; received \(x).")
  }
  return x.with(Array(x.shape.suffix(axisCount)))
}
