// Processes that train one model together, as the rest of the library sees them.

/// Processes that each run the same program on parts of a batch.
public protocol WorkerGroup: Sendable {
  /// The number of this process, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }

  /// Prepares to give everybody everybody's part of some memory, again and again.
  /// - Parameters:
  ///   - bytes: the memory, of the same length everywhere; it has to be there as long as the exchange.
  ///   - parts: where each process' part lies in it.
  /// - Throws: when there is too much of it.
  func makeExchange(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws -> any WorkerExchange
}

/// Memory that processes exchange. Every process begins its exchanges in the same order, one thread at a time.
public protocol WorkerExchange: AnyObject {
  /// Begins, once the process' own part is filled in. The memory belongs to the exchange until it has finished.
  /// - Throws: when a process cannot be reached any more, as the others do.
  func start() throws
  /// Moves on what has come meanwhile, without waiting for more.
  func advance() throws
  /// Waits until everybody's parts are there.
  func finish() throws
}

/// A process that works alone.
public struct SoleWorker: WorkerGroup {
  /// Makes the group of one.
  public init() {}
  public var rank: Int { 0 }
  public var size: Int { 1 }

  public func makeExchange(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) -> any WorkerExchange {
    Nothing()
  }

  private final class Nothing: WorkerExchange {
    func start() {}
    func advance() {}
    func finish() {}
  }
}

extension WorkerGroup {
  /// Gives everybody everybody's part of a buffer, once.
  /// - Throws: when a process cannot be reached any more.
  public func allGather(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws {
    let exchange = try makeExchange(bytes, parts: parts)
    try exchange.start()
    try exchange.finish()
  }

  /// The bytes that every process gives, in order; they may differ in length.
  public func gathered(_ own: [UInt8]) throws -> [[UInt8]] {
    var counts = [Int64](repeating: 0, count: size)
    counts[rank] = Int64(own.count)
    let places = (0..<size).map { $0 * 8..<$0 * 8 + 8 }
    try counts.withUnsafeMutableBytes { try allGather($0, parts: places) }
    var parts: [Range<Int>] = []
    for count in counts { parts.append((parts.last?.upperBound ?? 0)..<(parts.last?.upperBound ?? 0) + Int(count)) }
    var bytes = [UInt8](repeating: 0, count: parts.last?.upperBound ?? 0)
    bytes.replaceSubrange(parts[rank], with: own)
    try bytes.withUnsafeMutableBytes { try allGather($0, parts: parts) }
    return parts.map { Array(bytes[$0]) }
  }
}
