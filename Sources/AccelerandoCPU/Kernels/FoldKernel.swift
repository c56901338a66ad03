// Where partial results meet: each leaf of a batch has summed up its own samples, and the leaves are added in their order,
// which the batch alone decides, so that the sum has the same bits on any number of threads.

import AccelerandoCore
import CKernels

/// Adds up (or takes the largest, …) what the leaves of a region computed.
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
