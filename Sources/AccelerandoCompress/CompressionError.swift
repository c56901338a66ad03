// Errors of compression: a target that cannot be reached, a schedule that does nothing.

/// An error of compression, worded so that it says how to fix it.
public struct CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected, what was received and what to do.
  public let message: String

  /// Makes an error.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
