// Writing takes as long as the disk does; training continues meanwhile. One checkpoint is written at a time, so that a
// slow disk makes checkpoints rarer instead of filling memory.

import Foundation

/// Does one piece of work at a time on a thread of its own, and keeps its error.
final class CheckpointWriter: @unchecked Sendable {
  // Unchecked: what follows is only touched while `condition` is locked.
  private var isWorking = false
  private var failure: (any Error)?
  private let condition = NSCondition()

  /// Whether work is in progress.
  var isBusy: Bool { condition.withLock { isWorking } }

  /// Starts work, after waiting for earlier work.
  func start(_ work: @escaping @Sendable () throws -> Void) {
    wait()
    condition.withLock { isWorking = true }
    let thread = Thread { [self] in
      yieldToTraining()
      let result = Result { try work() }
      condition.withLock {
        if case .failure(let error) = result { failure = error }
        isWorking = false
        condition.broadcast()
      }
    }
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Waits for the work in progress.
  func wait() { condition.withLock { while isWorking { condition.wait() } } }

  /// Throws the error of work that has ended since the last call, if there is one.
  func check() throws {
    let error = condition.withLock {
      defer { failure = nil }
      return failure
    }
    if let error { throw error }
  }
}

/// Gives the calling thread about a tenth of a core while training uses all of them: a step that waits for one late core
/// loses more than a checkpoint that comes late.
private func yieldToTraining() {
  #if os(Linux)
    // Linux takes 0 for the calling thread, not the process.
    _ = setpriority(__priority_which_t(0), 0, 10)
  #else
    Thread.current.qualityOfService = .utility
  #endif
}
