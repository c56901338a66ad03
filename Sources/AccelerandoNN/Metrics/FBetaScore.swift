// The harmonic mean of precision and recall, class by class.

import AccelerandoCore

/// Fβ by van Rijsbergen (1979): the weighted harmonic mean of precision and recall, (1 + β²) · P · R / (β² · P + R), of
/// predictions `[N, classes]` against as many labels, 0 or 1.
public struct FBetaScore: Metric, Hashable {
  /// How classes are put together.
  public enum Average: String, Hashable, Sendable, CaseIterable {
    /// The counts of all classes are added up first.
    case micro
    /// The mean over classes.
    case macro
    /// The mean over classes, weighted by their numbers of true labels.
    case weighted
    /// Not at all: a number for each class.
    case none
  }

  /// How much more recall matters than precision.
  public let beta: Double
  /// How classes are put together.
  public let average: Average
  /// Predictions above it are positive; nil for the largest of a sample.
  public let threshold: Double?
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["true_positives", "false_positives", "false_negatives", "labels"] }

  /// Makes the metric; F1 for β = 1.
  public init(beta: Double = 1, average: Average = .macro, threshold: Double? = nil, name: String? = nil) {
    self.beta = beta
    self.average = average
    self.threshold = threshold
    self.name = name ?? (beta == 1 ? "f1_score" : "fbeta_score")
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let scores = prediction.widened()
    let labels = target.targets(for: scores, of: "metric '\(name)'")
    guard scores.rank == 2 else {
      scores.graph.report(GraphError("needs predictions [N, classes]; received \(scores.type)."))
      return stateNames.map { _ in scores.sum() }
    }
    let isPositive: Tensor
    if let threshold {
      isPositive = scores.greater(than: scores.filled(threshold))
    } else {
      // Zeros alone are no prediction.
      let largest = scores.max(axes: [1], keepDims: true).broadcast(to: scores.shape)
      isPositive = scores.greaterOrEqual(to: largest).and(scores.abs().greater(than: scores.filled(1e-9)))
    }
    let predicted = isPositive.converted(to: scores.dtype)
    let spread = weights.map { $0.spread(over: scores) }
    return [predicted * labels, predicted * (1 - labels), (1 - predicted) * labels, labels].map { values in
      (spread.map { values * $0 } ?? values).sumOfSamples()
    }
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let scores = scores(state)
    guard average == .weighted else { return scores.reduce(0, +) / Double(max(scores.count, 1)) }
    let total = state[3].reduce(0, +) + epsilon
    return zip(scores, state[3]).reduce(0) { $0 + $1.0 * $1.1 / total }
  }

  public func resultNames(_ predictionShape: [Int]) -> [String] {
    average == .none ? (0..<max(predictionShape.last ?? 0, 0)).map(String.init) : [""]
  }

  public func results(_ state: [[Double]], weight: Double) -> [Double] {
    average == .none ? scores(state) : [result(state, weight: weight)]
  }

  /// The scores of the classes, or of all together.
  private func scores(_ state: [[Double]]) -> [Double] {
    let counts = average == .micro ? state.map { [$0.reduce(0, +)] } : state
    return counts[0].indices.map { index in
      let (tp, fp, fn) = (counts[0][index], counts[1][index], counts[2][index])
      let (precision, recall) = (tp / (tp + fp + epsilon), tp / (tp + fn + epsilon))
      return (1 + beta * beta) * precision * recall / (beta * beta * precision + recall + epsilon)
    }
  }

  /// What is added to denominators, as in Keras.
  private var epsilon: Double { 1e-7 }
}
