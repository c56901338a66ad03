// Standard output and standard error. Losing the display (a full disk, a closed pipe, a closed terminal) must neither
// trap nor end training; but a command whose result is what it prints must not end as if it had succeeded.

import Foundation
import Synchronization

/// Standard output or standard error of this process.
package final class StandardStream: Sendable {
  /// Standard output: results.
  package static let output = StandardStream(STDOUT_FILENO, name: "standard output")
  /// Standard error: messages.
  package static let errors = StandardStream(STDERR_FILENO, name: "standard error")

  private let descriptor: Int32
  private let name: String
  private let state: Mutex<State>

  private struct State {
    /// What is printed and not written yet.
    var pending: [UInt8] = []
    /// Why something that was printed is lost.
    var failure: Int32?
    /// Whether the last text that was shown did not get through: the next one is not waited for.
    var isStalled = false
  }

  /// Printed text is kept together up to this size, but for a terminal.
  private static let largestPending = 1 << 16

  /// - Parameters:
  ///   - descriptor: an open file descriptor, which the stream does not close.
  ///   - name: what messages call it.
  package init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
    state = Mutex(State())
  }

  /// Prints a part of the command's product. If it is lost, `finish()` says so.
  package func print(_ text: String) { print(Array(text.utf8)) }

  /// Prints a part of the command's product, such as a binary file that goes to a pipe.
  package func print(_ bytes: [UInt8]) {
    let isTerminal = isatty(descriptor) == 1
    state.withLock { state in
      guard state.failure == nil else { return }
      state.pending += bytes
      if isTerminal || state.pending.count >= Self.largestPending { flush(&state) }
    }
  }

  /// Shows progress and the like. It is not an error if it is lost.
  package func show(_ text: String) {
    state.withLock { state in
      flush(&state)
      let patience: Int32 = state.isStalled ? 0 : 1000
      state.isStalled = Array(text.utf8).withUnsafeBytes { write($0, patience: patience) } == EAGAIN
    }
  }

  /// Writes what is pending, for a reader that waits for it.
  package func flush() { state.withLock { flush(&$0) } }

  /// Writes what is pending.
  /// - Throws: `FormatError` when something that was printed is lost.
  package func finish() throws {
    let failure = state.withLock { state in
      flush(&state)
      return state.failure
    }
    if let failure { throw FormatError.system("write the output", file: name, code: failure) }
  }

  private func flush(_ state: inout State) {
    guard !state.pending.isEmpty else { return }
    let code = state.pending.withUnsafeBytes { write($0, patience: -1) }
    if code != 0 { state.failure = code }
    state.pending.removeAll(keepingCapacity: true)
  }

  /// Writes bytes; returns 0, or the error code.
  /// - Parameter patience: how many milliseconds to wait for the reader of a stream that does not block; −1 for any
  ///   time.
  private func write(_ bytes: UnsafeRawBufferPointer, patience: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest)
      let count = Foundation.write(descriptor, slice.baseAddress, min(slice.count, 1 << 20))
      if count >= 0 {
        rest = rest.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        if poll(&waiting, 1, patience) == 0 { return EAGAIN }
      case let code: return code
      }
    }
    return 0
  }

  /// Makes this process survive its readers: writing to a closed pipe is an error like any other, and streams that were
  /// closed before it started keep their file descriptors, so that no file that is opened later becomes one of them.
  package static func prepareProcess() {
    signal(SIGPIPE, SIG_IGN)
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // Opened the wrong way round: reading from it and writing to it fail, as they should.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
