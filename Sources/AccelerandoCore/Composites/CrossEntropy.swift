// Cross-entropy of class indices, from logits. An operation of its own, because the formula selects one element of each
// row by comparing with all of them; a kernel reads the logits once, and its gradient needs only one more number per
// row.

/// −log softmax(x)[label] of each row of logits.
///
/// Operands: logits `[…, classes]` and labels `int32[…]`. Results: the loss of each row, NaN for a label outside the
/// classes; and log Σ eˣ of each row, which the gradient needs.
public struct SparseCrossEntropy: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "sparse_cross_entropy" }
  public var hasOwnPullback: Bool { true }

  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let row = try requireLogits(operands[0], labels: operands[1])
    return [row, row]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (x, labels) = (operands[0], operands[1])
    let axis = x.rank - 1
    let logProbability = x.logSoftmax()
    let chosen = select(isLabel(labels, x), logProbability, logProbability.zerosLike()).sum(axes: [axis])
    let loss = select(isClass(labels, count: x.shape[axis]), -chosen, chosen.filled(.nan))
    return [loss, x.logSumExp()]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, logSum) = (context.operands[0], context.results[1])
    var byX: Tensor?
    if let gradient = context.gradients[0] {
      byX = gradient.graph.add(SparseCrossEntropyGradient(), x, context.operands[1], logSum, gradient)
    }
    if let gradient = context.gradients[1] {
      let share = gradient.expandingDims(-1) * (x - logSum.expandingDims(-1)).exp()
      byX = byX.map { $0 + share } ?? share
    }
    return [byX, nil]
  }
}

/// The gradient of `SparseCrossEntropy` by the logits: (softmax(x) − 1 at the label) · g; zeros where the label is
/// invalid.
///
/// Operands: the logits, the labels, log Σ eˣ of each row, and the gradient g of the loss of each row.
public struct SparseCrossEntropyGradient: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "sparse_cross_entropy_gradient" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 4)
    let row = try requireLogits(operands[0], labels: operands[1])
    for type in operands.dropFirst(2) where type != row {
      throw GraphError("needs a number \(row) for each row; received \(type).")
    }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (x, labels, logSum, gradient) = (operands[0], operands[1], operands[2], operands[3])
    let share = (x - logSum.expandingDims(-1)).exp()
    let byRow = select(isClass(labels, count: x.shape[x.rank - 1]), gradient, gradient.zerosLike())
    let target = select(isLabel(labels, x), x.onesLike(), x.zerosLike())
    return [(share - target) * byRow.expandingDims(-1)]
  }
}

extension Tensor {
  /// −log softmax(self)[label] of each row of logits `[…, classes]`, for labels `int32[…]`; see `SparseCrossEntropy`.
  public func sparseCrossEntropy(labels: Tensor) -> Tensor { graph.add(SparseCrossEntropy(), [self, labels])[0] }
}

/// Whether each label is a valid class.
private func isClass(_ labels: Tensor, count: Int) -> Tensor {
  labels.greaterOrEqual(to: labels.zerosLike()).and(labels.less(than: labels.filled(Double(count))))
}

/// Whether each class is the label: `bool[…, classes]`.
private func isLabel(_ labels: Tensor, _ x: Tensor) -> Tensor {
  let classes = x.iota(TensorType(.int32, [x.shape[x.rank - 1]]), axis: 0)
  return labels.expandingDims(-1).equal(to: classes).broadcast(to: x.shape)
}

/// Checks logits `[…, classes]` and labels `int32[…]`; returns the type of one number per row.
private func requireLogits(_ x: TensorType, labels: TensorType) throws(GraphError) -> TensorType {
  try requireFloating(x)
  guard x.rank >= 1, labels == TensorType(.int32, Array(x.shape.dropLast())) else {
    throw GraphError("needs logits […, classes] and labels int32[…]; received \(x) and \(labels).")
  }
  return x.with(Array(x.shape.dropLast()))
}
