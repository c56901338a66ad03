// What a model is trained with: optimizer, loss, metrics.

import AccelerandoCore
import AccelerandoNN

/// The optimizer, the loss and the metrics of a model.
public struct Compilation: Sendable {
  /// The optimizer.
  public var optimizer: any Optimizer
  /// The loss to minimize.
  public var loss: any Loss
  /// Metrics with equal weights for all samples.
  public var metrics: [any Metric]
  /// Metrics with sample weights.
  public var weightedMetrics: [any Metric]
  /// The element types that the model computes in.
  public var precision: Precision

  /// Makes a compilation.
  public init(
    optimizer: any Optimizer, loss: any Loss, metrics: [any Metric] = [], weightedMetrics: [any Metric] = [],
    precision: Precision = .float32
  ) {
    self.precision = precision
    self.optimizer = optimizer
    self.loss = loss
    self.metrics = metrics
    self.weightedMetrics = weightedMetrics
  }

  /// All metrics, and whether each uses sample weights.
  var watched: [(metric: any Metric, isWeighted: Bool)] {
    metrics.map { ($0, false) } + weightedMetrics.map { ($0, true) }
  }

  /// Refuses settings that make no sense, whoever made them.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  func checkSettings() throws {
    try optimizer.checkSettings()
    try Catalog.losses.check(loss)
    for (metric, _) in watched { try Catalog.metrics.check(metric) }
  }

  /// Checks that every number has a name of its own.
  func checkNames() throws {
    var known: Set<String> = ["loss"]
    for (metric, _) in watched where !known.insert(metric.name).inserted {
      throw TrainingError("two of the numbers that are watched are called '\(metric.name)'. Give one another name.")
    }
  }
}
