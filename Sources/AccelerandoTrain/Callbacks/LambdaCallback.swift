// Hooks as closures, where a class would be too much.

/// Calls closures at the moments of training.
public final class LambdaCallback: Callback {
  /// Called before the first epoch.
  public var trainBegin: ((TrainingRun) throws -> Void)?
  /// Called after the last epoch.
  public var trainEnd: ((TrainingRun) throws -> Void)?
  /// Called before an epoch.
  public var epochBegin: ((Int, TrainingRun) throws -> Void)?
  /// Called after an epoch and its validation.
  public var epochEnd: ((Int, inout Logs, TrainingRun) throws -> Void)?
  /// Called after a step.
  public var batchEnd: ((Int, TrainingRun) throws -> Void)?

  /// The names of the numbers that `epochEnd` adds; nil where it may add any.
  public var addedLogs: [String]?

  /// Makes the callback.
  /// - Parameters:
  ///   - trainBegin: called before the first epoch.
  ///   - trainEnd: called after the last epoch.
  ///   - epochBegin: called before an epoch.
  ///   - epochEnd: called after an epoch and its validation.
  ///   - batchEnd: called after each step.
  ///   - adds: the names of the numbers that `epochEnd` adds to the logs; nil if it may add any.
  public init(
    trainBegin: ((TrainingRun) throws -> Void)? = nil, trainEnd: ((TrainingRun) throws -> Void)? = nil,
    epochBegin: ((Int, TrainingRun) throws -> Void)? = nil,
    epochEnd: ((Int, inout Logs, TrainingRun) throws -> Void)? = nil,
    batchEnd: ((Int, TrainingRun) throws -> Void)? = nil, adds: [String]? = nil
  ) {
    addedLogs = epochEnd == nil ? [] : adds
    self.trainBegin = trainBegin
    self.trainEnd = trainEnd
    self.epochBegin = epochBegin
    self.epochEnd = epochEnd
    self.batchEnd = batchEnd
  }

  /// A closure for steps wants to see each.
  public var stepInterval: Int? { batchEnd == nil ? nil : 1 }

  public func onTrainBegin(_ run: TrainingRun) throws { try trainBegin?(run) }
  public func onTrainEnd(_ run: TrainingRun) throws { try trainEnd?(run) }
  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws { try epochBegin?(epoch, run) }
  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    try epochEnd?(epoch, &logs, run)
  }
  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws { try batchEnd?(step, run) }
}
