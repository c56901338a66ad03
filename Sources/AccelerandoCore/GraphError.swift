// The one error of the symbolic world: a tensor expression that has no meaning, said so that the reader can mend it.

/// A tensor expression that cannot be: what was asked, in which layer, and what would be right.
public struct GraphError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was expected and what was received, in one or two sentences.
  public var message: String
  /// Where: the path of layers, outermost first, and the operation; filled in by the graph.
  public var path: [String]

  /// Makes an error without a place; the graph that meets it adds the place.
  public init(_ message: String, path: [String] = []) {
    self.message = message
    self.path = path
  }

  public var description: String {
    path.isEmpty ? message : path.joined(separator: " › ") + ": " + message
  }
}
