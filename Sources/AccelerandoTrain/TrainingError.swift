// What goes wrong around a model: data that does not fit it, a call at the wrong time, a setting that cannot be.

/// An error of training, evaluation or prediction, said so that the reader can mend it.
public struct TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected, what was received and what to do.
  public let message: String

  /// Makes an error.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
