// A training run at one moment, as a value: everything that the rest of the run depends on. A run that is put back to it
// goes on as if nothing had happened, to the last bit.

import AccelerandoCore
import AccelerandoNN
import Foundation

/// What a callback needs to find again when its run goes on from a checkpoint.
public struct CallbackState: Sendable, Hashable {
  /// Numbers and words: counters, the best value so far, the length of a file.
  public var settings: Config
  /// Tensors by name, such as the weights of the best epoch.
  public var tensors: Store
  /// Files that the callback has written to: the checkpoint does not count before they are safe on the disk.
  public var files: [URL]

  /// Makes a state.
  /// - Parameters:
  ///   - settings: an object of numbers and words.
  ///   - tensors: tensors by name.
  ///   - files: files that have been written to, to be synced before the checkpoint counts.
  public init(_ settings: Config, tensors: Store = Store(), files: [URL] = []) {
    self.settings = settings
    self.files = files
    self.tensors = tensors
  }
}

/// How far a run has come. Passes through the data are counted apart from epochs, since with `stepsPerEpoch` an epoch may be
/// less than a pass, or more.
struct TrainingPosition: Sendable, Hashable {
  /// The epoch that is going on, or that begins next.
  var epoch: Int
  /// Whether the epoch has begun.
  var isInsideEpoch: Bool
  /// The steps that were done in the epoch.
  var step: Int
  /// The seconds that the epoch took so far.
  var seconds: Double
  /// The number of the next pass through the data.
  var nextPass: Int
  /// The steps that were done in the pass before that one; nil if there is none to go on with.
  var passStep: Int?
  /// Whether a callback has asked training to stop.
  var stops: Bool
  /// Whether nothing is left to be done.
  var isFinished: Bool
}

/// A training run at one moment.
struct Checkpoint: Sendable {
  /// How far the run has come.
  var position: TrainingPosition
  /// The steps that the optimizer has done, for people and for the checkpoint's name.
  var iteration: Int
  /// What the run was set to: a run of other settings cannot go on from here.
  var settings: [RunSetting]
  /// The epochs that are over.
  var history: History
  /// Everything that lives on the device from step to step, by name: weights, the optimizer's slots, the iteration, the
  /// random key, running totals, masks.
  var state: Store
  /// What callbacks want to find again, in their order.
  var callbacks: [(name: String, state: CallbackState)]
}
