// The number that training minimizes. A loss gives a value for each sample; the training step weights the samples and
// takes their mean, so that every loss supports sample weights and partial batches.

import AccelerandoCore

/// A function of predictions and targets whose mean training minimizes.
public protocol Loss: Sendable {
  /// The name in recipes and messages: `mean_squared_error`.
  var name: String { get }

  /// The loss of each sample.
  /// - Parameters:
  ///   - prediction: the model's output, `[N, …]`.
  ///   - target: the target; shape and element type depend on the loss.
  /// - Returns: a floating-point tensor `[N]`.
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor

  /// Which samples have a loss at all, `bool` `[N]`; nil, the default, if all have. The mean is that of those that count.
  func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor?

  /// What one value of the loss is computed from.
  var unit: LossUnit { get }

  /// The number of values that a sample has before their mean is taken, for predictions `[N, …]` of a shape. By default
  /// one for each place.
  func valuesPerSample(_ predictionShape: [Int]) -> Int

  /// How the losses of a batch become one number.
  var reduction: LossReduction { get }

  /// Looks at targets on the host before they are trained on.
  /// - Throws: when a target has no meaning, such as a label outside the classes; the error names the sample.
  func check(targets: NDArray, predictionShape: [Int]) throws
}

/// What one value of a loss is computed from.
public enum LossUnit: Hashable, Sendable {
  /// A place of a sample, all axes but the last. Places may have weights and masks.
  case place
  /// A whole sample. Only samples may have weights.
  case sample
  /// All samples together: one number, the same for each of them.
  case batch
}

extension Loss {
  /// The loss of a batch for one target of all predictions.
  public func callAsFunction(_ prediction: Tensor, _ target: Double) -> Tensor {
    self(prediction, prediction.filled(target))
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {}
  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? { nil }
  public var unit: LossUnit { .place }
  public var reduction: LossReduction { .sumOverBatchSize }

  public func valuesPerSample(_ predictionShape: [Int]) -> Int {
    unit == .place ? Array(predictionShape.dropFirst().dropLast()).elementCount : 1
  }
}

extension Tensor {
  /// The mean over all axes but the first.
  package func perSample() -> Tensor { rank > 1 ? mean(axes: Array(1..<rank)) : self }

  /// The tensor as at least `float32`: sums over classes lose too much in 16 bits.
  package func widened() -> Tensor { dtype == .float64 ? self : converted(to: .float32) }

  /// Targets in the prediction's shape and element type; a last axis of size 1 may be missing or added.
  /// Reports an error and returns a tensor of the prediction's type if the shapes do not fit.
  func targets(for prediction: Tensor, of user: String, hint: String = "") -> Tensor {
    let converted = converted(to: prediction.dtype)
    if shape == prediction.shape { return converted }
    if shape + [1] == prediction.shape || shape == prediction.shape + [1] {
      return converted.reshaped(prediction.shape)
    }
    graph.report(
      GraphError(
        "needs targets of the prediction's shape \(prediction.shape); received \(shape).\(hint)", path: [user]))
    return prediction.zerosLike()
  }

  /// Class indices `int32[N, …]` for a prediction `[N, …, classes]`; a last axis of size 1 may be added.
  /// Reports an error and returns zeros if the shapes do not fit.
  func labels(for prediction: Tensor, of user: String, otherwise: String) -> Tensor {
    let expected = Array(prediction.shape.dropLast())
    let converted = converted(to: .int32)
    if shape == expected { return converted }
    if shape == expected + [1] { return converted.reshaped(expected) }
    let hint = shape == prediction.shape ? " For targets with a number for each class use \(otherwise)." : ""
    graph.report(
      GraphError(
        "needs class indices of shape \(expected) for predictions \(prediction.shape); received \(shape).\(hint)",
        path: [user]))
    return converted.graph.add(Iota(TensorType(.int32, [1]), axis: 0)).broadcast(to: expected.isEmpty ? [1] : expected)
  }

  /// Whether each class is the labelled one: `bool[N, …, classes]` for labels `[N, …]`. A comparison instead of a
  /// gather, because it fuses with the surrounding operations.
  func isClass(of scores: Tensor) -> Tensor {
    let classes = iota(TensorType(.int32, [scores.dim(-1)]), axis: 0)
    return expandingDims(-1).equal(to: classes).broadcast(to: scores.shape)
  }
}
