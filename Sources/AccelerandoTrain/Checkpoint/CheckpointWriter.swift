// Writing takes as long as the disk does; training continues meanwhile. One checkpoint is written at a time, so that a
// slow disk makes checkpoints rarer instead of filling memory.

import Foundation
import Synchronization

/// Does one piece of work at a time on a thread of its own, and keeps its error.
final class CheckpointWriter: Sendable {
  private struct State {
    var isBusy = false
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "accelerando checkpoints")

  /// Whether work is in progress.
  var isBusy: Bool { state.withLock { $0.isBusy } }

  /// Starts work, after waiting for earlier work.
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

  /// Waits for the work in progress.
  func wait() { queue.sync {} }

  /// Throws the error of work that has ended since the last call, if there is one.
  func check() throws {
    let failure = state.withLock { state in
      let failure = state.failure
      state.failure = nil
      return failure
    }
    if let failure { throw failure }
  }
}
