// Batch normalization, and the moments that all normalizations need. The gradient rules are the closed forms:
// differentiating the formulas would read the data several more times. The sums are operations of their own, so that a
// backend can compute both of a kind while it reads the data once.

/// The mean and the (biased) variance for each index of one axis, over all other axes.
public struct Moments: Composite {
  /// The axis that is kept, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "moments" }

  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireFeatures(operands, axis: axis)
    let vector = operands[0].with([operands[0].shape[axis]])
    return [vector, vector]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (mean, variance) = operands[0].moments(axes: operands[0].shape.indices.filter { $0 != axis })
    return [mean, variance]
  }
}

/// For each index of one axis, Σ g and Σ g · (x − mean) over all other axes: the sums in the gradient of batch
/// normalization.
///
/// Operands: g and x, of one type; the mean, a vector along the axis.
public struct CenteredSums: Composite {
  /// The axis that is kept, counted from the first.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "centered_sums" }

  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    guard operands[0] == operands[1] else {
      throw GraphError("needs a gradient of the type of x; received \(operands[0]) and \(operands[1]).")
    }
    try requireFeatures([operands[1], operands[2]], axis: axis)
    return [operands[2], operands[2]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (g, x) = (operands[0], operands[1])
    let others = x.shape.indices.filter { $0 != axis }
    let centered = x - operands[2].broadcast(to: x.shape, axes: [axis])
    return [g.sum(axes: others), (g * centered).sum(axes: others)]
  }
}

/// (x − mean) / √(variance + ε) · scale + offset, with the operand's own mean and (biased) variance over all axes but
/// one.
///
/// Operands: x; scale and offset, vectors along that axis. Results: the normalized tensor, the mean and the variance.
public struct BatchNormTraining: Composite {
  /// The axis of the features, counted from the first.
  public let axis: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// Makes the operation.
  public init(axis: Int, epsilon: Double) {
    self.axis = axis
    self.epsilon = epsilon
  }

  public var name: String { "batch_norm_training" }
  public var hasOwnPullback: Bool { true }

  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    try requireFeatures(operands, axis: axis)
    return [operands[0], operands[1], operands[1]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    let moments = x.graph.add(Moments(axis: axis), [x])
    let (mean, variance) = (moments[0], moments[1])
    let factor = operands[1] * (variance + epsilon).rsqrt()
    return [(x - spread(mean, x)) * spread(factor, x) + spread(operands[2], x), mean, variance]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, scale) = (context.operands[0], context.operands[1])
    let (mean, variance) = (context.results[1], context.results[2])
    let g = context.gradient
    let count = Double(Swift.max(others(x).map { x.shape[$0] }.elementCount, 1))
    let centered = x - spread(mean, x)
    let inverse = (variance + epsilon).rsqrt()
    // Two sums over the data and one more pass: everything else works on vectors of features.
    let sums = x.graph.add(CenteredSums(axis: axis), [g, x, mean])
    let byOffset = sums[0]
    let byScale = sums[1] * inverse
    let factor = scale * inverse
    var slope = -factor * inverse * byScale / count
    var constant = -factor * byOffset / count
    if let byMean = context.gradients[1] { constant = constant + byMean / count }
    if let byVariance = context.gradients[2] { slope = slope + byVariance * (2 / count) }
    let byX = g * spread(factor, x) + centered * spread(slope, x) + spread(constant, x)
    return [byX, byScale, byOffset]
  }

  private func others(_ x: Tensor) -> [Int] { x.shape.indices.filter { $0 != axis } }
  private func spread(_ vector: Tensor, _ x: Tensor) -> Tensor { vector.broadcast(to: x.shape, axes: [axis]) }
}

/// (x − mean) / √(variance + ε) · scale + offset with given mean and variance.
///
/// Operands: x; scale, offset, mean and variance, vectors along the axis of the features.
public struct BatchNormInference: Composite {
  /// The axis of the features, counted from the first.
  public let axis: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// Makes the operation.
  public init(axis: Int, epsilon: Double) {
    self.axis = axis
    self.epsilon = epsilon
  }

  public var name: String { "batch_norm_inference" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 5)
    try requireFeatures(operands, axis: axis)
    return [operands[0]]
  }

  /// One multiplication and one addition for each element: the vectors are combined first.
  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (x, scale, offset, mean, variance) = (operands[0], operands[1], operands[2], operands[3], operands[4])
    let factor = scale * (variance + epsilon).rsqrt()
    let summand = offset - mean * factor
    return [x * factor.broadcast(to: x.shape, axes: [axis]) + summand.broadcast(to: x.shape, axes: [axis])]
  }
}

extension Tensor {
  /// The mean and the (biased) variance along `axes` (all for nil), in two passes: with the squares of a large mean, a
  /// small variance would be lost in rounding.
  public func moments(axes: [Int]? = nil, keepDims: Bool = false) -> (mean: Tensor, variance: Tensor) {
    let axes = normalized(axes)
    let mean = self.mean(axes: axes, keepDims: true)
    let variance = (self - mean).squared().mean(axes: axes, keepDims: keepDims)
    return (keepDims ? mean : mean.reshaped(variance.shape), variance)
  }

  /// The (biased) variance along `axes` (all for nil).
  public func variance(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    moments(axes: axes, keepDims: keepDims).variance
  }

  /// The (biased) standard deviation along `axes` (all for nil).
  public func standardDeviation(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    variance(axes: axes, keepDims: keepDims).sqrt()
  }
}

private func requireFeatures(_ operands: [TensorType], axis: Int) throws(GraphError) {
  let x = operands[0]
  try requireFloating(x)
  guard x.shape.indices.contains(axis) else { throw GraphError("needs a tensor with an axis \(axis); received \(x).") }
  for type in operands.dropFirst() where type != x.with([x.shape[axis]]) {
    throw GraphError("needs vectors \(x.with([x.shape[axis]])) for \(x); received \(type).")
  }
}
