// A product with a matrix of weights that the same step updates row by row. A core that updates some rows has them in
// its cache when the next step begins; if every core read the whole matrix, half of it would come from the other core's
// cache. So each core computes the terms of the sums that belong to its rows, and the partial sums are added in the
// next phase.

import AccelerandoCore
import CKernels

/// A product split along the terms of its sums into leaves, each with its own partial results.
struct OwnedDotKernel: Kernel {
  /// The product, writing the leaves' results instead of its own.
  let base: DotKernel
  let leaves: Int

  var label: String { base.label + ", \(leaves) leaves" }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func taskCount(threads: Int) -> Int { leaves }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    for leaf in portion(range, of: tasks, extent: leaves) {
      let depth = base.shape.k * leaf / leaves..<base.shape.k * (leaf + 1) / leaves
      base.accumulate(depth, at: leaf * base.shape.m * base.shape.n, memory, scratch)
    }
  }
}

extension DotKernel {
  /// The number of leaves to split the sums into; nil for a product that is better left whole. It pays for a matrix
  /// that is too large to come cheaply from another core's cache, and small enough to stay in a core's own from step to
  /// step; the rows of the left operand that move between cores instead must be much smaller.
  func ownedLeaves(isState: Bool) -> Int? {
    let bytes = 4 * shape.k * shape.n
    guard isState, shape.batch == 1, shape.m > 1, right.columnStride == 1, right.rowStride >= shape.n,
      bytes >= 1 << 17, bytes <= 1 << 20, shape.m <= shape.n / 2, 4 * shape.m <= shape.k
    else { return nil }
    return Region.leafCount(units: 32)
  }
}
