// Keras' callback for resuming after a crash: one checkpoint, removed when the run is complete.

import AccelerandoNN
import Foundation

/// Keeps a checkpoint of the last epoch's end; the next run with the same directory resumes from it. `Checkpoints` does
/// the same with more options.
public final class BackupAndRestore: Callback {
  private let checkpoints: Checkpoints
  private let removesAtEnd: Bool

  /// Makes the callback.
  /// - Parameters:
  ///   - directory: where the backup is kept.
  ///   - interval: how often it is replaced.
  ///   - removesAtEnd: whether the backup is removed when a run is complete.
  public init(_ directory: URL, every interval: Checkpoints.Interval = .epochs(1), removesAtEnd: Bool = true) {
    checkpoints = Checkpoints(directory, every: interval, keep: 1, resumes: true)
    self.removesAtEnd = removesAtEnd
  }

  public var addedLogs: [String]? { [] }

  public func onTrainEnd(_ run: TrainingRun) throws {
    try checkpoints.onTrainEnd(run)
    if removesAtEnd, !run.wasInterrupted { checkpoints.removeAll() }
  }
}

extension BackupAndRestore: CheckpointKeeper {
  func restoration(_ run: TrainingRun) throws -> Checkpoint? { try checkpoints.restoration(run) }

  func runBegins(_ run: TrainingRun, _ capture: () throws -> Checkpoint) throws {
    try checkpoints.runBegins(run, capture)
  }

  func stepsEnded(_ count: Int, _ run: TrainingRun, _ capture: () throws -> Checkpoint) throws {
    try checkpoints.stepsEnded(count, run, capture)
  }

  func epochEnded(_ run: TrainingRun, isLast: Bool, _ capture: () throws -> Checkpoint) throws {
    try checkpoints.epochEnded(run, isLast: isLast, capture)
  }

  func failed() { checkpoints.failed() }
}
