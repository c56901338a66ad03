// Cross-entropy of binary labels, for each output separately.

import AccelerandoCore

/// −target·log p − (1 − target)·log(1 − p), the mean over a sample's outputs. Predictions and targets have one shape;
/// a last axis of size 1 may be missing. Where the prediction is a sigmoid, its logits are used.
public struct BinaryCrossentropy: Loss, Hashable {
  /// Whether predictions are logits instead of probabilities.
  public let fromLogits: Bool
  /// The label smoothing: how far targets are moved towards ½, from 0 (not at all) to 1.
  public let labelSmoothing: Double

  /// Makes the loss.
  public init(fromLogits: Bool = false, labelSmoothing: Double = 0) {
    self.fromLogits = fromLogits
    self.labelSmoothing = labelSmoothing
  }

  public var name: String { "binary_crossentropy" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let hint = " For class indices use 'sparse_categorical_crossentropy'."
    var targets = target.targets(for: scores, of: "loss '\(name)'", hint: hint)
    if labelSmoothing != 0 { targets = targets * (1 - labelSmoothing) + 0.5 * labelSmoothing }
    if let logits = logits(of: prediction) {
      // log(1 + eˣ) − target·x, so written that no exponential overflows.
      let tail = (-logits.abs()).exp().log1p()
      return (logits.maximum(0) - logits * targets + tail).perSample()
    }
    let probability = limited(scores)
    let yes = targets * probability.log()
    let no = (1 - targets) * (1 - probability).log()
    return -(yes + no).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(
      targets, remedy: "Make the labels 0 and 1: subtract the lower one and divide by their distance.")
  }

  private func logits(of prediction: Tensor) -> Tensor? {
    if let definition = prediction.definition, (definition.operation as? Unary)?.function == .logistic {
      return definition.operands.first?.widened()
    }
    return fromLogits ? prediction.widened() : nil
  }
}
