// What people hang into training: early stopping, checkpoints, logs, progress. Hooks have Keras' names and moments.

import AccelerandoCore

/// Something that is told how training goes, and may change its course. All hooks are optional.
public protocol Callback: AnyObject {
  /// Before the first epoch.
  func onTrainBegin(_ run: TrainingRun) throws
  /// After the last epoch.
  func onTrainEnd(_ run: TrainingRun) throws
  /// Before an epoch, counted from 0.
  func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws
  /// After an epoch and its validation. Numbers that are added or changed are seen by later callbacks and the history.
  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws
  /// Before a step, counted from 0 in each epoch.
  func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) throws
  /// After a step. `run.logs()` gives the numbers of the epoch so far; asking costs a little, so ask when needed.
  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws
  /// Before a validation.
  func onValidationBegin(_ run: TrainingRun) throws
  /// After a validation, with its numbers.
  func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws
}

extension Callback {
  public func onTrainBegin(_ run: TrainingRun) throws {}
  public func onTrainEnd(_ run: TrainingRun) throws {}
  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws {}
  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {}
  public func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) throws {}
  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {}
  public func onValidationBegin(_ run: TrainingRun) throws {}
  public func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws {}
}

/// A training run that is going on, as callbacks see it.
public final class TrainingRun {
  /// The model that is trained.
  public let model: Model
  /// The epoch to end before.
  public let epochs: Int
  /// The steps of an epoch, if known beforehand.
  public internal(set) var stepsPerEpoch: Int?
  /// The epoch, from 0.
  public internal(set) var epoch = 0
  /// The steps that were done in this epoch.
  public internal(set) var stepsDone = 0
  /// What happened so far.
  public internal(set) var history = History()
  /// Set to true to stop: after the current step while an epoch runs, or after the current epoch.
  public var stopsTraining = false
  /// Messages that callbacks give to people; the progress display prints them between epochs.
  public internal(set) var messages: [String] = []

  init(model: Model, epochs: Int, stepsPerEpoch: Int?) {
    self.model = model
    self.epochs = epochs
    self.stepsPerEpoch = stepsPerEpoch
  }

  /// The numbers of the epoch so far.
  public func logs() throws -> Logs { try model.logs(.train) }

  /// Tells people something, once the progress display has finished its line.
  public func say(_ message: String) { messages.append(message) }
}
