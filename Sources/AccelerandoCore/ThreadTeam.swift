// Threads that work together, as the rest of the library sees them: an engine lends its own threads, so that there is
// no second team that would compete for the same cores.

/// Work in independent pieces.
public protocol TeamWork: AnyObject {
  /// Does one piece, on the thread with this index.
  func run(_ task: Int, on member: Int)
}

/// Threads that share the pieces of some work.
public protocol ThreadTeam: Sendable {
  /// The number of threads, including the caller.
  var threads: Int { get }

  /// Does the pieces `0..<tasks`, each once and in any order, and returns when all are done. While the team is busy
  /// with other work, the caller does them alone.
  func run(_ work: any TeamWork, tasks: Int)
}
