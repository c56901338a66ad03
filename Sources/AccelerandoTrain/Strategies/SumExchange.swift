// Sums between processes that share a batch. Tensors are sent in buckets, each as soon as this process' parts have
// computed it, while the rest is computed; so communication costs little except for the last bucket.

import AccelerandoCore
import Foundation
import Synchronization

/// Sums over the parts of a batch, between processes.
final class SumExchange {
  /// A tensor to be summed.
  struct Summand {
    /// The values of this process' parts.
    let operands: [any HostBuffer]
    let type: TensorType
    /// The stage of a part's run that completes it.
    let stage: Int
  }

  /// The tensors that are sent together.
  private final class Bucket {
    let stage: Int
    /// Sums this process' values.
    let sums: any Execution
    let exchange: any WorkerExchange
    /// The number of this process' parts that are still being computed.
    let missing = Atomic<Int>(0)

    init(stage: Int, sums: any Execution, exchange: any WorkerExchange) {
      self.stage = stage
      self.sums = sums
      self.exchange = exchange
    }
  }

  private let buckets: [Bucket]
  private let parts: Int
  /// The sums of the tree's leaves, for each tensor.
  let leaves: [[any HostBuffer]]
  /// The number of buckets that were sent; changed only by the holder of `isStarting`.
  private let started = Atomic<Int>(0)
  private let isStarting = Atomic<Bool>(false)
  private let failure = Mutex<(any Error)?>(nil)

  /// - Parameter tree: how all parts are summed, its leaves in the order of the processes.
  init(_ summands: [Summand], tree: SumTree, on backend: SharedBackend) throws {
    let group = backend.group
    let shares = BatchShares(of: tree.parts.count, workers: group.size)
    let byProcess = (0..<group.size).map { SumTree.subtrees(of: shares[$0], in: tree.parts) }
    parts = shares[group.rank].count
    var buckets: [Bucket] = []
    var leaves = [[any HostBuffer]](repeating: [], count: summands.count)
    for numbers in Self.buckets(summands, bytes: backend.bucketBytes) {
      // The leaves one after the other, each with all tensors of the bucket.
      let offsets = numbers.reduce(into: [0]) { $0.append($0[$0.count - 1] + rounded(summands[$1].type.byteCount)) }
      let stride = offsets[offsets.count - 1]
      let staging = try backend.hostBuffer(TensorType(.uint8, [tree.leaves.count * stride]))
      for (number, offset) in zip(numbers, offsets) {
        leaves[number] = try tree.leaves.indices.map {
          try staging.part(summands[number].type, at: $0 * stride + offset)
        }
      }
      var first = 0
      let places = byProcess.map { subtrees in
        defer { first += subtrees.count }
        return first * stride..<(first + subtrees.count) * stride
      }
      let own = byProcess[..<group.rank].reduce(0) { $0 + $1.count }
      let sums = try Self.sums(
        numbers.map { (summands[$0], Array(leaves[$0][own..<own + byProcess[group.rank].count])) },
        subtrees: byProcess[group.rank], firstPart: shares[group.rank].lowerBound, on: backend.local)
      buckets.append(
        Bucket(
          stage: numbers.map { summands[$0].stage }.max() ?? 0, sums: sums,
          exchange: try group.makeExchange(staging.memory, parts: places)))
    }
    self.buckets = buckets
    self.leaves = leaves
  }

  /// Tensors that are sent together, by index: in the order in which they are computed, until there are enough bytes.
  static func buckets(_ summands: [Summand], bytes: Int) -> [[Int]] {
    var buckets: [[Int]] = []
    var room = 0
    for number in summands.indices.sorted(by: { (summands[$0].stage, $0) < (summands[$1].stage, $1) }) {
      if room <= 0 {
        buckets.append([])
        room = bytes
      }
      buckets[buckets.count - 1].append(number)
      room -= rounded(summands[number].type.byteCount)
    }
    return buckets
  }

  /// A program that sums this process' values of some tensors directly in the memory that is sent.
  private static func sums(
    _ summands: [(summand: Summand, leaves: [any HostBuffer])], subtrees: [Range<Int>], firstPart: Int,
    on backend: any Backend
  ) throws -> any Execution {
    let graph = Graph()
    var inputs: [any Buffer] = []
    var outputs: [Tensor] = []
    var aliases: [Int: Int] = [:]
    func input(_ buffer: any Buffer) -> Tensor {
      inputs.append(buffer)
      return graph.input("\(inputs.count)", buffer.type)
    }
    for (summand, leaves) in summands {
      for (subtree, leaf) in zip(subtrees, leaves) {
        let parts = subtree.map { input(summand.operands[$0 - firstPart]) }
        guard let sum = SumTree(subtree).sum(parts) else { continue }
        aliases[outputs.count] = inputs.count
        outputs.append(sum)
        _ = input(leaf)
      }
    }
    return try backend.compile(try Program(graph, outputs: outputs, aliases: aliases)).bind(inputs)
  }

  // MARK: A step

  /// Call before the parts are computed.
  func begin() {
    failure.withLock { $0 = nil }
    for bucket in buckets { bucket.missing.store(parts, ordering: .relaxed) }
    started.store(0, ordering: .releasing)
  }

  /// Computes a part, and sends the buckets that it completes. Several threads may compute parts at once.
  func run(_ part: any Execution) throws {
    var next = 0
    try part.run { stage in
      while next < buckets.count, buckets[next].stage <= stage {
        buckets[next].missing.subtract(1, ordering: .acquiringAndReleasing)
        next += 1
      }
      startBuckets()
    }
  }

  /// Sends complete buckets, in order. If another thread is doing so, the caller continues to compute.
  private func startBuckets() {
    var next = started.load(ordering: .acquiring)
    if next == 0, buckets[0].missing.load(ordering: .acquiring) > 0 { return }
    guard isStarting.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else { return }
    defer { isStarting.store(false, ordering: .releasing) }
    next = started.load(ordering: .acquiring)
    do {
      for bucket in buckets[..<next] { try bucket.exchange.advance() }
      while next < buckets.count, buckets[next].missing.load(ordering: .acquiring) == 0 {
        try start(buckets[next])
        next += 1
        started.store(next, ordering: .releasing)
      }
    } catch {
      failure.withLock { $0 = error }
    }
  }

  private func start(_ bucket: Bucket) throws {
    try bucket.sums.run()
    try bucket.exchange.start()
  }

  /// Call after the parts are computed: sends the rest, and waits for the others.
  func finish() throws {
    if let error = failure.withLock({ $0 }) { throw error }
    for bucket in buckets[started.load(ordering: .acquiring)...] { try start(bucket) }
    for bucket in buckets { try bucket.exchange.finish() }
  }
}

/// Bytes rounded up to whole cache lines.
private func rounded(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
