// A run that can be killed at any moment and then resumed as if nothing had happened. Passing this to `fit` is enough:
// the training loop reports the end of each step and epoch; the state of the run is then copied, and written while
// training continues.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Writes checkpoints while a model trains, and resumes from the last intact one.
///
///     let checkpoints = Checkpoints(directory, every: .steps(500), keep: 3, resumes: true)
///     try model.fit(data, epochs: 10, callbacks: [checkpoints])
///
/// A checkpoint holds the weights, the optimizer, the step, the random keys, all other state of the model, the position
/// in the data, the epoch's numbers so far, the history, and what callbacks return from `checkpointState(_:)`. A run
/// that is resumed from one ends with the same bits as one that was never stopped, if it has the same model, data and
/// settings; more `epochs` are allowed. State that is not visible here is not restored: that of closures.
public final class Checkpoints: Callback {
  /// How often checkpoints are written.
  public enum Interval: Hashable, Sendable {
    /// After this many steps.
    case steps(Int)
    /// After the step during which this many seconds have passed.
    case seconds(Double)
    /// After this many epochs.
    case epochs(Int)

    /// Reads `500` (steps), `30s`, `5m`, `2h`, `1e` (epochs); nil for anything else, and for what is not above 0.
    public init?(_ text: String) {
      if let steps = Int(text), steps > 0 {
        self = .steps(steps)
        return
      }
      guard let unit = text.last, let number = Double(text.dropLast()), number > 0, number <= 1e9 else { return nil }
      switch unit {
      case "s": self = .seconds(number)
      case "m": self = .seconds(number * 60)
      case "h": self = .seconds(number * 3600)
      case "e":
        guard let epochs = Int(exactly: number) else { return nil }
        self = .epochs(epochs)
      default: return nil
      }
    }
  }

  /// The directory of the checkpoints, one directory each.
  public let directory: URL
  /// Whether this process writes. Of processes that train one model together, only rank 0 writes and all read.
  public var writes = true
  private let interval: Interval?
  private let keep: Int
  private let resumes: Bool
  private let folder: CheckpointFolder
  private let writer = CheckpointWriter()

  private var nextNumber = 0
  private var distrusted: Set<CheckpointName> = []
  private var last = ContinuousClock.now
  private var stepsSince = 0
  private var epochsSince = 0
  private var wroteInterruption = false

  /// Makes the callback.
  /// - Parameters:
  ///   - directory: where checkpoints are kept; created if it does not exist.
  ///   - interval: how often they are written. One is also written at the beginning, at the end, and when the run is
  ///     interrupted or fails; for nil, only then and at the end.
  ///   - keep: the number of checkpoints to keep; at least 1.
  ///   - resumes: whether a run resumes from the last intact checkpoint, if there is one. If it does not, checkpoints of an
  ///     earlier run that is not complete are an error, so that none is lost by accident.
  public init(_ directory: URL, every interval: Interval? = .epochs(1), keep: Int = 3, resumes: Bool = false) {
    self.directory = directory
    self.interval = interval
    self.keep = keep
    self.resumes = resumes
    folder = CheckpointFolder(url: directory)
  }

  /// Counting steps ends launches of many steps.
  public var stepInterval: Int? {
    if case .steps(let count)? = interval { return count }
    return nil
  }

  public var addedLogs: [String]? { [] }

  public func onTrainEnd(_ run: TrainingRun) throws {
    writer.wait()
    try writer.check()
  }
}

// MARK: - What the training loop calls

extension Checkpoints: CheckpointKeeper {
  func restoration(_ run: TrainingRun) throws -> Checkpoint? {
    try checkSettings()
    let known = folder.names()
    nextNumber = (known.last?.number ?? 0) + 1
    distrusted = []
    wroteInterruption = false
    (stepsSince, epochsSince, last) = (0, 0, .now)
    if writes {
      if interval != nil { try makeDirectory(at: directory) }
      folder.tidy()
    }
    guard resumes else {
      if interval != nil, writes { try clearFinishedRun() }
      return nil
    }
    guard let found = try folder.newest() else { return nil }
    for (name, reason) in found.refused {
      distrusted.insert(name)
      run.say("\(name) cannot be used: \(reason) The run resumes from the one before it.")
    }
    let position = found.checkpoint.position
    let place = position.isInsideEpoch ? "after step \(position.step) of epoch" : "at the beginning of epoch"
    run.say(
      position.isFinished
        ? "The run in \(directory.path) was already complete (\(found.name))."
        : "The run resumes from \(found.name), \(place) \(position.epoch + 1).")
    return found.checkpoint
  }

