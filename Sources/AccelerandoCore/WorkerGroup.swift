// Processes that train one model together, as the rest of the library sees them.

/// Processes that each run the same program on parts of a batch.
public protocol WorkerGroup: Sendable {
  /// The rank of this process, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }

  /// Prepares an exchange, to be repeated, that gives every process the parts of all others.
  /// - Parameters:
  ///   - bytes: the memory, of the same length everywhere; it must outlive the exchange.
  ///   - parts: where each process' part is in it.
  /// - Throws: when it is too large.
  func makeExchange(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws -> any WorkerExchange
}

/// Memory that processes exchange. Every process begins its exchanges in the same order, one thread at a time.
public protocol WorkerExchange: AnyObject {
  /// Begins, once the process' own part is filled in. The memory must not be touched until the exchange has finished.
  /// - Throws: when a process cannot be reached any more; it throws in the others too.
  func start() throws
  /// Makes progress with what has arrived, without waiting.
  func advance() throws
  /// Waits until all parts have arrived.
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
  /// Gives every process the parts of a buffer of all others, once.
  /// - Throws: when a process cannot be reached any more.
  public func allGather(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws {
    let exchange = try makeExchange(bytes, parts: parts)
    try exchange.start()
    try exchange.finish()
  }

  /// The bytes that every process contributes, in order of rank; they may differ in length.
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
