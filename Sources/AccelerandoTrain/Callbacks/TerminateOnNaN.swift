// A loss that is no number never becomes one again.

import AccelerandoNN

/// Stops training at the first step whose loss is NaN or infinite; where many steps run at a time, after these.
public final class TerminateOnNaN: Callback {
  /// Makes the callback.
  public init() {}

  public var addedLogs: [String]? { [] }
  public var courseSettings: Config? { Config([:]) }

  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    let total = try run.model.session.scalar(StateName.total(.train, .loss))
    guard !total.isFinite, !run.stopsTraining else { return }
    let found = total.isNaN ? "NaN" : "infinite"
    run.say("Epoch \(run.epoch + 1), step \(run.stepsDone): the loss is \(found); training stops.")
    run.stopsTraining = true
  }
}
