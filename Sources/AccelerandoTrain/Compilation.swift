// What a model is trained with: optimizer, losses, metrics.

import AccelerandoCore
import AccelerandoNN

/// The loss of an output.
public struct OutputLoss: Sendable {
  /// The name of the output; nil for every output.
  public var output: String?
  /// The loss.
  public var loss: any Loss
  /// What the loss is multiplied by in the sum that training minimizes.
  public var weight: Double

  /// Describes the loss of an output.
  public init(_ loss: any Loss, of output: String? = nil, weight: Double = 1) {
    self.output = output
    self.loss = loss
    self.weight = weight
  }
}

/// A metric of an output.
public struct OutputMetric: Sendable {
  /// The name of the output; nil for the only one.
  public var output: String?
  /// The metric.
  public var metric: any Metric
  /// Whether it uses sample weights.
  public var isWeighted: Bool

  /// Describes a metric of an output.
  public init(_ metric: any Metric, of output: String? = nil, isWeighted: Bool = false) {
    self.output = output
    self.metric = metric
    self.isWeighted = isWeighted
  }
}

/// The optimizer, the losses and the metrics of a model.
public struct Compilation: Sendable {
  /// The optimizer.
  public var optimizer: any Optimizer
  /// The losses; training minimizes their weighted sum.
  public var losses: [OutputLoss]
  /// The metrics, those with equal weights for all samples first.
  public var watched: [OutputMetric]
  /// The element types that the model computes in.
  public var precision: Precision
  /// The parameters that are frozen, or trained by another optimizer or rate.
  public var groups: [ParameterGroup]

  /// Makes a compilation of losses and metrics for outputs by name.
  public init(
    optimizer: any Optimizer, losses: [OutputLoss], watching metrics: [OutputMetric] = [],
    precision: Precision = .float32, groups: [ParameterGroup] = []
  ) {
    self.groups = groups
    self.optimizer = optimizer
    self.losses = losses
    self.precision = precision
    watched = metrics.filter { !$0.isWeighted } + metrics.filter(\.isWeighted)
  }

  /// Makes a compilation of one loss, and metrics for the only output.
  public init(
    optimizer: any Optimizer, loss: any Loss, metrics: [any Metric] = [], weightedMetrics: [any Metric] = [],
    precision: Precision = .float32, groups: [ParameterGroup] = []
  ) {
    self.init(
      optimizer: optimizer, losses: [OutputLoss(loss)],
      watching: metrics.map { OutputMetric($0) } + weightedMetrics.map { OutputMetric($0, isWeighted: true) },
      precision: precision, groups: groups)
  }

  /// The loss, if there is exactly one.
  public var loss: (any Loss)? { losses.count == 1 ? losses[0].loss : nil }

  /// The losses in words: a name, or names with their outputs.
  public var lossDescription: String {
    losses.map { loss in loss.output.map { "\($0): \(loss.loss.name)" } ?? loss.loss.name }.joined(separator: ", ")
  }

  /// Refuses invalid settings, however they were made.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  func checkSettings() throws {
    try optimizer.checkSettings()
    for group in groups { try group.optimizer?.checkSettings() }
    for loss in losses { try Catalog.losses.check(loss.loss.plain) }
    for entry in watched { try Catalog.metrics.check(entry.metric) }
  }
}

/// What training does with an output of a model.
struct OutputTask {
  /// A metric, under the label that it has in logs.
  struct Watch {
    let metric: any Metric
    let isWeighted: Bool
    let label: String
    /// The labels of the numbers of the result: the metric's own, or several that begin with it.
    let labels: [String]
  }

  /// The number of the output.
  let index: Int
  /// The output's name; nil if the model has one output.
  let output: String?
  /// What is minimized; nil if the output is only watched.
  let loss: (any Loss)?
  let lossWeight: Double
  /// The label of the loss in logs, if there are several.
  var lossLabel: String?
  let metrics: [Watch]
}

extension Compilation {
  /// What is to be done with each output that has a loss or a metric.
  /// - Parameter outline: the model's, which names the outputs and their shapes.
  /// - Throws: `TrainingError` for outputs that do not exist, several losses of one output, and labels that are not
  ///   distinct in logs.
  func tasks(for outline: Outline) throws -> [OutputTask] {
    let outputs = outline.outputNames
    for name in losses.map(\.output) + watched.map(\.output) {
      guard let name, !outputs.contains(name) else { continue }
      throw TrainingError(
        "there is a loss or a metric for the output '\(name)', which the model does not have. It has: "
          + "\(outputs.joined(separator: ", ")).")
    }
    let isSingle = outputs.count == 1
    if !isSingle, let metric = watched.first(where: { $0.output == nil }) {
      throw TrainingError(
        "the model has the outputs \(outputs.joined(separator: ", ")): say of which one '\(metric.metric.name)' is a metric, "
          + "as in metrics: [\"\(outputs[0])\": […]].")
    }
    var tasks: [OutputTask] = try outputs.enumerated().compactMap { index, name in
      let own = losses.filter { $0.output == name }
      let found = own.isEmpty ? losses.filter { $0.output == nil } : own
      guard found.count <= 1 else {
        throw TrainingError("the output '\(name)' has \(found.count) losses; it needs one.")
      }
      let metrics = watched.filter { $0.output == nil || $0.output == name }.map { entry in
        let label = isSingle || entry.metric.name.isEmpty ? entry.metric.name : "\(name)_\(entry.metric.name)"
        return OutputTask.Watch(
          metric: entry.metric, isWeighted: entry.isWeighted, label: label,
          labels: entry.metric.resultNames(outline.outputs[index].shape).map { $0.isEmpty ? label : "\(label)_\($0)" })
      }
      if found.isEmpty, metrics.isEmpty { return nil }
      let weight = found.first?.weight ?? 1
      guard weight.isFinite, weight >= 0 else {
        throw TrainingError(
          "the weight of a loss is a number of at least 0; that of the output '\(name)' is \(weight).")
      }
      return OutputTask(
        index: index, output: isSingle ? nil : name, loss: found.first?.loss, lossWeight: weight, metrics: metrics)
    }
    let count = tasks.reduce(0) { $0 + ($1.loss == nil ? 0 : 1) }
    guard count > 0 else { throw TrainingError("no output has a loss: there is nothing to minimize.") }
    if count > 1 {
      for index in tasks.indices where tasks[index].loss != nil {
        tasks[index].lossLabel = "\(outputs[tasks[index].index])_loss"
      }
    }
    try Self.checkLabels(tasks)
    return tasks
  }

  /// Checks that every number has a name of its own in logs, where the loss and numbers on validation data stand too.
  private static func checkLabels(_ tasks: [OutputTask]) throws {
    var known: Set<String> = ["loss"]
    for name in tasks.compactMap(\.lossLabel) where !known.insert(name).inserted {
      throw TrainingError("two losses have the label '\(name)'. Give an output another name.")
    }
    for label in tasks.flatMap(\.metrics).flatMap(\.labels) {
      guard !label.isEmpty else { throw TrainingError("a metric has an empty label. Give it a name.") }
      guard known.insert(label).inserted else {
        throw TrainingError(
          label == "loss"
            ? "a metric has the label 'loss', which is the loss's own. Give it another label."
            : "two metrics have the label '\(label)'. Give one of them another label.")
      }
    }
    for name in known.sorted() where known.contains("val_" + name) {
      throw TrainingError(
        "the label 'val_\(name)' is that of '\(name)' on validation data. Give the metric another label.")
    }
  }
}
