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
  private var bestWeights: Store?
  private var bestEpoch = 0
  /// The epoch, from 0, after which training was stopped; nil if it was not.
  public private(set) var stoppedEpoch: Int?

  /// Makes the callback.
  /// - Parameters:
  ///   - monitor: the number that is watched.
  ///   - minimumChange: what a change has to exceed to count.
  ///   - patience: epochs without improvement before training stops.
  ///   - mode: which direction is better.
  ///   - baseline: a value to exceed before patience starts anew.
  ///   - restoresBestWeights: whether the model ends with the weights of its best epoch.
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

  public func onTrainBegin(_ run: TrainingRun) throws {
    wait = 0
    best = nil
    bestWeights = nil
    bestEpoch = 0
    stoppedEpoch = nil
    guard let state = run.restoredState(of: self) else { return }
    let reader = try ConfigReader(state.settings, subject: "the state of EarlyStopping")
    wait = try reader.int("wait")
    best = try reader.number("best")
    bestEpoch = try reader.int("best_epoch")
    stoppedEpoch = try reader.optionalInt("stopped_epoch")
    if state.tensors.count > 0 { bestWeights = state.tensors }
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    let settings = Config([
      "wait": Config(.int(wait)), "best": best.map { Config(.double($0)) }, "best_epoch": Config(.int(bestEpoch)),
      "stopped_epoch": stoppedEpoch.map { Config(.int($0)) },
    ])
    return CallbackState(settings, tensors: bestWeights ?? Store())
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    guard epoch >= startFromEpoch, let current = monitor.value(logs, run, for: "EarlyStopping") else { return }
    if restoresBestWeights, bestWeights == nil {
      bestWeights = try run.model.weights()
      bestEpoch = epoch
    }
    wait += 1
    if monitor.isBetter(current, than: best) {
      best = current
      bestEpoch = epoch
      if restoresBestWeights { bestWeights = try run.model.weights() }
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
    guard restoresBestWeights, let bestWeights else { return }
    try run.model.setWeights(bestWeights)
    run.say("The model has the weights of epoch \(bestEpoch + 1), its best.")
  }
}
