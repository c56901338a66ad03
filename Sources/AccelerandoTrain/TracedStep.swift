// A step as a program only: nothing is uploaded and nothing runs, so that steps can be inspected, exported or compiled
// for devices that are not present, and for models that are too large for this machine.

import AccelerandoCore
import AccelerandoNN

/// The types of the batches that a step is traced for.
public struct BatchTypes: Hashable, Sendable {
  /// The type of one sample of each input of the model, without the batch axis.
  public var features: [TensorType]
  /// The type of one label of each output, without the batch axis; empty if there are none.
  public var targets: [TensorType]

  /// Describes batches.
  public init(features: [TensorType], targets: [TensorType]) {
    self.features = features
    self.targets = targets
  }

  /// Describes batches for a model with one output.
  public init(features: [TensorType], labels: TensorType? = nil) {
    self.init(features: features, targets: labels.map { [$0] } ?? [])
  }
}

extension Model {
  /// Traces the program of a step without initializing the model. Its inputs are what changes from step to step:
  /// parameters, the optimizer's state, running totals, and the batch.
  /// - Parameters:
  ///   - kind: what the step does.
  ///   - types: the types of a sample and of its label.
  ///   - batchSize: the number of samples in the batch.
  ///   - workers: the number of devices that share the batch; the program is that of each of them, with an `AllReduce`
  ///     for every sum over the batch.
  ///   - compilation: optimizer, loss and metrics; nil for the model's own.
  /// - Throws: `GraphError` or `TrainingError` when data and model do not fit.
  public func stepProgram(
    _ kind: StepKind, on types: BatchTypes, batchSize: Int, workers: Int = 1, compilation: Compilation? = nil
  ) throws -> Program {
    try checkBatchSize(batchSize)
    guard workers >= 1 else { throw TrainingError("workers are at least 1; received \(workers).") }
    let compilation = compilation ?? self.compilation
    func row(_ type: TensorType) -> NDArray { NDArray(zeros: type.with([1] + type.shape)) }
    // One sample stands for all: it takes the shapes that a real batch would be brought into.
    let expectation = DataExpectation(
      inputs: inputs, names: inputNames, outline: try outline(),
      tasks: kind == .predict ? [] : try compilation?.tasks(for: try outline()) ?? [])
    let sample = try expectation.fitted(
      Batch(
        features: NamedArrays(types.features.map(row)),
        targets: kind == .predict ? [] : NamedArrays(types.targets.map(row))))
    let programs = StepPrograms(
      layer: layer, outline: try outline(), compilation: compilation, transforms: parameterTransforms,
      rules: parameterRules)
    return try programs.program(StepSignature(kind: kind, like: sample, count: batchSize, workers: workers))
  }
}

/// Checks the size of a batch that is no part of a dataset's: programs count rows in 32 bits.
func checkBatchSize(_ size: Int) throws {
  guard size >= 1, size <= Int(Int32.max) else {
    throw TrainingError("a batch size is at least 1 and at most \(Int32.max); received \(size).")
  }
}
