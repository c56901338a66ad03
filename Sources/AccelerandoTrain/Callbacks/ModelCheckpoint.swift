// Saves the model as it trains, so that a crash costs an epoch and the best epoch is kept.

import AccelerandoNN
import Foundation

/// Saves the model after epochs, or after some number of steps.
public final class ModelCheckpoint: Callback {
  private let path: String
  private var monitor: Monitor
  private let savesBestOnly: Bool
  private let savesWeightsOnly: Bool
  private let everySteps: Int?
  private var best: Double?
  private var steps = 0

  /// Makes the callback.
  /// - Parameters:
  ///   - path: the file of weights, or the directory of the model. `{epoch}`, `{epoch:02d}` and numbers such as
  ///     `{val_loss:.2f}` are filled in; epochs count from 1.
  ///   - monitor: the number that tells the best epoch.
  ///   - mode: which direction is better.
  ///   - savesBestOnly: whether only epochs are saved that are better than all before.
  ///   - savesWeightsOnly: whether the weights alone are saved, as one safetensors file.
  ///   - everySteps: saves after so many steps instead of after each epoch.
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
    best = initialBest
  }

  public var stepInterval: Int? { everySteps }

  public var isForOneWorker: Bool { true }

  public func onTrainBegin(_ run: TrainingRun) throws {
    guard let state = run.restoredState(of: self) else { return }
    let reader = try ConfigReader(state.settings, subject: "the state of ModelCheckpoint")
    best = try reader.number("best")
    steps = try reader.int("steps")
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    CallbackState(Config(["best": best.map { Config(.double($0)) }, "steps": Config(.int(steps))]))
  }

  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    guard let everySteps, everySteps > 0 else { return }
    steps += 1
    if steps % everySteps == 0 { try save(run, logs: try run.logs()) }
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    if everySteps == nil { try save(run, logs: logs) }
  }

  private func save(_ run: TrainingRun, logs: Logs) throws {
    if savesBestOnly {
      guard let current = monitor.value(logs, run, for: "ModelCheckpoint") else { return }
      guard monitor.isBetter(current, than: best) else { return }
      best = current
    }
    let url = URL(fileURLWithPath: try Self.filled(path, epoch: run.epoch + 1, logs))
    if savesWeightsOnly {
      try run.model.saveWeights(to: url)
    } else {
      try run.model.save(to: url)
    }
  }

  /// The path with its placeholders filled in.
  /// - Throws: `TrainingError` for a name that is not among the numbers, or a format that is none.
  static func filled(_ path: String, epoch: Int, _ logs: Logs) throws -> String {
    var result = ""
    var rest = path[...]
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else { break }
      result += rest[..<open]
      let parts = rest[rest.index(after: open)..<close].split(separator: ":", maxSplits: 1).map(String.init)
      result += try text(name: parts.first ?? "", format: parts.count > 1 ? parts[1] : nil, epoch, logs)
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }

  private static func text(name: String, format: String?, _ epoch: Int, _ logs: Logs) throws -> String {
    if name == "epoch" {
      let width = Int(format?.filter(\.isNumber) ?? "") ?? 0
      let digits = String(epoch)
      return String(repeating: "0", count: min(max(0, width - digits.count), 20)) + digits
    }
    guard let value = logs[name] else {
      throw TrainingError(
        "ModelCheckpoint: '{\(name)}' is not among the numbers \(logs.keys.sorted().joined(separator: ", ")).")
    }
    guard let format else { return "\(value)" }
    guard format.hasPrefix("."), format.hasSuffix("f"), let digits = Int(format.dropFirst().dropLast()),
      (0...20).contains(digits)
    else { throw TrainingError("ModelCheckpoint: '{\(name):\(format)}' needs a format like '.2f'.") }
    return String(format: "%.\(digits)f", value)
  }
}
