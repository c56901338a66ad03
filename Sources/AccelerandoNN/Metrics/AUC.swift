// The area under a curve of shares over all thresholds, as a sum over evenly spaced ones.

import AccelerandoCore
import Foundation

/// The area under the receiver operating characteristic (ROC) or under precision over recall (PR). Predictions are
/// probabilities, or logits.
public struct AUC: Metric, Hashable {
  /// The curve.
  public enum Curve: String, Hashable, Sendable, CaseIterable {
    /// Sensitivity over 1 − specificity.
    case roc = "ROC"
    /// Precision over recall.
    case pr = "PR"
  }

  /// How the area between two thresholds is computed.
  public enum Summation: String, Hashable, Sendable, CaseIterable {
    /// The mean of both heights; for precision and recall the formula of Davis and Goadrich (2006), in which counts are
    /// interpolated.
    case interpolation
    /// The smaller height.
    case minoring
    /// The larger height.
    case majoring
  }

  /// The curve.
  public let curve: Curve
  /// How the area between two thresholds is computed.
  public let summation: Summation
  /// The number of thresholds, evenly from 0 to 1.
  public let thresholdCount: Int
  /// Whether each column is a problem of its own, and the result the mean of their areas.
  public let isMultiLabel: Bool
  /// Whether predictions are logits.
  public let fromLogits: Bool
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["positives", "negatives"] }

  /// Makes the metric.
  public init(
    curve: Curve = .roc, summation: Summation = .interpolation, thresholdCount: Int = 200, isMultiLabel: Bool = false,
    fromLogits: Bool = false, name: String = "auc"
  ) {
    self.curve = curve
    self.summation = summation
    self.thresholdCount = thresholdCount
    self.isMultiLabel = isMultiLabel
    self.fromLogits = fromLogits
    self.name = name
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let scores = fromLogits ? prediction.widened().sigmoid() : prediction
    let elements = BinaryElements(scores, target, weights: weights, of: "metric '\(name)'")
    guard isMultiLabel, scores.rank >= 2 else {
      return ThresholdCounts.histograms(elements, thresholds: thresholdCount)
    }
    let labels = scores.dim(-1)
    let group = scores.iota(TensorType(.int32, scores.shape), axis: scores.rank - 1).reshaped([scores.type.elementCount]
    )
    return ThresholdCounts.histograms(elements, thresholds: thresholdCount, group: group, groups: labels)
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let count = state[0].count / thresholdCount
    guard count > 0 else { return .nan }
    let areas = (0..<count).map { label in
      let range = label * thresholdCount..<(label + 1) * thresholdCount
      return area(ThresholdCounts(positives: state[0][range], negatives: state[1][range]))
    }
    return areas.reduce(0, +) / Double(count)
  }

  private func area(_ counts: ThresholdCounts) -> Double {
    if curve == .pr, summation == .interpolation { return interpolatedArea(counts) }
    let (x, y) =
      curve == .roc ? (counts.specificities.map { 1 - $0 }, counts.recalls) : (counts.recalls, counts.precisions)
    return zip(x, y).adjacentPairs().reduce(0) { sum, pair in
      let (a, b) = pair
      let height =
        switch summation {
        case .interpolation: (a.1 + b.1) / 2
        case .minoring: min(a.1, b.1)
        case .majoring: max(a.1, b.1)
        }
      return sum + (a.0 - b.0) * height
    }
  }

  /// Between two thresholds true positives are a linear function of the positives.
  private func interpolatedArea(_ counts: ThresholdCounts) -> Double {
    let (tp, fp, fn) = (counts.truePositives, counts.falsePositives, counts.falseNegatives)
    return (1..<max(tp.count, 1)).reduce(0) { sum, index in
      let (positives, next) = (tp[index - 1] + fp[index - 1], tp[index] + fp[index])
      let change = tp[index - 1] - tp[index]
      let slope = share(change, of: max(positives - next, 0))
      let intercept = tp[index] - slope * next
      let ratio = positives > 0 && next > 0 ? positives / next : 1
      return sum + share(slope * (change + intercept * log(ratio)), of: max(tp[index] + fn[index], 0))
    }
  }
}

extension Sequence {
  fileprivate func adjacentPairs() -> [(Element, Element)] {
    let all = Array(self)
    return Array(zip(all, all.dropFirst()))
  }
}
