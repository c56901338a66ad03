// Where sums over the batch are completed. The sum of parts l to h is that of their first half plus that of their second,
// whoever computed them; so processes add up what they have whole halves of, exchange those sums, and finish the tree.

import AccelerandoCore
import Foundation

/// Sums over the parts of a batch, of several tensors at once.
final class SharedMeeting {
  private let sums: [Sum]
  private let group: any WorkerGroup
  private let team: WorkerTeam
  /// The subtrees that are exchanged, in order: what each process has whole.
  private let subtrees: [Range<Int>]
  private let ownSubtrees: [Range<Int>]
  private let parts: Int
  private let firstPart: Int
  /// The bytes of all tensors of one subtree.
  private let stride: Int
  private let staging: UnsafeMutableRawBufferPointer
  /// Sums on the way, a set for each depth of the tree.
  private let scratch: UnsafeMutableRawBufferPointer
  private let places: [Range<Int>]

  private struct Sum {
    /// The memory of this process' parts.
    let operands: [UnsafeMutableRawPointer]
    let result: UnsafeMutableRawPointer
    let count: Int
    let isDouble: Bool
    /// Where it lies among the bytes of a subtree.
    let offset: Int
    /// They own the memory.
    let buffers: [any Buffer]

    func add(_ target: UnsafeMutableRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ range: Range<Int>) {
      if isDouble { addAll(target, a, b, range, as: Double.self) } else { addAll(target, a, b, range, as: Float.self) }
    }

    func copy(_ range: Range<Int>, to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer) {
      let size = isDouble ? 8 : 4
      (target + range.lowerBound * size).copyMemory(
        from: source + range.lowerBound * size, byteCount: range.count * size)
    }

    /// The elements that a member of a team adds up; little is added up by the first alone.
    func share(of member: Int, in team: Int) -> Range<Int> {
      if count < 4096 { return member == 0 ? 0..<count : 0..<0 }
      // Whole lines of cache.
      let step = (count / team + 15) / 16 * 16
      return min(member * step, count)..<(member + 1 == team ? count : min((member + 1) * step, count))
    }
  }

  init(
    _ tensors: [(operands: [any Buffer], result: any Buffer, type: TensorType)], own: Range<Int>, parts: Int,
    group: any WorkerGroup, team: WorkerTeam
  ) throws {
    self.team = team
    var sums: [Sum] = []
    var offset = 0
    for tensor in tensors where tensor.type.elementCount > 0 {
      guard tensor.type.dtype == .float32 || tensor.type.dtype == .float64 else {
        throw GraphError("workers add up float32 and float64; received \(tensor.type).")
      }
      func address(_ buffer: any Buffer) throws -> UnsafeMutableRawPointer {
        guard let address = (buffer as? any HostBuffer)?.memory.baseAddress else {
          throw GraphError("workers can share a batch only where the memory is the host's.")
        }
        return address
      }
      sums.append(
        Sum(
          operands: try tensor.operands.map(address), result: try address(tensor.result),
          count: tensor.type.elementCount, isDouble: tensor.type.dtype == .float64, offset: offset,
          buffers: tensor.operands + [tensor.result]))
      offset += (tensor.type.byteCount + 63) / 64 * 64
    }
    self.sums = sums
    self.group = group
    self.parts = parts
    firstPart = own.lowerBound
    stride = offset
    let shares = BatchShares(of: parts, workers: group.size)
    let byProcess = (0..<group.size).map { Self.subtrees(of: shares[$0], in: 0..<parts) }
    subtrees = byProcess.flatMap { $0 }
    ownSubtrees = byProcess[group.rank]
    var first = 0
    places = byProcess.map { list in
      defer { first += list.count }
      return first * offset..<(first + list.count) * offset
    }
    let depth = max(parts - 1, 1).bitWidth - max(parts - 1, 1).leadingZeroBitCount
    scratch = .allocate(byteCount: max((depth + 1) * offset, 64), alignment: 64)
    staging = .allocate(byteCount: max(subtrees.count * offset, 64), alignment: 64)
    scratch.initializeMemory(as: UInt8.self, repeating: 0)
    staging.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    staging.deallocate()
    scratch.deallocate()
  }

