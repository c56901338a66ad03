// The processes that mpirun has started, as a group of workers.

import AccelerandoCore
import Foundation
import Synchronization

/// The processes of an MPI job.
public final class MPIGroup: WorkerGroup {
  public let rank: Int
  public let size: Int
  /// The processes on this machine, which share its cores.
  public let localSize: Int
  private let library: MPILibrary

  private static let joined = Mutex<MPIGroup?>(nil)

  /// Whether this process was started by Open MPI's mpirun together with others, or alone.
  public static var isLaunched: Bool { launchedSize != nil }

  private static var launchedSize: Int? { number("OMPI_COMM_WORLD_SIZE") }

  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
  }

  /// Joins the job that this process was started for; once per process.
  /// - Throws: `WorkerError` when Open MPI is missing or fails.
  public static func join() throws -> MPIGroup {
    try joined.withLock { joined in
      if let joined { return joined }
      let group = try MPIGroup()
      joined = group
      return group
    }
  }

  /// The job that this process has joined, if it has.
  public static var current: MPIGroup? { joined.withLock { $0 } }

  private init() throws {
    library = try MPILibrary.load()
    var level: Int32 = 0
    // Calls come from one thread at a time.
    let serialized: Int32 = 2
    guard library.initialize(nil, nil, serialized, &level) == 0 else {
      throw WorkerError("Open MPI did not start. Run the program with mpirun, and see what it says above.")
    }
    var (rank, size): (Int32, Int32) = (0, 1)
    guard library.rank(library.world, &rank) == 0, library.size(library.world, &size) == 0 else {
      throw WorkerError("Open MPI does not say how many processes there are.")
    }
    self.rank = Int(rank)
    self.size = Int(size)
    localSize = max(Self.number("OMPI_COMM_WORLD_LOCAL_SIZE") ?? 1, 1)
  }

  /// This process' share of the machine's cores, at least one.
  public var cores: Int { max(ProcessInfo.processInfo.activeProcessorCount / localSize, 1) }

  public func makeExchange(
    _ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]
  ) throws -> any WorkerExchange {
    guard let base = bytes.baseAddress, size > 1 else { return SoleWorker().makeExchange(bytes, parts: parts) }
    guard parts.count == size, parts.allSatisfy({ bytes.indices.upperBound >= $0.upperBound }) else {
      throw WorkerError("\(size) processes exchange as many parts of their memory; received \(parts.count).")
    }
    return try MPIExchange(library, base, parts: parts, name: "worker \(rank) of \(size)")
  }

  /// Leaves the job; every process has to.
  public func leave() { _ = library.finish() }

  /// Ends all processes of the job, since this one cannot continue.
  public func abort(code: Int32) { _ = library.abort(library.world, code) }
}
