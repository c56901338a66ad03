// Errors of training: data that do not fit the model, a call at the wrong time, an invalid setting.

/// An error of training, evaluation or prediction, worded so that it says how to fix it.
public struct TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected, what was received and what to do.
  public let message: String

  /// Makes an error.
  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
