// A product with a matrix of weights that the same step updates row by row. Whoever updates some rows has them in its own
// cache when the next step begins; read as a whole by every core, half of the matrix would come out of the other's.
// So each core takes the terms of the sums that belong to its rows, and the partial sums are added up in the next phase.

import AccelerandoCore
import CKernels

/// A product cut along the terms of its sums into leaves, each with partial results of its own.
struct OwnedDotKernel: Kernel {
  /// The product, with the leaves' results for its own.
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
  /// Into how many leaves to cut the sums; nil for a product that is better left whole. Worth it is a matrix that is too
  /// large to come cheaply out of another core's cache, and no larger than what stays in a core's own from step to
  /// step; the rows of the left operand that change cores in its stead must be much less.
  func ownedLeaves(isState: Bool) -> Int? {
    let bytes = 4 * shape.k * shape.n
    guard isState, shape.batch == 1, shape.m > 1, right.columnStride == 1, right.rowStride >= shape.n,
      bytes >= 1 << 17, bytes <= 1 << 20, shape.m <= shape.n / 2, 4 * shape.m <= shape.k
    else { return nil }
    return Region.leafCount(units: 32)
  }
}
