// Whether the right class is among the k best. Classes with the score of the last of these count too, as in TensorFlow.

import AccelerandoCore

/// Whether the labelled class is among the `k` largest outputs. Targets are class indices `[N, …]` or `[N, …, 1]`.
public struct SparseTopKCategoricalAccuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }
  /// The number of places.
  public let k: Int

  /// Makes the metric.
  public init(k: Int = 5, name: String = "sparse_top_k_categorical_accuracy") {
    self.k = k
    self.name = name
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let user = "metric '\(name)'"
    let labels = target.labels(for: prediction, of: user, otherwise: "'top_k_categorical_accuracy'")
    return isAmongLargest(labels, k, prediction).share()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkClassIndices(targets, predictionShape: predictionShape)
  }
}

/// Whether the class where the target is largest is among the `k` largest outputs. Both are `[N, …, classes]`.
public struct TopKCategoricalAccuracy: MeanMetric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .maximize }
  /// The number of places.
  public let k: Int

  /// Makes the metric.
  public init(k: Int = 5, name: String = "top_k_categorical_accuracy") {
    self.k = k
    self.name = name
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.hasClasses(for: name) else { return prediction.perSample() }
    let targets = target.targets(for: prediction, of: "metric '\(name)'")
    return isAmongLargest(targets.firstLargest(), k, prediction).share()
  }
}

/// Whether fewer than `k` classes score higher than the labelled one. Scores that are not finite have no rank.
private func isAmongLargest(_ labels: Tensor, _ k: Int, _ scores: Tensor) -> Tensor {
  let axis = scores.rank - 1
  let isLabel = labels.isClass(of: scores)
  let score = select(isLabel, scores, scores.zerosLike()).sum(axes: [axis], keepDims: true)
  // Not the label itself: its score is computed twice, and a compiler may round one of them otherwise.
  let better = scores.greater(than: score).and(!isLabel).converted(to: .int32).sum(axes: [axis])
  let isPlaced = better.less(than: better.filled(Double(k)))
  return isPlaced.and(isLabel.any(axes: [axis])).and(scores.isFinite().all(axes: [axis]))
}
