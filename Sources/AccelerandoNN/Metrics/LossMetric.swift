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
    self.loss = loss.plain
    self.name = name ?? loss.name
  }

  public var unit: LossUnit { loss.unit == .batch ? .sample : loss.unit }

  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? {
    guard loss.unit == .place, prediction.rank > 2 else { return loss.mask(prediction, target) }
    let places = Array(prediction.shape.dropLast())
    guard target.shape.starts(with: places) else { return nil }
    return loss.mask(prediction.flattened(places), target.flattened(places))?.reshaped(places)
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    loss.values(prediction, target).converted(to: .float32)
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try loss.check(targets: targets, predictionShape: predictionShape)
  }
}
