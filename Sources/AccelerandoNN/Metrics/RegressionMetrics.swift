// How near quantities are to what they should be.

import AccelerandoCore

/// The square root of the mean squared error.
public struct RootMeanSquaredError: Metric, Hashable {
  public let name: String
  public var direction: MetricDirection? { .minimize }
  public var stateNames: [String] { ["squares"] }

  /// Makes the metric.
  public init(name: String = "root_mean_squared_error") { self.name = name }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    LossMetric(MeanSquaredError(), name: name).sums(prediction, target, weights: weights)
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    share(state[0].first ?? .nan, of: weight).squareRoot()
  }
}

/// The coefficient of determination, 1 − Σ(y − p)² / Σ(y − ȳ)², of each output `[N, outputs]`.
public struct R2Score: Metric, Hashable {
  /// How outputs are put together.
  public enum Aggregation: String, Hashable, Sendable, CaseIterable {
    /// The mean.
    case uniformAverage = "uniform_average"
    /// The mean, weighted by the variances of the targets.
    case varianceWeightedAverage = "variance_weighted_average"
    /// Not at all: a number for each output.
    case none
  }

  /// How outputs are put together.
  public let aggregation: Aggregation
  /// The number of independent variables, for which the score is adjusted; 0 for none.
  public let regressorCount: Int
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] {
    ["sum", "squares", "residual", "count"] + (regressorCount > 0 ? ["elements"] : [])
  }

  /// Makes the metric.
  public init(aggregation: Aggregation = .uniformAverage, regressorCount: Int = 0, name: String = "r2_score") {
    self.aggregation = aggregation
    self.regressorCount = regressorCount
    self.name = name
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let scores = prediction.widened()
    let labels = target.targets(for: scores, of: "metric '\(name)'")
    guard scores.rank == 2 else {
      scores.graph.report(GraphError("needs predictions [N, outputs]; received \(scores.type)."))
      return stateNames.map { _ in scores.sum() }
    }
    let amounts = weights.map { $0.spread(over: scores) } ?? scores.onesLike()
    // The variance is a difference of large sums.
    let sums = [labels, labels * labels, (labels - scores).squared(), labels.onesLike()].map { values in
      (values.converted(to: .float64) * amounts.converted(to: .float64)).sumOfSamples()
    }
    if regressorCount == 0 { return sums }
    // Keras counts the elements of the targets, whatever they weigh.
    let samples = Scope.current?.share?.sampleCount ?? scores.scalar(Double(scores.dim(0))).converted(to: .float32)
    return sums + [samples * Double(scores.dim(1))]
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let results = results(state, weight: weight)
    return results.reduce(0, +) / Double(max(results.count, 1))
  }

  public func resultNames(_ predictionShape: [Int]) -> [String] {
    aggregation == .none ? (0..<max(predictionShape.last ?? 0, 0)).map(String.init) : [""]
  }

  public func results(_ state: [[Double]], weight: Double) -> [Double] {
    let scores = plainResults(state)
    guard regressorCount > 0, let count = state[4].first else { return scores }
    let freedom = count - Double(regressorCount) - 1
    // With fewer samples than variables there is nothing to adjust by.
    return freedom > 0 ? scores.map { 1 - (1 - $0) * (count - 1) / freedom } : scores
  }

  /// The results before they are adjusted.
  private func plainResults(_ state: [[Double]]) -> [Double] {
    let totals = state[0].indices.map { state[1][$0] - state[0][$0] * state[0][$0] / state[3][$0] }
    let scores = zip(state[2], totals).map { residual, total in
      let score = 1 - residual / total
      return score.isInfinite ? 0 : score
    }
    switch aggregation {
    case .uniformAverage: return [scores.reduce(0, +) / Double(max(scores.count, 1))]
    case .varianceWeightedAverage:
      return [zip(scores, totals).reduce(0) { $0 + $1.0 * $1.1 } / totals.reduce(0, +)]
    case .none: return scores
    }
  }
}

/// How alike the outputs of a sample and its targets are, along the last axis; the mean over samples.
public struct Similarity: MeanMetric, Hashable {
  /// What is compared.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// The cosine of the angle between both.
    case cosine = "cosine_similarity"
    /// Pearson's correlation.
    case pearson = "pearson_correlation"
    /// Concordance by Lin (1989), which differences of mean and scale make smaller too.
    case concordance = "concordance_correlation"
  }

  /// What is compared.
  public let kind: Kind
  public let name: String
  public var direction: MetricDirection? { .maximize }

  /// Makes the metric.
  public init(_ kind: Kind, name: String? = nil) {
    self.kind = kind
    self.name = name ?? kind.rawValue
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let p = prediction.widened()
    let y = target.targets(for: p, of: "metric '\(name)'")
    guard p.rank >= 2 else {
      p.graph.report(GraphError("needs predictions [N, …, outputs]; received \(p.type)."))
      return p
    }
    let axis = [p.rank - 1]
    func mean(_ x: Tensor) -> Tensor { x.mean(axes: axis, keepDims: true) }
    switch kind {
    case .cosine:
      func unit(_ x: Tensor) -> Tensor { x / x.squared().sum(axes: axis, keepDims: true).maximum(1e-12).sqrt() }
      return (unit(y) * unit(p)).sum(axes: axis).perSample()
    case .pearson:
      func normalized(_ x: Tensor) -> Tensor {
        let centered = x - mean(x)
        return centered / mean(centered.squared()).sqrt()
      }
      return (normalized(y) * normalized(p)).mean(axes: axis).perSample()
    case .concordance:
      // Keras takes the covariance around the mean of the predictions; its mean is the same.
      let norm = mean((y - mean(y)).squared()) + mean((p - mean(p)).squared()) + (mean(y) - mean(p)).squared()
      return (2 * (y - mean(p)) * (p - mean(p)) / (norm + 1e-7)).mean(axes: axis).perSample()
    }
  }
}
