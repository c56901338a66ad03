// Downloads take long enough that users want to see progress. Progress is reported as values, so that a terminal, a log
// or a test can each show it in its own way.

import AccelerandoFormats
import Foundation

/// Progress of the download of a dataset.
public enum FetchEvent: Sendable {
  /// The number of bytes of a file downloaded so far.
  case progress(file: String, received: Int, total: Int)
  /// A message for the user.
  case note(String)
}

/// Is told about the progress of a download.
public typealias FetchObserver = (FetchEvent) -> Void

/// Shows downloads on standard error: a bar on a terminal, a line for each file elsewhere.
public final class TerminalFetchObserver {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var openFile: String?

  /// Makes an observer.
  public init() {}

  /// Shows an event.
  public func observe(_ event: FetchEvent) {
    switch event {
    case .note(let text):
      endLine()
      write("\(text)\n")
    case .progress(let file, let received, let total):
      if isTerminal {
        if openFile != nil, openFile != file { endLine() }
        let width = 30
        let filled = total > 0 ? min(width, received * width / total) : 0
        let bar = String(repeating: "━", count: filled) + String(repeating: "╌", count: width - filled)
        let sizes = "\(megabytes(received))/\(megabytes(total)) MB"
        write("\r\u{1b}[K\(bar) \(sizes) \(file)")
        openFile = file
        if received >= total { endLine() }
      } else if openFile != file {
        write("fetching \(file) (\(megabytes(total)) MB)\n")
        openFile = file
      }
    }
  }

  private func endLine() {
    if isTerminal, openFile != nil { write("\n") }
    openFile = nil
  }

  private func megabytes(_ bytes: Int) -> String {
    let tenths = (bytes + 50_000) / 100_000
    return "\(tenths / 10).\(tenths % 10)"
  }

  private func write(_ text: String) { StandardStream.errors.show(text) }
}
