// Which classes are taken for which: a table is the result, not a number.

import AccelerandoCore

/// The number of samples of each class, in rows, that are predicted as each class, in columns; weighted.
///
/// Predictions are `[N, …, classes]`, of which the largest counts, or `[N, …, 1]`, class 1 above a threshold. Targets are
/// class indices or one-hot. The number of class i predicted as j is called `confusion_matrix_i_j` in logs.
public struct ConfusionMatrix: Metric, Hashable {
  /// Predictions of one number above it are class 1.
  public let threshold: Double
  public let name: String
  public var stateNames: [String] { ["confusion"] }

  /// Makes the metric.
  public init(threshold: Double = 0.5, name: String = "confusion_matrix") {
    self.threshold = threshold
    self.name = name
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let classes = Self.classCount(prediction.shape)
    // Above the threshold, where IoU takes class 1 from the threshold on.
    let isBinary = prediction.dim(-1) == 1 || prediction.rank < 2
    let scores =
      isBinary
      ? prediction.greater(than: prediction.filled(threshold)).converted(to: .float32) : prediction
    return IoU(
      classCount: classes, predictions: isBinary ? .sparse : .oneHot,
      targets: !isBinary && target.shape == prediction.shape ? .oneHot : .sparse
    ).sums(scores, target, weights: weights)
  }

  /// The share of right ones among all.
  public func result(_ state: [[Double]], weight: Double) -> Double {
    let classes = Int(Double(state[0].count).squareRoot())
    let right = (0..<classes).reduce(0) { $0 + state[0][$1 * classes + $1] }
    return share(right, of: state[0].reduce(0, +))
  }

  public func resultNames(_ predictionShape: [Int]) -> [String] {
    let classes = Self.classCount(predictionShape)
    return (0..<classes * classes).map { "\($0 / classes)_\($0 % classes)" }
  }

  public func results(_ state: [[Double]], weight: Double) -> [Double] { state[0] }

  private static func classCount(_ shape: [Int]) -> Int { shape.count < 2 ? 2 : max(shape.last ?? 2, 2) }
}

extension ConfusionMatrix: Configurable {
  public var configName: String { "confusion_matrix" }

  public func config() -> Config {
    Config([
      "threshold": Config(.double(threshold)), "label": name == configName ? nil : Config(.string(name)),
    ])
  }
}

extension Metric where Self == ConfusionMatrix {
  /// How often each class is taken for each.
  public static var confusionMatrix: Self { Self() }
}
