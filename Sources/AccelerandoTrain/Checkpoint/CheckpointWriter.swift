// Writing takes as long as the disk does; training goes on meanwhile. One checkpoint is written at a time, so that a slow disk
// makes checkpoints rarer and not memory fuller.

import Foundation
import Synchronization

/// Does one piece of work at a time on a thread of its own, and keeps the error that it ended with.
final class CheckpointWriter: Sendable {
  private struct State {
    var isBusy = false
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "accelerando checkpoints")

  /// Whether work is going on.
  var isBusy: Bool { state.withLock { $0.isBusy } }

  /// Begins work; waits for what was begun before.
  func start(_ work: @escaping @Sendable () throws -> Void) {
    wait()
    state.withLock { $0.isBusy = true }
    queue.async { [self] in
      let result = Result { try work() }
      state.withLock { state in
        if case .failure(let error) = result { state.failure = error }
        state.isBusy = false
      }
    }
  }

  /// Waits for the work that is going on.
  func wait() { queue.sync {} }

  /// Throws the error that work has ended with since the last time, if it has.
  func check() throws {
    let failure = state.withLock { state in
      let failure = state.failure
      state.failure = nil
      return failure
    }
    if let failure { throw failure }
  }
}
