// Ctrl-C asks a training run to end, not to lose what it has learnt: the current step is finished, the model is saved,
// and the program says so. Pressed again, it ends at once. A request to terminate, or the loss of the terminal, is
// handled alike.

import Accelerando
import Foundation

/// The user or the system asked the program to end.
struct Interrupted: Error, CustomStringConvertible {
  let description: String
  /// The exit code: 130 for Ctrl-C, 143 where the program was asked to terminate.
  let code: Int32

  init(_ description: String, code: Int32 = exitCode(of: caughtSignal)) {
    self.description = description
    self.code = code
  }
}

/// The first signal that was caught; 0 for none. Set by the handler, which may do little more than that, and read by
/// the training loop; both are word-sized accesses.
nonisolated(unsafe) private var caughtSignal: sig_atomic_t = 0

/// The exit code that scripts expect after a signal. A terminal that is gone counts as a request to terminate.
private func exitCode(of signal: Int32) -> Int32 { signal == SIGINT ? 130 : 143 }

/// Watches for signals while a model trains.
final class InterruptionWatch: Callback {
  private static let signals = [SIGINT, SIGTERM, SIGHUP]
  private let action: (@Sendable @convention(c) (Int32) -> Void) = { number in
    if caughtSignal == 0 {
      caughtSignal = number
    } else if caughtSignal == number {
      // A second Ctrl-C ends the program at once. Files that are being written have other names until they are
      // complete.
      let text: StaticString = "\naccelerando: ended at once; what was not saved yet is lost\n"
      _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
      _exit(exitCode(of: number))
    }
  }

  /// Begins to watch.
  /// - Parameter listens: false for a worker that leaves it to another to end the training of all: Ctrl-C reaches every
  ///   process, and each would end at a step of its own.
  init(listens: Bool = true) {
    for number in Self.signals {
      let earlier = signal(number, listens ? action : SIG_IGN)
      // With nohup, the user has said that the terminal may close.
      if number == SIGHUP, let earlier, unsafeBitCast(earlier, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
        signal(number, SIG_IGN)
      }
    }
    // A parent may have started the program with its signals blocked, as worker threads do.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in Self.signals { sigaddset(&blocked, number) }
    if listens { pthread_sigmask(SIG_UNBLOCK, &blocked, nil) }
  }

  /// Whether the program was asked to end.
  var wasAsked: Bool { caughtSignal != 0 }

  /// Stops watching.
  func end() { for number in Self.signals { signal(number, SIG_DFL) } }

  var addedLogs: [String]? { [] }

  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) {
    end(run, "interrupted in epoch \(run.epoch + 1), after step \(run.stepsDone)")
  }

  func onValidationBatchEnd(_ step: Int, _ run: TrainingRun) {
    end(run, "interrupted in the validation of epoch \(run.epoch + 1)")
  }

  private func end(_ run: TrainingRun, _ place: String) {
    if wasAsked, !run.wasInterrupted { run.interrupt(throwing: Interrupted(place)) }
  }
}
