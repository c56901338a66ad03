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

  /// Refuses invalid settings, however they were made.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  func checkSettings() throws {
    try optimizer.checkSettings()
    try Catalog.losses.check(loss)
    for (metric, _) in watched { try Catalog.metrics.check(metric) }
  }

  /// Checks that every number has a name of its own in logs, where the loss and numbers on validation data stand too.
  func checkNames() throws {
    var known: Set<String> = ["loss"]
    for (metric, _) in watched {
      guard !metric.name.isEmpty else { throw TrainingError("a metric has an empty label. Give it a name.") }
      guard known.insert(metric.name).inserted else {
        throw TrainingError(
          metric.name == "loss"
            ? "a metric has the label 'loss', which is the loss's own. Give it another label."
            : "two metrics have the label '\(metric.name)'. Give one of them another label.")
      }
    }
    for name in known.sorted() where known.contains("val_" + name) {
      throw TrainingError(
        "the label 'val_\(name)' is that of '\(name)' on validation data. Give the metric another label.")
    }
  }
}
