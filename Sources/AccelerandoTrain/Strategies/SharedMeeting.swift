// Where sums over the batch are completed. The sum of parts l to h is that of their first half plus that of their second,
// whoever computed them; so processes add up what they have whole halves of, exchange those sums, and finish the tree.

import AccelerandoCore
import Foundation

/// Sums over the parts of a batch, of several tensors at once.
final class SharedMeeting {
  private let sums: [Sum]
  private let group: any WorkerGroup
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

    func add(_ target: UnsafeMutableRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer) {
      if isDouble { addAll(target, a, b, count, as: Double.self) } else { addAll(target, a, b, count, as: Float.self) }
    }
    var byteCount: Int { count * (isDouble ? 8 : 4) }
  }

  init(
    _ tensors: [(operands: [any Buffer], result: any Buffer, type: TensorType)], own: Range<Int>, parts: Int,
    group: any WorkerGroup
  ) throws {
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
    guard let staged = staging.baseAddress else { return }
    func ownPart(_ sum: Sum, _ tree: Range<Int>) -> UnsafeMutableRawPointer? {
      tree.count == 1 ? sum.operands[tree.lowerBound - firstPart] : nil
    }
    if group.size == 1 {
      for sum in sums { add(sum, 0..<parts, into: sum.result) { ownPart(sum, $0) } }
      return
    }
    func place(_ subtree: Int, _ sum: Sum) -> UnsafeMutableRawPointer { staged + subtree * stride + sum.offset }
    let first = subtrees.firstIndex(of: ownSubtrees.first ?? 0..<0) ?? 0
    for (number, subtree) in ownSubtrees.enumerated() {
      for sum in sums { add(sum, subtree, into: place(first + number, sum)) { ownPart(sum, $0) } }
    }
    try group.allGather(staging, parts: places)
    for sum in sums {
      add(sum, 0..<parts, into: sum.result) { tree in subtrees.firstIndex(of: tree).map { place($0, sum) } }
    }
  }

  /// Puts the sum of a tree's parts into memory.
  /// - Parameter known: where the sum of a subtree is, if it is there.
  private func add(
    _ sum: Sum, _ tree: Range<Int>, into target: UnsafeMutableRawPointer,
    _ known: (Range<Int>) -> UnsafeMutableRawPointer?
  ) {
    let place = total(sum, tree, into: target, depth: 0, known)
    if place != target { target.copyMemory(from: place, byteCount: sum.byteCount) }
  }

  /// The sum of a tree's parts: where it is known, or in `target`.
  private func total(
    _ sum: Sum, _ tree: Range<Int>, into target: UnsafeMutableRawPointer, depth: Int,
    _ known: (Range<Int>) -> UnsafeMutableRawPointer?
  ) -> UnsafeMutableRawPointer {
    guard let scratched = scratch.baseAddress else { return target }
    if let place = known(tree) { return place }
    let middle = (tree.lowerBound + tree.upperBound) / 2
    let left = total(sum, tree.lowerBound..<middle, into: target, depth: depth + 1, known)
    let other = scratched + depth * stride + sum.offset
    let right = total(sum, middle..<tree.upperBound, into: other, depth: depth + 1, known)
    sum.add(target, left, right)
    return target
  }
}

/// Adds elementwise; the target may be one of the operands.
private func addAll<Element: FloatingPoint>(
  _ target: UnsafeMutableRawPointer, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int, as: Element.Type
) {
  let target = target.assumingMemoryBound(to: Element.self)
  let (a, b) = (a.assumingMemoryBound(to: Element.self), b.assumingMemoryBound(to: Element.self))
  for index in 0..<count { target[index] = a[index] + b[index] }
}
