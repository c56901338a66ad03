// Threads that work together, as the rest of the library sees them: an engine lends its own, so that nobody else needs some that
// would want the same cores.

/// Work in pieces that keep out of each other's way.
public protocol TeamWork: AnyObject {
  /// Does one piece, on the member of the team that has the number.
  func run(_ task: Int, on member: Int)
}

/// Threads that do the pieces of some work together.
public protocol ThreadTeam: Sendable {
  /// The threads, the caller's included.
  var threads: Int { get }

  /// Does the pieces `0..<tasks`, each once and in any order, and returns when all are done. While the team is at work for
  /// somebody else, the caller does them alone.
  func run(_ work: any TeamWork, tasks: Int)
}
