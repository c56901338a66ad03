// The order of sums over a batch, whoever has computed which part: the sum of parts l to h is that of their first half
// plus that of their second. So the bits follow from the number of parts alone.

/// A binary tree of sums over the parts of a batch.
public struct SumTree: Hashable, Sendable {
  /// The number of parts.
  public let parts: Range<Int>
  /// The known sums, in order: subtrees that cover all parts.
  public let leaves: [Range<Int>]

  /// Makes the tree over single parts.
  public init(_ parts: Range<Int>) {
    self.parts = parts
    leaves = parts.map { $0..<$0 + 1 }
  }

  /// Makes the tree over parts that are split among workers: each sums the whole subtrees that it has.
  public init(parts: Int, of workers: [Range<Int>]) {
    self.parts = 0..<parts
    leaves = workers.flatMap { Self.subtrees(of: $0, in: 0..<parts) }
  }

  /// The largest subtrees of `tree` that lie in a range, in order.
  public static func subtrees(of range: Range<Int>, in tree: Range<Int>) -> [Range<Int>] {
    if range.isEmpty || !range.overlaps(tree) { return [] }
    if range.lowerBound <= tree.lowerBound, tree.upperBound <= range.upperBound { return [tree] }
    let middle = (tree.lowerBound + tree.upperBound) / 2
    return subtrees(of: range, in: tree.lowerBound..<middle) + subtrees(of: range, in: middle..<tree.upperBound)
  }

  /// The sum of all parts.
  /// - Parameter known: the sums of the leaves, in order.
  public func sum(_ known: [Tensor]) -> Tensor? { sum(parts, known) }

  private func sum(_ tree: Range<Int>, _ known: [Tensor]) -> Tensor? {
    if let leaf = leaves.firstIndex(of: tree) { return known.indices.contains(leaf) ? known[leaf] : nil }
    guard tree.count > 1 else { return nil }
    let middle = (tree.lowerBound + tree.upperBound) / 2
    guard let first = sum(tree.lowerBound..<middle, known), let second = sum(middle..<tree.upperBound, known) else {
      return nil
    }
    return first + second
  }
}
