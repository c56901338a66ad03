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
  /// Predictions above it are positive. Several give a number each.
  public let thresholds: [Double]
  public let name: String
  public var direction: MetricDirection? { kind.isRight ? .maximize : .minimize }
  public var stateNames: [String] { ["count"] }

  /// Makes the metric.
  public init(_ kind: Kind, threshold: Double = 0.5, name: String? = nil) {
    self.init(kind, thresholds: [threshold], name: name)
  }

  /// Makes the metric for several thresholds.
  public init(_ kind: Kind, thresholds: [Double], name: String? = nil) {
    self.kind = kind
    self.thresholds = thresholds
    self.name = name ?? kind.rawValue
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let elements = BinaryElements(prediction, target, weights: weights, of: "metric '\(name)'")
    return elements.counts(above: thresholds) { isPositive, isTrue in
      [(kind.isPositive ? isPositive : !isPositive).and(kind.isPositive == kind.isRight ? isTrue : !isTrue)]
    }
  }

  public func result(_ state: [[Double]], weight: Double) -> Double { state[0].first ?? .nan }
  public func resultNames(_ predictionShape: [Int]) -> [String] { thresholds.resultNames }
  public func results(_ state: [[Double]], weight: Double) -> [Double] { state[0] }
}

extension [Double] {
  /// The names of the numbers that belong to thresholds.
  fileprivate var resultNames: [String] { count == 1 ? [""] : map(\.formatted) }
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
  /// Predictions above it are positive; none for 0.5, or for all of the `topK`. Several give a number each.
  public let thresholds: [Double]
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
    self.init(kind, thresholds: threshold.map { [$0] } ?? [], topK: topK, classID: classID, name: name)
  }

  /// Makes the metric for several thresholds.
  public init(_ kind: Kind, thresholds: [Double], topK: Int? = nil, classID: Int? = nil, name: String? = nil) {
    self.kind = kind
    self.thresholds = thresholds
    self.topK = topK
    self.classID = classID
    self.name = name ?? kind.rawValue
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let elements = BinaryElements(
      prediction, target, weights: weights, of: "metric '\(name)'", classID: classID, topK: topK)
    let least = topK == nil ? 0.5 : -Double(Float.greatestFiniteMagnitude)
    return elements.counts(above: thresholds.isEmpty ? [least] : thresholds) { isPositive, isTrue in
      [isPositive.and(isTrue), kind == .precision ? isPositive.and(!isTrue) : (!isPositive).and(isTrue)]
    }
  }

  public func result(_ state: [[Double]], weight: Double) -> Double { results(state, weight: weight).first ?? .nan }

  public func resultNames(_ predictionShape: [Int]) -> [String] {
    thresholds.isEmpty ? [""] : thresholds.resultNames
  }

  public func results(_ state: [[Double]], weight: Double) -> [Double] {
    zip(state[0], state[1]).map { right, wrong in share(right, of: right + wrong) }
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
