// Losses as metrics: what is reported need not be what is minimized.

import AccelerandoCore

/// A loss that is reported instead of minimized.
public struct LossMetric: MeanMetric {
  /// The loss.
  public let loss: any Loss
  public let name: String
  public var direction: MetricDirection? { .minimize }

  /// Watches a loss, under its own name if none is given.
  public init(_ loss: any Loss, name: String? = nil) {
    self.loss = loss
    self.name = name ?? loss.name
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    loss.values(prediction, target).converted(to: .float32)
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try loss.check(targets: targets, predictionShape: predictionShape)
  }
}
