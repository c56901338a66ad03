// Cross-entropy of class probabilities: for class indices, and for a number per class. Where the prediction is a
// softmax, its logits are used, as Keras does with TensorFlow: the logarithm of a small probability loses what the
// logits have.

import AccelerandoCore

/// −log of the predicted probability of the labelled class.
///
/// Predictions `[N, …, classes]`, targets are class indices `[N, …]` or `[N, …, 1]` of any number type. A label outside
/// the classes makes the sample's loss NaN.
public struct SparseCategoricalCrossentropy: Loss, Hashable {
  /// Whether predictions are logits instead of probabilities.
  public let fromLogits: Bool
  /// A label, inside or outside the classes, whose places have no loss and do not count in the mean.
  public let ignoredClass: Int?

  /// Makes the loss.
  public init(fromLogits: Bool = false, ignoredClass: Int? = nil) {
    self.fromLogits = fromLogits
    self.ignoredClass = ignoredClass
  }

  public var name: String { "sparse_categorical_crossentropy" }

  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? {
    guard let ignoredClass, prediction.rank >= 2 else { return nil }
    let labels = target.labels(for: prediction, of: "loss '\(name)'", otherwise: "'categorical_crossentropy'")
    return labels.notEqual(to: labels.filled(Double(ignoredClass)))
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard let scores = classScores(prediction, user: "loss '\(name)'") else { return prediction.perSample() }
    // Plain probabilities are limited first and made to sum to 1 after it: the softmax of logarithms does that.
    let logits = logits(of: scores, fromLogits) ?? limited(scores.widened()).log()
    let labels = target.labels(for: scores, of: "loss '\(name)'", otherwise: "'categorical_crossentropy'")
    guard let counts = mask(scores, target) else { return logits.sparseCrossEntropy(labels: labels).perSample() }
    let known = select(counts, labels, labels.zerosLike())
    let losses = logits.sparseCrossEntropy(labels: known)
    return select(counts, losses, losses.zerosLike()).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkClassIndices(targets, predictionShape: predictionShape, besides: ignoredClass)
  }
}

/// −Σ target·log probability over the classes. Predictions and targets are `[N, …, classes]`; targets are one-hot or
/// any distribution.
public struct CategoricalCrossentropy: Loss, Hashable {
  /// Whether predictions are logits instead of probabilities.
  public let fromLogits: Bool
  /// The label smoothing: the proportion of each target, 0 to 1, that is distributed evenly over the classes.
  public let labelSmoothing: Double

  /// Makes the loss.
  public init(fromLogits: Bool = false, labelSmoothing: Double = 0) {
    self.fromLogits = fromLogits
    self.labelSmoothing = labelSmoothing
  }

  public var name: String { "categorical_crossentropy" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard let scores = classScores(prediction, user: "loss '\(name)'") else { return prediction.perSample() }
    let logProbability: Tensor
    if let logits = logits(of: scores, fromLogits) {
      logProbability = logits.logSoftmax()
    } else {
      let probability = scores.widened()
      logProbability = limited(probability / probability.sum(axes: [scores.rank - 1], keepDims: true)).log()
    }
    let hint = " For class indices use 'sparse_categorical_crossentropy'."
    var targets = target.targets(for: logProbability, of: "loss '\(name)'", hint: hint)
    if labelSmoothing != 0 {
      targets = targets * (1 - labelSmoothing) + labelSmoothing / Double(max(scores.dim(-1), 1))
    }
    return -(targets * logProbability).sum(axes: [scores.rank - 1]).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(
      targets, remedy: "Give one-hot labels or probabilities; weights belong into the sample weights.")
  }
}

/// The prediction if it has a class axis; otherwise reports what is wrong.
private func classScores(_ prediction: Tensor, user: String) -> Tensor? {
  guard prediction.rank >= 2, prediction.dtype.isFloating else {
    prediction.graph.report(
      GraphError(
        "needs predictions [N, …, classes] of floating-point numbers; received \(prediction.type).", path: [user]))
    return nil
  }
  return prediction
}

/// The logits of a prediction: itself if the user says so, or the input of its softmax.
private func logits(of prediction: Tensor, _ isLogits: Bool) -> Tensor? {
  if let definition = prediction.definition, let softmax = definition.operation as? AccelerandoCore.Softmax,
    softmax.axis == prediction.rank - 1, let logits = definition.operands.first
  {
    return logits.widened()
  }
  return isLogits ? prediction.widened() : nil
}

/// Probabilities limited by Keras' 1e-7 from 0 and 1, so that their logarithms are finite.
func limited(_ probability: Tensor) -> Tensor { probability.clamped(1e-7...1 - 1e-7) }

extension Double {
  /// In as few digits as tell it from others of its type, without the fraction that whole numbers do not have.
  package var formatted: String {
    if self == rounded(), magnitude < 1e15 { return String(Int64(self)) }
    return Float(exactly: self).map { "\($0)" } ?? "\(self)"
  }
}
