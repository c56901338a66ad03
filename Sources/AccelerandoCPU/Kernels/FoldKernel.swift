// Where partial results are combined: each leaf of a batch has summed its own samples, and the leaves are added in
// order. Their number follows from the batch alone, so that the sum has the same bits on any number of threads.

import AccelerandoCore
import CKernels

/// Sums (or takes the maximum of, …) the results of a region's leaves.
struct FoldKernel: Kernel {
  let function: ReduceKernel.Function
  /// The leaves' results, one after another.
  let source: Int
  let result: Int
  let leaves: Int
  let elementCount: Int
  let isa: InstructionSet

  var label: String { "\(function.rawValue) of \(leaves) leaves × \(elementCount)" }

  var cost: Cost {
    Cost(flops: Double(leaves * elementCount), bytes: 4 * Double((leaves + 1) * elementCount))
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: leaves * elementCount, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(elementCount) else { return [] }
    return sliced(units, operands: [(source, false)])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: elementCount, grain: 16)
    if part.isEmpty { return }
    let kind = ReduceKernel.kind(function) ?? 0
    isa.kernels.reduce_columns?(
      kind, memory.elements(source, Float.self), memory.elements(result, Float.self), leaves, elementCount,
      part.lowerBound, part.upperBound)
  }
}
