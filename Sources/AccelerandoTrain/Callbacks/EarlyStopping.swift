// Stops training when it no longer helps.

import AccelerandoNN

/// Stops training when a metric has not improved for some epochs.
public final class EarlyStopping: Callback {
  private var monitor: Monitor
  private let patience: Int
  private let restoresBestWeights: Bool
  private let startFromEpoch: Int
  private let baseline: Double?
  private var wait = 0
  private var best: Double?
  /// The model in its best epoch: the weights, and what a rule for parameters remembered then, without which later masks would be put on
  /// earlier weights.
  private var bestState: Store?
  private var bestEpoch = 0
  /// The epoch, from 0, after which training was stopped; nil if it was not.
  public private(set) var stoppedEpoch: Int?

  /// Makes the callback.
  /// - Parameters:
  ///   - monitor: the number that is watched. Epochs that do not have it are passed over, as those without validation.
  ///   - minimumChange: what a change has to exceed to count.
  ///   - patience: epochs without improvement before training stops.
  ///   - mode: which direction is better.
  ///   - baseline: a value to exceed before patience starts anew.
  ///   - restoresBestWeights: whether the model ends with the weights of its best epoch, and with the masks that it had then. An epoch in
  ///     which the number is NaN is never the best.
  ///   - startFromEpoch: epochs to pass before watching begins.
  public init(
    monitor: String = "val_loss", minimumChange: Double = 0, patience: Int = 0, mode: MonitorMode = .automatic,
    baseline: Double? = nil, restoresBestWeights: Bool = false, startFromEpoch: Int = 0
  ) {
    self.monitor = Monitor(monitor, mode, minimumChange: minimumChange)
    self.patience = patience
    self.baseline = baseline
    self.restoresBestWeights = restoresBestWeights
    self.startFromEpoch = startFromEpoch
  }

  public var addedLogs: [String]? { [] }

  public var courseSettings: Config? {
    Config(
      .object(
        monitor.settings + [
          Config.Entry("patience", Config(.int(patience))),
          Config.Entry("baseline", baseline.map { Config(.double($0)) } ?? Config(.null)),
          Config.Entry("restore_best_weights", Config(.bool(restoresBestWeights))),
          Config.Entry("start_from_epoch", Config(.int(startFromEpoch))),
        ]))
  }

  public func check(_ run: TrainingRun) throws {
    guard patience >= 0, startFromEpoch >= 0, !(baseline?.isNaN ?? false) else {
      throw TrainingError(
        "EarlyStopping needs a patience and a first epoch of at least 0, and a baseline that is a number; received "
          + "\(patience), \(startFromEpoch), \(baseline.map { "\($0)" } ?? "none").")
    }
    try monitor.check(run.expectedLogs, for: "EarlyStopping")
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    wait = 0
    best = nil
    bestState = nil
    bestEpoch = 0
    stoppedEpoch = nil
    guard let state = run.restoredState(of: self) else { return }
    let reader = try ConfigReader(state.settings, subject: "the state of EarlyStopping")
    wait = try reader.int("wait")
    best = try reader.number("best")
    bestEpoch = try reader.int("best_epoch")
    stoppedEpoch = try reader.optionalInt("stopped_epoch")
    if state.tensors.count > 0 { bestState = state.tensors }
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    let settings = Config([
      "wait": Config(.int(wait)), "best": best.map { Config(.double($0)) }, "best_epoch": Config(.int(bestEpoch)),
      "stopped_epoch": stoppedEpoch.map { Config(.int($0)) },
    ])
    return CallbackState(settings, tensors: bestState ?? Store())
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    guard epoch >= startFromEpoch, let current = monitor.value(logs, run, for: "EarlyStopping") else { return }
    wait += 1
    if monitor.isBetter(current, than: best) {
      best = current
      bestEpoch = epoch
      if restoresBestWeights { bestState = try run.model.settledState() }
      if baseline.map({ monitor.isBetter(current, than: $0) }) ?? true { wait = 0 }
      return
    }
    if wait >= patience, epoch > 0 {
      stoppedEpoch = epoch
      run.stopsTraining = true
    }
  }

  public func onTrainEnd(_ run: TrainingRun) throws {
    if let stoppedEpoch { run.say("Epoch \(stoppedEpoch + 1): early stopping.") }
    if let bestState, restoresBestWeights {
      try run.model.restore(settledState: bestState)
      run.say("The model has the weights of epoch \(bestEpoch + 1), its best.")
    } else if let reason = monitor.missingBest(best), !run.history.epochs.isEmpty {
      run.say(
        "EarlyStopping: \(reason)"
          + (restoresBestWeights ? "; nothing is restored, the model has the weights of its last epoch." : "."))
    }
  }
}
