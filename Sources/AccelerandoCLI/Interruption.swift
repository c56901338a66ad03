// Ctrl-C asks a training to end, not to lose what it has learnt: the current step is finished, the model is saved, and
// the program says so. Pressed again, it ends at once.

import Accelerando
import Foundation

/// Ctrl-C was pressed.
struct Interrupted: Error, CustomStringConvertible {
  let description: String
}

/// Set by the signal handler, which may do little more than that. Written there, read by the training loop; both are word-
/// sized accesses, and it only ever goes from 0 to 1.
nonisolated(unsafe) private var interruptionCount: sig_atomic_t = 0

/// Watches for Ctrl-C while a model trains.
final class InterruptionWatch: Callback {
  private let action: (@Sendable @convention(c) (Int32) -> Void) = { _ in
    interruptionCount = 1
    // The next one is not caught.
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
  }

  /// Begins to watch.
  /// - Parameter listens: false for a worker that leaves it to another to end the training of all: Ctrl-C reaches every
  ///   process, and each would end at a step of its own.
  init(listens: Bool = true) {
    guard listens else {
      signal(SIGINT, SIG_IGN)
      signal(SIGTERM, SIG_IGN)
      return
    }
    signal(SIGINT, action)
    signal(SIGTERM, action)
    // A parent may have started the program with its signals blocked, as worker threads do.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Stops watching.
  func end() {
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
  }

  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    if interruptionCount != 0, !run.wasInterrupted {
      run.interrupt(
        throwing: Interrupted(description: "interrupted in epoch \(run.epoch + 1), after step \(run.stepsDone)"))
    }
  }
}
