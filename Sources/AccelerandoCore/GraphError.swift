// The one error of tracing: an invalid tensor expression, worded so that it says how to fix it.

/// An invalid tensor expression: what was expected, what was received, and in which layer.
public struct GraphError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected and what was received, in one or two sentences.
  public var message: String
  /// Where: the path of layers, outermost first, and the operation; filled in by the graph.
  public var path: [String]

  /// Makes an error without a path; the graph that reports it adds the path.
  public init(_ message: String, path: [String] = []) {
    self.message = message
    self.path = path
  }

  public var description: String {
    path.isEmpty ? message : path.joined(separator: " › ") + ": " + message
  }
}
