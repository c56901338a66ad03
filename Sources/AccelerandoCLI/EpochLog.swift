// One JSON object per epoch, for scripts: its numbers, its time and, in the last one, the digest of the weights, which
// shows whether two training runs ended with the same bits.

import Accelerando
import Foundation

/// Writes the epochs to a file as they end.
final class EpochLog: Callback {
  /// Nil for standard output.
  private let file: LogFile?
  private var pending: [(key: String, value: JSON)]?
  private var epochStart = ContinuousClock.now
  private var validationStart: ContinuousClock.Instant?
  private var validationSeconds: Double?

  /// Creates the file; `-` is standard output.
  /// - Throws: `FormatError` when it cannot be written.
  init(_ path: String) throws {
    // Emptied only when the run begins: a resumed run appends to the file.
    file = try path == "-" ? nil : LogFile(URL(fileURLWithPath: path), continues: true)
  }

  var addedLogs: [String]? { [] }

  func onTrainBegin(_ run: TrainingRun) throws {
    guard let state = run.restoredState(of: self) else {
      return try file?.cut(to: 0) ?? ()
    }
    let reader = try ConfigReader(state.settings, subject: "the log of epochs")
    if let file { try file.cut(to: min(try reader.int("length"), try file.length())) }
    if case .object(let fields)? = reader.value("pending")?.value {
      pending = try fields.map { field in
        guard case .string(let text) = field.value.value, let value = try? JSON(parsing: Array(text.utf8)) else {
          throw ConfigError("the log of epochs: '\(field.key)' of 'pending' needs JSON as a text.", at: field.location)
        }
        return (field.key, value)
      }
    }
    epochStart = ContinuousClock.now.advanced(by: .seconds(-min(max(try reader.double("seconds"), 0), 1e9)))
  }

  func checkpointState(_ run: TrainingRun) throws -> CallbackState? {
    let length = try file?.length() ?? 0
    let fields = pending.map { $0.map { Config.Entry($0.key, Config(.string($0.value.text()))) } }
    return CallbackState(
      Config([
        "length": Config(.int(length)), "pending": fields.map { Config(.object($0)) },
        "seconds": Config(.double((ContinuousClock.now - epochStart).inSeconds)),
      ]), files: file.map { [URL(fileURLWithPath: $0.path)] } ?? [])
  }

  func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws {
    try flush()
    validationStart = nil
    validationSeconds = nil
    epochStart = .now
  }

  func onValidationBegin(_ run: TrainingRun) { validationStart = .now }

  func onValidationEnd(_ logs: Logs, _ run: TrainingRun) {
    validationSeconds = validationStart.map { (ContinuousClock.now - $0).inSeconds }
  }

  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) {
    let seconds = ((validationStart ?? .now) - epochStart).inSeconds
    var fields = [("epoch", JSON(.int(epoch + 1))), ("seconds", JSON.number(seconds))]
    if let validationSeconds { fields.append(("val_seconds", JSON.number(validationSeconds))) }
    fields.append(("steps", JSON(.int(run.stepsDone))))
    let first = ["loss", "accuracy", "val_loss", "val_accuracy"]
    let names = first.filter { logs[$0] != nil } + logs.keys.filter { !first.contains($0) }.sorted()
    pending = adding(names.map { ($0, logs[$0] ?? .nan) }, to: fields)
  }

  /// Writes the last epoch's line, with the digest of the final weights.
  func finish(weights: Store) throws {
    guard pending != nil else { return }
    pending?.append(("weights_sha256", JSON(.string(try weights.sha256()))))
    try flush()
  }

  /// Writes the line of the epoch that ended last. It waits for the next epoch to begin, since only then is it known
  /// not to be the last.
  func flush() throws {
    guard let fields = pending else { return }
    pending = nil
    let line = JSON(fields.map { ($0.key, $0.value) }).text() + "\n"
    if let file { return try file.write(line) }
    // If it is lost, training continues all the same; the command ends with an error.
    StandardStream.output.print(line)
    StandardStream.output.flush()
  }
}

extension Duration {
  /// The duration as a number.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension Store {
  /// The SHA-256 over names, types and bytes of the values, in order.
  func sha256() throws -> String { try SHA256Digest.hex(of: entries.map { ($0.0, $0.1) }) }
}
