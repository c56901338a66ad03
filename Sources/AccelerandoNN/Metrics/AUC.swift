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
    /// Precision gain over recall gain, by Flach and Kull (2015).
    case prGain = "PRGAIN"
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
  /// The number of thresholds, from 0 to 1.
  public let thresholdCount: Int
  /// The thresholds between 0 and 1, in order; nil where they lie evenly.
  public let thresholds: [Double]?
  /// How much each column counts; nil where all count the same.
  public let labelWeights: [Double]?
  /// Whether each column is a problem of its own, and the result the mean of their areas.
  public let isMultiLabel: Bool
  /// Whether predictions are logits.
  public let fromLogits: Bool
  public let name: String
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["positives", "negatives"] }

  /// Makes the metric.
  /// - Parameters:
  ///   - curve: the curve.
  ///   - summation: how the area between two thresholds is computed.
  ///   - thresholdCount: the number of thresholds, evenly from 0 to 1.
  ///   - thresholds: the thresholds between 0 and 1 instead, which need not lie evenly.
  ///   - isMultiLabel: whether each column is a problem of its own.
  ///   - labelWeights: how much each column counts: in the mean of the areas, or its elements in one area.
  ///   - fromLogits: whether predictions are logits.
  ///   - name: the metric's name.
  public init(
    curve: Curve = .roc, summation: Summation = .interpolation, thresholdCount: Int = 200,
    thresholds: [Double]? = nil, isMultiLabel: Bool = false, labelWeights: [Double]? = nil, fromLogits: Bool = false,
    name: String = "auc"
  ) {
    self.thresholds = thresholds?.sorted()
    self.labelWeights = labelWeights
    self.curve = curve
    self.summation = summation
    self.thresholdCount = thresholds.map { $0.count + 2 } ?? thresholdCount
    self.isMultiLabel = isMultiLabel
    self.fromLogits = fromLogits
    self.name = name
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let scores = fromLogits ? prediction.widened().sigmoid() : prediction
    if let labelWeights, labelWeights.count != scores.dim(-1) || scores.rank < 2 {
      scores.graph.report(
        GraphError("has \(labelWeights.count) label weights; needs one for each column of \(scores.shape)."))
      return stateNames.map { _ in scores.constant(NDArray(zeros: TensorType(.float32, [thresholdCount]))) }
    }
    var amounts = weights
    if let labelWeights, !isMultiLabel {
      let columns = scores.constant(NDArray(labelWeights)).converted(to: .float32)
      let spread = columns.broadcast(to: scores.shape, axes: [scores.rank - 1])
      amounts = amounts.map { $0.converted(to: .float32).spread(over: spread) * spread } ?? spread
    }
    let elements = BinaryElements(scores, target, weights: amounts, of: "metric '\(name)'")
    guard isMultiLabel, scores.rank >= 2 else {
      return ThresholdCounts.histograms(elements, thresholds: thresholdCount, at: thresholds)
    }
    let labels = scores.dim(-1)
    let group = scores.iota(TensorType(.int32, scores.shape), axis: scores.rank - 1).reshaped([scores.type.elementCount]
    )
    return ThresholdCounts.histograms(
      elements, thresholds: thresholdCount, at: thresholds, group: group, groups: labels)
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let count = state[0].count / thresholdCount
    guard count > 0 else { return .nan }
    let areas = (0..<count).map { label in
      let range = label * thresholdCount..<(label + 1) * thresholdCount
      return area(ThresholdCounts(positives: state[0][range], negatives: state[1][range]))
    }
    guard isMultiLabel, let labelWeights else { return areas.reduce(0, +) / Double(count) }
    return share(zip(areas, labelWeights).reduce(0) { $0 + $1.0 * $1.1 }, of: labelWeights.reduce(0, +))
  }

  private func area(_ counts: ThresholdCounts) -> Double {
    if curve == .pr, summation == .interpolation { return interpolatedArea(counts) }
    let (x, y): ([Double], [Double]) =
      switch curve {
      case .roc: (counts.specificities.map { 1 - $0 }, counts.recalls)
      case .pr: (counts.recalls, counts.precisions)
      case .prGain: (counts.recallGains, counts.precisionGains)
      }
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
