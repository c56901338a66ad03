// What people should know although nothing is refused. It goes to standard error, which no script reads; a program that has
// a better place for it takes it there.

import Foundation

/// Warnings of the library.
public enum Warning {
  /// Who hears the warnings of a task: `Warning.$handler.withValue({ log($0) }) { try model.fit(…) }`.
  @TaskLocal public static var handler: @Sendable (String) -> Void = { text in
    // A standard error that is closed or full must not end a training.
    let line = Array("warning: \(text)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Says something that is worth knowing.
  /// - Parameter text: what is the matter and what to do, in a sentence or two.
  public static func say(_ text: String) { handler(text) }
}
