// A run that died goes on where its last whole epoch ended. The order of samples is a function of the seed and the epoch,
// and randomness in layers of the step, so with arrays in memory the run ends with the bits it would have had.

import AccelerandoNN
import Foundation

/// Keeps a backup of the weights and the optimizer after each epoch; the next run with the same directory goes on from it.
public final class BackupAndRestore: Callback {
  private let directory: URL
  private let removesAtEnd: Bool

  /// Makes the callback.
  /// - Parameters:
  ///   - directory: where the backup is kept.
  ///   - removesAtEnd: whether the backup goes once a run has come to its end.
  public init(_ directory: URL, removesAtEnd: Bool = true) {
    self.directory = directory
    self.removesAtEnd = removesAtEnd
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    let progress = directory.appendingPathComponent(File.progress)
    guard FileManager.default.fileExists(atPath: progress.path) else { return }
    let reader = try ConfigReader(try readConfig(progress), subject: "the backup")
    let epoch = try reader.int("epoch")
    guard epoch >= 0 else { throw TrainingError("\(progress.path): an epoch is at least 0; received \(epoch).") }
    let optimizer = try readStore(directory.appendingPathComponent(File.optimizer))
    try run.model.loadWeights(from: directory.appendingPathComponent(File.weights))
    try run.model.setOptimizerState(optimizer)
    run.firstEpoch = max(run.firstEpoch, epoch)
    run.say("The run goes on with epoch \(epoch + 1), from the backup in \(directory.path).")
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    // The samples that an interrupted epoch has seen cannot be told from those it has not.
    guard !run.wasInterrupted else { return }
    try replaceDirectory(directory, marker: File.progress) { place in
      try run.model.saveWeights(to: place.appendingPathComponent(File.weights))
      try write(try run.model.optimizerState(), to: place.appendingPathComponent(File.optimizer))
      try write(Config(["epoch": Config(.int(epoch + 1))]).json, to: place.appendingPathComponent(File.progress))
    }
  }

  public func onTrainEnd(_ run: TrainingRun) throws {
    guard removesAtEnd, !run.wasInterrupted else { return }
    let isBackup = FileManager.default.fileExists(atPath: directory.appendingPathComponent(File.progress).path)
    if isBackup { try FileManager.default.removeItem(at: directory) }
  }

  private enum File {
    static let weights = "weights.safetensors"
    static let optimizer = "optimizer.safetensors"
    static let progress = "progress.json"
  }
}
