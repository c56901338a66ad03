// Warnings: what users should know although nothing is refused. They go to standard error, which scripts do not read; a
// program with a better place can redirect them.

import Foundation

/// Warnings of the library.
public enum Warning {
  /// A receiver of warnings instead of standard error.
  public struct Listener: Sendable {
    fileprivate let hear: @Sendable (String) -> Void

    /// Makes a listener.
    /// - Parameter hear: is given each warning, a sentence or two.
    public init(_ hear: @escaping @Sendable (String) -> Void) { self.hear = hear }
  }

  /// Who hears the warnings of a task: `try Warning.$listener.withValue(.init { log($0) }) { try model.fit(data) }`.
  /// Standard error for nil.
  @TaskLocal public static var listener: Listener?

  /// Says something that is worth knowing.
  /// - Parameter text: what is the matter and what to do, in a sentence or two.
  public static func say(_ text: String) {
    if let listener { return listener.hear(text) }
    // A closed or full standard error must not end training.
    let line = Array("warning: \(text)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
