// A training run at one moment, as a value: everything that the rest of the run depends on. A run that is restored from
// it continues as if nothing had happened, with the same bits.

import AccelerandoCore
import AccelerandoNN
import Foundation

/// The state of a callback that is restored when its run resumes from a checkpoint.
public struct CallbackState: Sendable, Hashable {
  /// Numbers and strings: counters, the best value so far, the length of a file.
  public var settings: Config
  /// Tensors by name, such as the weights of the best epoch.
  public var tensors: Store
  /// Files that the callback has written: they are synced before the checkpoint is complete.
  public var files: [URL]

  /// Makes a state.
  /// - Parameters:
  ///   - settings: an object of numbers and strings.
  ///   - tensors: tensors by name.
  ///   - files: files that have been written to, to be synced before the checkpoint counts.
  public init(_ settings: Config, tensors: Store = Store(), files: [URL] = []) {
    self.settings = settings
    self.files = files
    self.tensors = tensors
  }
}

/// The position of a run. Passes over the data are counted separately from epochs, since with `stepsPerEpoch` an epoch
/// may be shorter or longer than a pass.
struct TrainingPosition: Sendable, Hashable {
  /// The current epoch, or the one that begins next.
  var epoch: Int
  /// Whether the epoch has begun.
  var isInsideEpoch: Bool
  /// The number of steps done in the epoch.
  var step: Int
  /// The time of the epoch so far, in seconds.
  var seconds: Double
  /// The number of the next pass over the data.
  var nextPass: Int
  /// The number of steps done in the pass before that one; nil if there is none to continue.
  var passStep: Int?
  /// Whether a callback has asked training to stop.
  var stops: Bool
  /// Whether the run is complete.
  var isFinished: Bool
}

/// A training run at one moment.
struct Checkpoint: Sendable {
  /// The position of the run.
  var position: TrainingPosition
  /// The number of steps of the optimizer, for messages and for the checkpoint's name.
  var iteration: Int
  /// The settings of the run: a run with other settings cannot resume from it.
  var settings: [RunSetting]
  /// The completed epochs.
  var history: History
  /// All state on the device by name: weights, the optimizer's slots, the iteration, the random key, running totals,
  /// masks.
  var state: Store
  /// The states of callbacks, in order.
  var callbacks: [(name: String, state: CallbackState)]
}
