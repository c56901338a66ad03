// Saves the model as it trains, so that a crash costs an epoch and the best epoch is kept.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Saves the model after epochs, or after some number of steps.
public final class ModelCheckpoint: Callback {
  private let path: String
  private var template: TextTemplate?
  private var monitor: Monitor
  private let savesBestOnly: Bool
  private let savesWeightsOnly: Bool
  private let everySteps: Int?
  private var best: Double?
  private var steps = 0
  private var hasSkipped = false

  /// Makes the callback.
  /// - Parameters:
  ///   - path: the file of weights, or the directory of the model. `{epoch}`, `{epoch:02d}` and numbers such as `{val_loss:.2f}` are filled
  ///     in, in the formats of Python's `str.format`; epochs count from 1, and so do steps as `{batch}`. Directories around it are made.
  ///   - monitor: the number that tells the best epoch.
  ///   - mode: which direction is better.
  ///   - savesBestOnly: whether only epochs are saved that are better than all before. NaN is never better.
  ///   - savesWeightsOnly: whether the weights alone are saved, as one safetensors file.
  ///   - everySteps: saves after this many steps instead of after each epoch.
  ///   - initialBest: what the first epoch has to exceed.
  public init(
    _ path: String, monitor: String = "val_loss", mode: MonitorMode = .automatic, savesBestOnly: Bool = false,
    savesWeightsOnly: Bool = false, everySteps: Int? = nil, initialBest: Double? = nil
  ) {
    self.path = path
    self.monitor = Monitor(monitor, mode)
    self.savesBestOnly = savesBestOnly
    self.savesWeightsOnly = savesWeightsOnly
    self.everySteps = everySteps
    best = initialBest.flatMap { $0.isNaN ? nil : $0 }
  }

  public var stepInterval: Int? { everySteps }

  public var isForOneWorker: Bool { true }

  public var addedLogs: [String]? { [] }

  public func check(_ run: TrainingRun) throws {
    guard everySteps.map({ $0 > 0 }) ?? true else {
      throw TrainingError("ModelCheckpoint saves after at least 1 step; received everySteps \(everySteps ?? 0).")
    }
    // Within an epoch there are no numbers but those of its steps.
    let numbers = everySteps == nil ? run.expectedLogs : try run.numbersOfSteps()
    if savesBestOnly { try monitor.check(numbers, for: "ModelCheckpoint") }
    try checkPath(numbers)
  }

  /// Reads the path, and makes the directories that are known already.
  private func checkPath(_ numbers: ExpectedLogs) throws {
    let template: TextTemplate
    let own = everySteps == nil ? ["epoch"] : ["epoch", "batch"]
    do {
      template = try TextTemplate(path)
      for name in template.names where !own.contains(name) && !numbers.names.contains(name) && numbers.isComplete {
        throw TextTemplate.Mistake(
          reason: "'{\(name)}' \(numbers.whyMissing(name)) Besides: \(own.joined(separator: ", "))")
      }
      try template.check { own.contains($0) }
    } catch let mistake as TextTemplate.Mistake {
      throw TrainingError("ModelCheckpoint cannot write to '\(path)': \(mistake.reason).")
    }
    self.template = template
    let known = URL(fileURLWithPath: template.hasFields ? template.beginning + "x" : path)
    let directory = known.deletingLastPathComponent()
    try makeDirectory(at: directory)
    try checkIsWritable(directory)
    if !template.hasFields { try checkCanReplace(known, isDirectory: !savesWeightsOnly) }
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    hasSkipped = false
    guard let state = run.restoredState(of: self) else { return }
    let reader = try ConfigReader(state.settings, subject: "the state of ModelCheckpoint")
    best = try reader.number("best")
    steps = try reader.int("steps")
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    CallbackState(Config(["best": best.map { Config(.double($0)) }, "steps": Config(.int(steps))]))
  }

  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    guard let everySteps else { return }
    steps += 1
    if steps % everySteps == 0 { try save(run, logs: try run.logs()) }
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    if everySteps == nil { try save(run, logs: logs) }
  }

  public func onTrainEnd(_ run: TrainingRun) {
    if savesBestOnly, let reason = monitor.missingBest(best), !run.history.epochs.isEmpty {
      run.say("ModelCheckpoint: \(reason); nothing was saved.")
    }
  }

  private func save(_ run: TrainingRun, logs: Logs) throws {
    var current: Double?
    if savesBestOnly {
      guard let value = monitor.value(logs, run, for: "ModelCheckpoint"), monitor.isBetter(value, than: best) else {
        return
      }
      current = value
    }
    let template = try template ?? TextTemplate(path)
    let place = template.filled { name in
      switch name {
      case "epoch": .whole(run.epoch + 1)
      case "batch" where everySteps != nil: .whole(run.stepsDone)
      default: logs[name].map { .real($0) }
      }
    }
    guard let place else { return skip(run, logs) }
    let url = URL(fileURLWithPath: place)
    if template.hasFields { try makeDirectory(at: url.deletingLastPathComponent()) }
    if savesWeightsOnly {
      try run.model.saveWeights(to: url)
    } else {
      try run.model.save(to: url)
    }
    // Nothing counts as saved that is not.
    if let current { best = current }
  }

  /// Says once that epochs without a number that the path needs are not saved.
  private func skip(_ run: TrainingRun, _ logs: Logs) {
    if hasSkipped { return }
    hasSkipped = true
    let missing = (template?.names ?? []).filter { $0 != "epoch" && $0 != "batch" && logs[$0] == nil }
    run.say(
      "ModelCheckpoint: epoch \(run.epoch + 1) has no \(missing.map { "'\($0)'" }.joined(separator: ", ")) for the name of "
        + "its file and is not saved; epochs that have it are.")
  }
}
