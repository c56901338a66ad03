// One JSON object a line for every epoch, for scripts: the numbers, how long they took, and with the last of them the
// digest of the weights, by which two trainings can be told to have ended with the same bits.

import Accelerando
import Foundation

/// Writes the epochs to a file as they end.
final class EpochLog: Callback {
  private let file: FileHandle
  private let path: String
  private var pending: [(key: String, value: JSON)]?
  private var epochStart = ContinuousClock.now
  private var validationStart: ContinuousClock.Instant?
  private var validationSeconds: Double?

  /// Makes the file; `-` is standard output.
  /// - Throws: `FormatError` when it cannot be written.
  init(_ path: String) throws {
    self.path = path
    if path == "-" {
      file = .standardOutput
      return
    }
    // Emptied only when the run begins: one that goes on continues the file.
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FormatError(
        file: path, reason: "cannot write the file", remedy: "Check that its directory exists and may be written to")
    }
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  func onTrainBegin(_ run: TrainingRun) throws {
    guard let state = run.restoredState(of: self) else {
      if path != "-" { try? file.truncate(atOffset: 0) }
      return
    }
    let reader = try ConfigReader(state.settings, subject: "the log of epochs")
    if path != "-" {
      let length = UInt64(clamping: try reader.int("length"))
      try? file.truncate(atOffset: min(length, try file.seekToEnd()))
      try file.seekToEnd()
    }
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
    let isFile = path != "-"
    let length = isFile ? Int(clamping: try file.offset()) : 0
    let fields = pending.map { $0.map { Config.Entry($0.key, Config(.string($0.value.text()))) } }
    return CallbackState(
      Config([
        "length": Config(.int(length)), "pending": fields.map { Config(.object($0)) },
        "seconds": Config(.double((ContinuousClock.now - epochStart).inSeconds)),
      ]), files: isFile ? [URL(fileURLWithPath: path)] : [])
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

  /// Writes the last epoch's line, with the digest of the weights that the training ended with.
  func finish(weights: Store) throws {
    guard pending != nil else { return }
    pending?.append(("weights_sha256", JSON(.string(try weights.sha256()))))
    try flush()
  }

  /// Writes the line of the epoch that ended last. It waits for the next epoch to begin, since only then is it known not
  /// to have been the last.
  func flush() throws {
    guard let fields = pending else { return }
    pending = nil
    let line = JSON(fields.map { ($0.key, $0.value) }).text() + "\n"
    if path == "-" {
      // If it is lost, the training goes on all the same; the command ends with an error.
      StandardStream.output.print(line)
      StandardStream.output.flush()
      return
    }
    do {
      try file.write(contentsOf: Data(line.utf8))
    } catch {
      throw FormatError(file: path, reason: "cannot write the file: \(error.localizedDescription)")
    }
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
