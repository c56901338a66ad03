// How often yes and no are right and wrong, and the shares that follow from it.

import AccelerandoCore

/// The number of true or false positives or negatives: of predictions above a threshold, or not, for labels that are 0 or
/// not. With sample weights, the sum of their weights.
public struct ConfusionCount: Metric, Hashable {
  /// What is counted.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case truePositives = "true_positives"
    case trueNegatives = "true_negatives"
    case falsePositives = "false_positives"
    case falseNegatives = "false_negatives"

    var isRight: Bool { self == .truePositives || self == .trueNegatives }
    var isPositive: Bool { self == .truePositives || self == .falsePositives }
  }

  /// What is counted.
  public let kind: Kind
  /// Predictions above it are positive.
  public let threshold: Double
  public let name: String
  public var direction: MetricDirection? { kind.isRight ? .maximize : .minimize }
  public var stateNames: [String] { ["count"] }

  /// Makes the metric.
  public init(_ kind: Kind, threshold: Double = 0.5, name: String? = nil) {
    self.kind = kind
    self.threshold = threshold
    self.name = name ?? kind.rawValue
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let elements = BinaryElements(prediction, target, weights: weights, of: "metric '\(name)'")
    let isPositive = elements.scores.greater(than: elements.scores.filled(threshold))
    let isTrue = elements.labels.notEqual(to: elements.labels.zerosLike())
    let predicted = kind.isPositive ? isPositive : !isPositive
    let labelled = kind.isPositive == kind.isRight ? isTrue : !isTrue
    return [elements.weighted(predicted.and(labelled).converted(to: elements.scores.dtype)).sumOfSamples()]
  }

  public func result(_ state: [[Double]], weight: Double) -> Double { state[0].first ?? .nan }
}

/// Precision, the share of right ones among the predictions above a threshold; or recall, the share of the true labels
/// with such a prediction. 0 where there is none.
public struct BinaryScore: Metric, Hashable {
  /// Which share.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case precision
    case recall
  }

  /// Which share.
  public let kind: Kind
  /// Predictions above it are positive; nil for 0.5, or for all of the `topK`.
  public let threshold: Double?
  /// How many of the largest predictions of a sample may be positive; nil for all.
  public let topK: Int?
  /// The class that is looked at; nil for all.
  public let classID: Int?
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["true_positives", kind == .precision ? "false_positives" : "false_negatives"] }

  /// Makes the metric.
  public init(
    _ kind: Kind, threshold: Double? = nil, topK: Int? = nil, classID: Int? = nil, name: String? = nil
  ) {
    self.kind = kind
    self.threshold = threshold
    self.topK = topK
    self.classID = classID
    self.name = name ?? kind.rawValue
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let elements = BinaryElements(
      prediction, target, weights: weights, of: "metric '\(name)'", classID: classID, topK: topK)
    let least = threshold ?? (topK == nil ? 0.5 : -Double(Float.greatestFiniteMagnitude))
    let isPositive = elements.scores.greater(than: elements.scores.filled(least))
    let isTrue = elements.labels.notEqual(to: elements.labels.zerosLike())
    let wrong = kind == .precision ? isPositive.and(!isTrue) : (!isPositive).and(isTrue)
    return [isPositive.and(isTrue), wrong].map {
      elements.weighted($0.converted(to: elements.scores.dtype)).sumOfSamples()
    }
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    guard let right = state[0].first, let wrong = state[1].first else { return .nan }
    return share(right, of: right + wrong)
  }
}

/// The best of one share among the thresholds for which another is at least a given number, as the precision at a recall
/// of 0.9; 0 if there is no such threshold. Predictions are probabilities.
public struct OperatingPoint: Metric, Hashable {
  /// What is measured, at what.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case precisionAtRecall = "precision_at_recall"
    case recallAtPrecision = "recall_at_precision"
    case sensitivityAtSpecificity = "sensitivity_at_specificity"
    case specificityAtSensitivity = "specificity_at_sensitivity"

    /// The name of the share that is given.
    var given: String { String(rawValue.split(separator: "_")[2]) }
  }

  /// What is measured, at what.
  public let kind: Kind
  /// The least value of the share that is given.
  public let least: Double
  /// The number of thresholds, evenly from 0 to 1.
  public let thresholdCount: Int
  /// The class that is looked at; nil for all.
  public let classID: Int?
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["positives", "negatives"] }

  /// Makes the metric.
  public init(_ kind: Kind, _ least: Double, thresholdCount: Int = 200, classID: Int? = nil, name: String? = nil) {
    self.kind = kind
    self.least = least
    self.thresholdCount = thresholdCount
    self.classID = classID
    self.name = name ?? kind.rawValue
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let elements = BinaryElements(prediction, target, weights: weights, of: "metric '\(name)'", classID: classID)
    return ThresholdCounts.histograms(elements, thresholds: thresholdCount)
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let counts = ThresholdCounts(positives: state[0], negatives: state[1])
    let (given, measured): ([Double], [Double]) =
      switch kind {
      case .precisionAtRecall: (counts.recalls, counts.precisions)
      case .recallAtPrecision: (counts.precisions, counts.recalls)
      case .sensitivityAtSpecificity: (counts.specificities, counts.recalls)
      case .specificityAtSensitivity: (counts.recalls, counts.specificities)
      }
    return zip(given, measured).filter { $0.0 >= least }.map(\.1).max() ?? 0
  }
}
