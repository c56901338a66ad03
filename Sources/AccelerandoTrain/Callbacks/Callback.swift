// Extensions of the training loop: early stopping, checkpoints, logs, progress. Hooks have Keras' names and moments.

import AccelerandoCore
import AccelerandoNN

/// Is called during training, and may influence it. All hooks are optional. An error that a hook throws ends the run
/// once the other callbacks have run and checkpoints are written; `fit` then throws it, and the model keeps its
/// weights.
public protocol Callback: AnyObject {
  /// How often the callback needs to act between two steps: 1 for after each, 100 for after steps 100, 200, … of the
  /// run; nil, the default, if it can wait. Accelerators run many steps at a time; the hooks for steps are then
  /// called for all of them afterwards, with the numbers of the last one.
  var stepInterval: Int? { get }
  /// Whether only the first of the processes that train together should have the callback: true for those that write
  /// files.
  var isForOneWorker: Bool { get }
  /// The names of the numbers that the callback adds in `onEpochEnd`; nil, the default, if it may add any.
  var addedLogs: [String]? { get }
  /// The settings of a callback that influences training; nil, the default, for those that only observe. A run that
  /// resumes from a checkpoint needs the same.
  var courseSettings: Config? { get }
  /// Refuses a run in which the callback could not work, before anything else is done: a metric that does not exist, a
  /// path that cannot be written. `run.expectedLogs` has the numbers that earlier callbacks will have added to the
  /// logs.
  func check(_ run: TrainingRun) throws
  /// Before the first epoch.
  func onTrainBegin(_ run: TrainingRun) throws
  /// After the last epoch.
  func onTrainEnd(_ run: TrainingRun) throws
  /// Before an epoch, counted from 0.
  func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws
  /// After an epoch and its validation. Later callbacks and the history see numbers that are added or changed.
  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws
  /// Before a step, counted from 0 in each epoch; see `stepInterval`.
  func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) throws
  /// After a step; see `stepInterval`. `run.logs()` returns the numbers of the epoch so far; it has a cost, so call it
  /// only when needed.
  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws
  /// Before a validation.
  func onValidationBegin(_ run: TrainingRun) throws
  /// After a step of validation, counted from 0; if many steps run at a time, after these.
  func onValidationBatchEnd(_ step: Int, _ run: TrainingRun) throws
  /// After a validation, with its numbers.
  func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws
  /// The state that the callback needs when the run resumes from a checkpoint that is taken now: counters, the best
  /// value so far, the length of a file. It is returned in `onTrainBegin` by `run.restoredState(of: self)`.
  func checkpointState(_ run: TrainingRun) throws -> CallbackState?
}

extension Callback {
  public var stepInterval: Int? { nil }
  public var isForOneWorker: Bool { false }
  public var addedLogs: [String]? { nil }
  public var courseSettings: Config? { nil }
  public func check(_ run: TrainingRun) throws {}
  public func onTrainBegin(_ run: TrainingRun) throws {}
  public func onTrainEnd(_ run: TrainingRun) throws {}
  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws {}
  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {}
  public func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) throws {}
  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {}
  public func onValidationBegin(_ run: TrainingRun) throws {}
  public func onValidationBatchEnd(_ step: Int, _ run: TrainingRun) throws {}
  public func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws {}
  public func checkpointState(_ run: TrainingRun) throws -> CallbackState? { nil }
}

/// The current training run, as callbacks see it.
public final class TrainingRun {
  /// The model that is trained.
  public let model: Model
  /// The epoch before which training ends.
  public let epochs: Int
  /// The steps of an epoch, if known beforehand.
  public internal(set) var stepsPerEpoch: Int?
  /// The epoch, from 0.
  public internal(set) var epoch = 0
  /// The number of steps done in this epoch.
  public internal(set) var stepsDone = 0
  /// The number of steps done in all epochs of this run.
  public internal(set) var totalSteps = 0
  /// The history so far.
  public internal(set) var history = History()
  /// Set to true to stop: after the current step during an epoch, or after the current epoch.
  public var stopsTraining = false
  /// Whether training was interrupted: the current epoch is incomplete.
  public private(set) var wasInterrupted = false
  /// The epoch that training begins with. A callback that restores an earlier run may raise it before the first epoch.
  public var firstEpoch: Int
  /// Whether the run was resumed from a checkpoint. Before the first step of such a run, `onEpochBegin` is not called
  /// if the epoch had begun already.
  public internal(set) var isResumed = false
  /// Whether an epoch is in progress.
  public internal(set) var isInsideEpoch = false
  /// Thrown by the training loop after all callbacks of the step, if it was asked to end now.
  private(set) var interruption: (any Error)?
  /// The numbers that will be in the logs when the callback that asks is called after an epoch.
  public internal(set) var expectedLogs: ExpectedLogs
  var restoredStates: [ObjectIdentifier: CallbackState] = [:]
  /// Messages of callbacks; the progress display prints them between epochs.
  public internal(set) var messages: [String] = []

  init(model: Model, epochs: Int, firstEpoch: Int, stepsPerEpoch: Int?, expectedLogs: ExpectedLogs) {
    self.expectedLogs = expectedLogs
    self.model = model
    self.epochs = epochs
    self.firstEpoch = firstEpoch
    self.stepsPerEpoch = stepsPerEpoch
  }

  /// The numbers of the epoch so far.
  public func logs() throws -> Logs { try model.logs(.train) }

  /// Stops training after the current step on request, as with Ctrl-C.
  public func interrupt() {
    wasInterrupted = true
    stopsTraining = true
  }

  /// Ends training after the current step, without finishing the epoch: `fit` throws the error, once checkpoints are
  /// written.
  public func interrupt(throwing error: any Error) {
    wasInterrupted = true
    // What comes after the first error may be its consequence.
    if interruption == nil { interruption = error }
  }

  /// The `checkpointState` that a callback returned for the checkpoint that the run was resumed from; nil if there is
  /// none.
  public func restoredState(of callback: any Callback) -> CallbackState? { restoredStates[ObjectIdentifier(callback)] }

  /// Shows a message, once the progress display has finished its line.
  public func say(_ message: String) { messages.append(message) }

  /// Returns the messages that have not been shown yet.
  public func takeMessages() -> [String] {
    defer { messages = [] }
    return messages
  }
}
