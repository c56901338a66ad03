// A step to inspect: what `fit`, `evaluate` or `predict` would compile and run for a batch, for tools that show or
// measure it.

import AccelerandoCore
import AccelerandoNN

/// One compiled step with a batch in place.
public struct InspectedStep {
  /// The traced program.
  public let program: Program
  /// The step, bound to the model's values: running it trains, if it is a training step. A step of evaluation or
  /// prediction over many samples has packed the weights; `refresh()` packs them again.
  public let execution: any Execution
  /// The number of samples in the batch.
  public let sampleCount: Int
}

extension Model {
  /// The first step for a dataset, with its batch in place.
  /// - Parameters:
  ///   - kind: what the step does.
  ///   - data: the dataset that the batch is taken from.
  ///   - batchSize: the number of samples in the step.
  ///   - isLongPass: whether evaluation and prediction run as for thousands of samples, for which it pays to inspect
  ///     the weights first: they are packed, without their zeros where that is faster. Nil to decide by the dataset's
  ///     size.
  /// - Throws: `GraphError` or `TrainingError` when data and model do not fit.
  public func inspectedStep(
    _ kind: StepKind, on data: Dataset, batchSize: Int = 32, isLongPass: Bool? = nil
  ) throws -> InspectedStep {
    if kind != .predict { _ = try compiled() }
    try prepareValues()
    let feeder = try feeder(data, kind, batchSize: batchSize)
    feeder.isLongPass = isLongPass
    try feeder.begin(pass: 0)
    guard let step = try feeder.next()?.step else {
      throw TrainingError("the dataset is empty: there is no batch to show a step for.")
    }
    return InspectedStep(program: step.program, execution: step.execution, sampleCount: step.shares.count)
  }
}
