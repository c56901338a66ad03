// A matrix that many calls of a product read is packed once into the microkernel's order, in panels that threads share.

import AccelerandoCore
import CKernels

/// Copies a matrix into the order in which the product's microkernel reads it.
struct MatrixPackKernel: Kernel {
  let depth: Int
  let columns: Int
  let source: MatrixView
  var result = -1
  let isa: InstructionSet

  var label: String { "pack [\(depth), \(columns)]" }
  var packedBytes: Int { isa.kernels.sgemm_packed_bytes?(depth, columns) ?? 0 }
  var cost: Cost { Cost(bytes: 2 * Double(packedBytes), work: .packing) }

  private var panels: Int { isa.kernels.sgemm_panels?(columns) ?? 1 }

  func writing(to result: Int) -> MatrixPackKernel {
    var kernel = self
    kernel.result = result
    return kernel
  }

  func taskCount(threads: Int) -> Int {
    min(panels, AccelerandoCPU.taskCount(work: packedBytes, threads: threads, minimumPerTask: 65_536))
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: panels)
    isa.kernels.sgemm_pack?(
      depth, columns, memory.elements(source.root, Float.self) + source.offset, source.rowStride,
      source.columnStride, memory[result], part.lowerBound, part.upperBound)
  }
}
