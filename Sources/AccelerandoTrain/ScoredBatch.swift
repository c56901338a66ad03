// What a model says to samples whose answers are known, sample by sample: `evaluate` only tells the means. Batches come one after
// the other, so that data need not fit into memory.

import AccelerandoCore
import AccelerandoNN

/// What a model says to some samples, beside what would be right.
public struct ScoredBatch {
  /// The samples as the data have them.
  public let batch: Batch
  /// The outputs of the model by name: `[N, …]` each.
  public let outputs: NamedArrays
  /// The targets, in the order of the outputs, in the shapes that the losses take; nil for outputs without any.
  public let targets: [NDArray?]
  /// The loss of each sample: the sum of its outputs' losses with their weights, each the mean over the places that count. NaN where
  /// no output has a loss that is one of samples.
  public let losses: [Double]
}

extension Model {
  /// Goes through data once and gives for every batch what the model says.
  /// - Parameters:
  ///   - data: the samples, with targets. They keep their order.
  ///   - batchSize: the number of samples in a step.
  ///   - body: is called with one batch after the other.
  /// - Throws: `TrainingError` when the model is not compiled or the data do not fit it; what `body` throws.
  public func score(_ data: Dataset, batchSize: Int = 32, _ body: (ScoredBatch) throws -> Void) throws {
    _ = try compiled()
    let losses = SampleLosses(self)
    let batches = try data.shuffled(false).batches(of: batchSize)
    let outline = try outline()
    let expectation = DataExpectation(inputs: inputs, names: inputNames, outline: outline, tasks: tasks)
    while let batch = try batches.next() {
      let outputs = try predictOutputs(Dataset(features: batch.features, targets: []), batchSize: max(batch.count, 1))
      let fitted = try expectation.fitted(batch).targets
      let targets = outline.outputNames.map { name in
        fitted.names.isEmpty ? (outline.outputs.count == 1 ? fitted.first : nil) : fitted[name]
      }
      try body(
        ScoredBatch(
          batch: batch, outputs: outputs, targets: targets,
          losses: try losses.values(outputs, targets, count: batch.count)))
    }
  }
}

/// The losses of samples, each for itself.
private final class SampleLosses {
  private let model: Model
  /// The compiled formulas, by the types that they take.
  private var known: [[TensorType]: any Executable] = [:]

  init(_ model: Model) { self.model = model }

  /// The tasks whose losses are numbers of samples, with the arrays that they need.
  private func parts(_ outputs: NamedArrays, _ targets: [NDArray?]) -> [(task: OutputTask, arrays: [NDArray])] {
    model.tasks.compactMap { task in
      guard let loss = task.loss, loss.unit != .batch, let target = targets[task.index] else { return nil }
      return (task, [outputs[task.index], target])
    }
  }

  /// The loss of each sample.
  func values(_ outputs: NamedArrays, _ targets: [NDArray?], count: Int) throws -> [Double] {
    let parts = parts(outputs, targets)
    guard !parts.isEmpty else { return [Double](repeating: .nan, count: count) }
    let arrays = parts.flatMap(\.arrays)
    let types = arrays.map(\.type)
    let executable = try known[types] ?? compiled(parts.map(\.task), types)
    known[types] = executable
    let execution = try executable.bind(try arrays.map(model.backend.upload))
    try execution.run()
    return try execution.outputs[0].read().elements(as: Double.self)
  }

  private func compiled(_ tasks: [OutputTask], _ types: [TensorType]) throws -> any Executable {
    let graph = Graph()
    let tensors = types.enumerated().map { graph.input("\($0)", $1) }
    var sum: Tensor?
    for (number, task) in tasks.enumerated() {
      guard let loss = task.loss else { continue }
      let own = loss.perSample(tensors[2 * number].widenedPrediction(), tensors[2 * number + 1])
      let weighted = own.converted(to: .float32) * task.lossWeight
      sum = sum.map { $0 + weighted } ?? weighted
    }
    guard let sum else { throw TrainingError("no output has a loss of samples.") }
    return try model.backend.compile(try Program(graph, outputs: [sum]))
  }
}
