// What goes wrong when a model is made smaller: a target that cannot be reached, a schedule that cannot do its work.

/// An error of compression, said so that the reader can mend it.
public struct CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected, what was received and what to do.
  public let message: String

  /// Makes an error.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
