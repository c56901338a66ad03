// Callbacks that change the learning rate between epochs. Within a program, schedules do it step by step.

import AccelerandoNN

/// Reduces the learning rate when a metric has not improved for some epochs.
public final class ReduceLROnPlateau: Callback {
  private var monitor: Monitor
  private let factor: Double
  private let patience: Int
  private let cooldown: Int
  private let minimumRate: Double
  private var wait = 0
  private var remainingCooldown = 0
  private var best: Double?

  /// Makes the callback.
  /// - Parameters:
  ///   - monitor: the number that is watched. Epochs that do not have it are passed over, as those without validation.
  ///   - factor: what the learning rate is multiplied by; below 1.
  ///   - patience: epochs without improvement before the rate is reduced.
  ///   - mode: which direction is better.
  ///   - minimumChange: what a change has to exceed to count.
  ///   - cooldown: epochs after a reduction in which nothing is counted.
  ///   - minimumRate: the lowest rate.
  public init(
    monitor: String = "val_loss", factor: Double = 0.1, patience: Int = 10, mode: MonitorMode = .automatic,
    minimumChange: Double = 1e-4, cooldown: Int = 0, minimumRate: Double = 0
  ) {
    self.monitor = Monitor(monitor, mode, minimumChange: minimumChange)
    self.factor = factor
    self.patience = patience
    self.cooldown = cooldown
    self.minimumRate = minimumRate
  }

  public var addedLogs: [String]? { ["learning_rate"] }

  public var courseSettings: Config? {
    Config(
      .object(
        monitor.settings + [
          Config.Entry("factor", Config(.double(factor))), Config.Entry("patience", Config(.int(patience))),
          Config.Entry("cooldown", Config(.int(cooldown))), Config.Entry("min_lr", Config(.double(minimumRate))),
        ]))
  }

  public func check(_ run: TrainingRun) throws {
    guard factor < 1, factor >= 0 else {
      throw TrainingError("ReduceLROnPlateau needs a factor from 0 to less than 1; received \(factor).")
    }
    guard patience >= 0, cooldown >= 0, minimumRate >= 0, minimumRate.isFinite else {
      throw TrainingError(
        "ReduceLROnPlateau needs a patience, a cooldown and a lowest rate of at least 0; received \(patience), "
          + "\(cooldown), \(minimumRate).")
    }
    try checkRateIsConstant(run, for: "ReduceLROnPlateau")
    try monitor.check(run.expectedLogs, for: "ReduceLROnPlateau")
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    wait = 0
    remainingCooldown = 0
    best = nil
    guard let state = run.restoredState(of: self) else { return }
    let reader = try ConfigReader(state.settings, subject: "the state of ReduceLROnPlateau")
    wait = try reader.int("wait")
    remainingCooldown = try reader.int("cooldown")
    best = try reader.number("best")
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    CallbackState(
      Config([
        "wait": Config(.int(wait)), "cooldown": Config(.int(remainingCooldown)),
        "best": best.map { Config(.double($0)) },
      ]))
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    let rate = try run.model.learningRate()
    logs["learning_rate"] = rate
    guard let current = monitor.value(logs, run, for: "ReduceLROnPlateau") else { return }
    if remainingCooldown > 0 {
      remainingCooldown -= 1
      wait = 0
    }
    if monitor.isBetter(current, than: best) {
      best = current
      wait = 0
    } else if remainingCooldown == 0 {
      wait += 1
      guard wait >= patience, rate > minimumRate else { return }
      let reduced = max(rate * factor, minimumRate)
      try run.model.setLearningRate(reduced)
      run.say("Epoch \(epoch + 1): the learning rate is reduced to \(reduced).")
      remainingCooldown = cooldown
      wait = 0
    }
  }

  public func onTrainEnd(_ run: TrainingRun) {
    if let reason = monitor.missingBest(best), !run.history.epochs.isEmpty {
      run.say("ReduceLROnPlateau: \(reason).")
    }
  }
}

/// Sets the learning rate before each epoch.
public final class LearningRateScheduler: Callback {
  private let schedule: (Int, Double) -> Double

  /// Makes the callback.
  /// - Parameter schedule: gets the epoch, from 0, and the current rate; returns the rate of the epoch.
  public init(_ schedule: @escaping (_ epoch: Int, _ rate: Double) -> Double) { self.schedule = schedule }

  public var addedLogs: [String]? { ["learning_rate"] }
  public var courseSettings: Config? { Config([:]) }

  public func check(_ run: TrainingRun) throws { try checkRateIsConstant(run, for: "LearningRateScheduler") }

  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws {
    let rate = schedule(epoch, try run.model.learningRate())
    guard rate.isFinite, rate >= 0 else {
      throw TrainingError("a learning rate is a number of at least 0; the schedule gave \(rate) for epoch \(epoch).")
    }
    try run.model.setLearningRate(rate)
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    logs["learning_rate"] = try run.model.learningRate()
  }
}

/// Refuses optimizers whose rate is a function of the step, since a callback cannot set it.
private func checkRateIsConstant(_ run: TrainingRun, for user: String) throws {
  guard case .constant = try run.model.compiled().optimizer.learningRate else {
    throw TrainingError(
      "\(user) sets the learning rate, but the optimizer follows a schedule. Give the optimizer a number as its learning "
        + "rate, or leave \(user) out.")
  }
}