  private func checkSettings() throws {
    let isPositive =
      switch interval {
      case .steps(let count)?, .epochs(let count)?: count > 0
      case .seconds(let seconds)?: seconds > 0
      case nil: true
      }
    guard isPositive, keep >= 1 else {
      throw TrainingError("Checkpoints needs an interval above 0 and keeps at least 1; received keep \(keep).")
    }
  }

  /// A new run replaces a completed one, and no other.
  private func clearFinishedRun() throws {
    guard let newest = folder.names().last else { return }
    guard let found = try? folder.newest(), found.checkpoint.position.isFinished else {
      throw TrainingError(
        "\(directory.path) has checkpoints of a run that is not complete; the last is \(newest). Resume it "
          + "(--resume, or resumes: true), choose another directory, or remove it.")
    }
    folder.removeAll()
  }

  func runBegins(_ run: TrainingRun, _ capture: () throws -> Checkpoint) throws {
    // So there is always something to resume from, and a directory that cannot be written is reported at once.
    if interval != nil, !run.isResumed { try begin(capture) }
  }

  func stepsEnded(_ count: Int, _ run: TrainingRun, _ capture: () throws -> Checkpoint) throws {
    try writer.check()
    stepsSince += count
    if run.wasInterrupted { return try writeInterruption(capture) }
    let isDue =
      switch interval {
      case .steps(let steps)?: stepsSince >= steps
      case .seconds(let seconds)?: (ContinuousClock.now - last).inSeconds >= seconds
      case .epochs?, nil: false
      }
    // A slower disk makes checkpoints rarer, and training no slower.
    if isDue, !writer.isBusy { try begin(capture) }
  }

  func epochEnded(_ run: TrainingRun, isLast: Bool, _ capture: () throws -> Checkpoint) throws {
    try writer.check()
    epochsSince += 1
    if run.wasInterrupted { return try writeInterruption(capture) }
    // A completed run can continue with more epochs.
    if isLast, interval != nil || run.isResumed { return try writeNow(capture) }
    if isLast {
      // These checkpoints were not requested: a full disk must not cost the model.
      do { try writeNow(capture) } catch {
        run.say("The end of the run could not be saved, so it cannot continue with more epochs: \(error)")
      }
    }
    if case .epochs(let epochs) = interval, epochsSince >= epochs { try begin(capture) }
  }

  func failed() { writer.wait() }

  /// Writes a checkpoint once: an epoch that was interrupted ends too, but the run resumes within it.
  private func writeInterruption(_ capture: () throws -> Checkpoint) throws {
    guard !wroteInterruption else { return }
    wroteInterruption = true
    try writeNow(capture)
  }

  private func writeNow(_ capture: () throws -> Checkpoint) throws {
    try begin(capture)
    writer.wait()
    try writer.check()
  }

  /// Copies the run's state, and starts writing the copy.
  private func begin(_ capture: () throws -> Checkpoint) throws {
    (stepsSince, epochsSince, last) = (0, 0, .now)
    guard writes else { return }
    // Memory for one copy of the state is enough.
    writer.wait()
    let checkpoint = try capture()
    let (folder, keep, distrusted, number) = (folder, keep, distrusted, nextNumber)
    nextNumber += 1
    writer.start { try folder.write(checkpoint, number: number, keep: keep, distrusted: distrusted) }
  }

  /// Removes all checkpoints, and the directory if it is then empty.
  func removeAll() {
    writer.wait()
    folder.removeAll()
    rmdir(directory.path)
  }
}
