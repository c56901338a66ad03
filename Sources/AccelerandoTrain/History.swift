// The record of a training run, epoch by epoch.

/// Numbers by name: `loss`, `accuracy`, `val_loss`.
public typealias Logs = [String: Double]

/// One epoch of a training run.
public struct EpochRecord: Hashable, Sendable {
  /// The epoch, from 0.
  public let epoch: Int
  /// The number of steps.
  public let steps: Int
  /// The time of training in seconds, without validation and callbacks.
  public let seconds: Double
  /// The time of validation in seconds; nil if there was none.
  public let validationSeconds: Double?
  /// The numbers of the epoch.
  public let logs: Logs
}

/// The record of a training run.
public struct History: Hashable, Sendable {
  /// The epochs, in order.
  public internal(set) var epochs: [EpochRecord] = []

  /// The values of one number, `loss` or `val_accuracy`, of the epochs that have it.
  public subscript(_ name: String) -> [Double] { epochs.compactMap { $0.logs[name] } }

  /// The names of the numbers, in alphabetical order.
  public var names: [String] { Set(epochs.flatMap(\.logs.keys)).sorted() }
}
