// How often a prediction is right. "accuracy" selects one of three meanings by the shapes, as in Keras.

import AccelerandoCore

/// The accuracy that fits the shapes: binary for one output, sparse categorical where targets are class indices,
/// categorical where they have a number for each class.
public struct Accuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }

  /// Makes the metric.
  public init(name: String = "accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    meaning(prediction.shape, target.shape).values(prediction, target)
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try meaning(predictionShape, targets.shape).check(targets: targets, predictionShape: predictionShape)
  }

  private func meaning(_ prediction: [Int], _ target: [Int]) -> any MeanMetric {
    if prediction.last ?? 1 == 1 || prediction.count < 2 { return BinaryAccuracy(name: name) }
    if target.count < prediction.count || target.last == 1 { return SparseCategoricalAccuracy(name: name) }
    return CategoricalAccuracy(name: name)
  }
}

/// Whether the output is on the target's side of a threshold, the mean over a sample's outputs.
public struct BinaryAccuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }
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
public struct SparseCategoricalAccuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }

  /// Makes the metric.
  public init(name: String = "sparse_categorical_accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let user = "metric '\(name)'"
    let labels = target.labels(for: prediction, of: user, otherwise: "'categorical_accuracy'")
    return prediction.firstLargest().equal(to: labels).share()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkClassIndices(targets, predictionShape: predictionShape)
  }
}

/// Whether the largest output is where the target is largest. Both are `[N, …, classes]`.
public struct CategoricalAccuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }

  /// Makes the metric.
  public init(name: String = "categorical_accuracy") { self.name = name }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let targets = target.targets(for: prediction, of: "metric '\(name)'")
    return prediction.firstLargest().equal(to: targets.firstLargest()).share()
  }
}