  /// The largest subtrees of `tree` that lie in a range.
  static func subtrees(of range: Range<Int>, in tree: Range<Int>) -> [Range<Int>] {
    if range.isEmpty || !range.overlaps(tree) { return [] }
    if range.lowerBound <= tree.lowerBound, tree.upperBound <= range.upperBound { return [tree] }
    let middle = (tree.lowerBound + tree.upperBound) / 2
    return subtrees(of: range, in: tree.lowerBound..<middle) + subtrees(of: range, in: middle..<tree.upperBound)
  }

  /// Completes the sums.
  func run() throws {
    if group.size == 1 {
      addUp { meeting, sum, range in
        meeting.add(sum, 0..<meeting.parts, range, into: sum.result) { meeting.ownPart(sum, $0) }
      }
      return
    }
    let first = subtrees.firstIndex(of: ownSubtrees.first ?? 0..<0) ?? 0
    addUp { meeting, sum, range in
      for (number, subtree) in meeting.ownSubtrees.enumerated() {
        guard let place = meeting.place(of: first + number, sum) else { continue }
        meeting.add(sum, subtree, range, into: place) { meeting.ownPart(sum, $0) }
      }
    }
    try group.allGather(staging, parts: places)
    addUp { meeting, sum, range in
      meeting.add(sum, 0..<meeting.parts, range, into: sum.result) { tree in
        meeting.subtrees.firstIndex(of: tree).flatMap { meeting.place(of: $0, sum) }
      }
    }
  }

  /// Has each member of the team add up its range of each tensor.
  private func addUp(_ work: @escaping @Sendable (SharedMeeting, Sum, Range<Int>) -> Void) {
    let members = team.count
    team.run(with: self) { meeting, member in
      for sum in meeting.sums { work(meeting, sum, sum.share(of: member, in: members)) }
    }
  }

  private func ownPart(_ sum: Sum, _ tree: Range<Int>) -> UnsafeMutableRawPointer? {
    tree.count == 1 ? sum.operands[tree.lowerBound - firstPart] : nil
  }

  /// Where a subtree's sum is exchanged.
  private func place(of subtree: Int, _ sum: Sum) -> UnsafeMutableRawPointer? {
    staging.baseAddress.map { $0 + subtree * stride + sum.offset }
  }

  /// Puts the sum of a tree's parts into memory.
  /// - Parameter known: where the sum of a subtree is, if it is there.
  private func add(
    _ sum: Sum, _ tree: Range<Int>, _ range: Range<Int>, into target: UnsafeMutableRawPointer,
    _ known: (Range<Int>) -> UnsafeMutableRawPointer?
  ) {
    let place = total(sum, tree, range, into: target, depth: 0, known)
    if place != target { sum.copy(range, to: target, from: place) }
  }

  /// The sum of a tree's parts: where it is known, or in `target`.
  private func total(
    _ sum: Sum, _ tree: Range<Int>, _ range: Range<Int>, into target: UnsafeMutableRawPointer, depth: Int,
    _ known: (Range<Int>) -> UnsafeMutableRawPointer?
  ) -> UnsafeMutableRawPointer {
    guard let scratched = scratch.baseAddress else { return target }
    if let place = known(tree) { return place }
    let middle = (tree.lowerBound + tree.upperBound) / 2
    let left = total(sum, tree.lowerBound..<middle, range, into: target, depth: depth + 1, known)
    let other = scratched + depth * stride + sum.offset
    let right = total(sum, middle..<tree.upperBound, range, into: other, depth: depth + 1, known)
    sum.add(target, left, right, range)
    return target
  }
}

/// Adds elementwise; the target may be one of the operands.
private func addAll<Element: FloatingPoint>(
  _ target: UnsafeMutableRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ range: Range<Int>,
  as: Element.Type
) {
  let target = target.assumingMemoryBound(to: Element.self)
  let (a, b) = (a.assumingMemoryBound(to: Element.self), b.assumingMemoryBound(to: Element.self))
  for index in range { target[index] = a[index] + b[index] }
}
