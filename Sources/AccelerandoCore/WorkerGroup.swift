// Processes that train one model together, as the rest of the library sees them.

/// Processes that each run the same program on parts of a batch.
public protocol WorkerGroup: Sendable {
  /// The number of this process, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }

  /// Gives everybody everybody's part of a buffer; this process has filled in its own.
  /// - Parameters:
  ///   - bytes: the buffer; the same length everywhere.
  ///   - parts: where each process' part lies in it.
  /// - Throws: when a process cannot be reached any more.
  func allGather(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws
}

/// A process that works alone.
public struct SoleWorker: WorkerGroup {
  /// Makes the group of one.
  public init() {}
  public var rank: Int { 0 }
  public var size: Int { 1 }
  public func allGather(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) throws {}
}

extension WorkerGroup {
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
