// How often a prediction is right. "accuracy" selects one of three meanings by the shapes, as in Keras.

import AccelerandoCore

/// The accuracy that fits the shapes: binary for one output, sparse categorical where targets are class indices,
/// categorical where they have a number for each class.
public struct Accuracy: Metric, Hashable {
  public let name: String

  /// Makes the metric.
  public init(name: String = "accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let outputs = prediction.shape.last ?? 1
    if outputs == 1 || prediction.rank < 2 { return BinaryAccuracy(name: name).values(prediction, target) }
    if target.rank < prediction.rank || target.shape.last == 1 {
      return SparseCategoricalAccuracy(name: name).values(prediction, target)
    }
    return CategoricalAccuracy(name: name).values(prediction, target)
  }
}

/// Whether the output lies on the target's side of a threshold, the mean over a sample's outputs.
public struct BinaryAccuracy: Metric, Hashable {
  public let name: String
  /// Outputs above it count as 1, others as 0.
  public let threshold: Double

  /// Makes the metric.
  public init(threshold: Double = 0.5, name: String = "binary_accuracy") {
    self.threshold = threshold
    self.name = name
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let decided = scores.greater(than: scores.filled(threshold)).converted(to: scores.dtype)
    return decided.equal(to: target.targets(for: scores, of: "metric '\(name)'")).share()
  }
}

/// Whether the largest output is the labelled class. Targets are class indices `[N, …]` or `[N, …, 1]`.
public struct SparseCategoricalAccuracy: Metric, Hashable {
  public let name: String

  /// Makes the metric.
  public init(name: String = "sparse_categorical_accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let user = "metric '\(name)'"
    let labels = target.labels(for: prediction, of: user, otherwise: "'categorical_accuracy'")
    return prediction.firstLargest().equal(to: labels).share()
  }
}

/// Whether the largest output is where the target is largest. Both are `[N, …, classes]`.
public struct CategoricalAccuracy: Metric, Hashable {
  public let name: String

  /// Makes the metric.
  public init(name: String = "categorical_accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let targets = target.targets(for: prediction, of: "metric '\(name)'")
    return prediction.firstLargest().equal(to: targets.firstLargest()).share()
  }
}
