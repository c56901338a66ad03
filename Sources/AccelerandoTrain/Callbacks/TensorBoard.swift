// The numbers of every epoch where TensorBoard looks for them, under the names that Keras gives them.

import Foundation

/// Writes event files for TensorBoard: `train` and `validation` below a directory, with tags like `epoch_loss`.
public final class TensorBoard: Callback {
  private let directory: URL
  private var training: EventFile?
  private var validation: EventFile?

  /// Makes the callback.
  /// - Parameter directory: where the runs lie; it is made if it is not there.
  public init(_ directory: URL) { self.directory = directory }

  public func onTrainBegin(_ run: TrainingRun) throws {
    training = try EventFile(in: directory.appendingPathComponent("train"))
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    let names = logs.keys.sorted()
    let trained = names.filter { !$0.hasPrefix("val_") }.map { (tag: "epoch_\($0)", value: logs[$0] ?? 0) }
    let validated = names.filter { $0.hasPrefix("val_") }.map {
      (tag: "epoch_\($0.dropFirst(4))", value: logs[$0] ?? 0)
    }
    try training?.write(trained, step: epoch)
    if validated.isEmpty { return }
    if validation == nil { validation = try EventFile(in: directory.appendingPathComponent("validation")) }
    try validation?.write(validated, step: epoch)
  }

  public func onTrainEnd(_ run: TrainingRun) throws {
    try training?.close()
    try validation?.close()
    (training, validation) = (nil, nil)
  }
}
