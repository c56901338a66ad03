// The kernel of a fused loop: a short program for the vector machine in CKernels.

import AccelerandoCore
import CKernels

/// Runs a fused elementwise loop.
struct FusedLoop: Kernel {
  let code: [AccVMInst]
  let accesses: [AccVMAccess]
  /// The value behind each pointer number of the accesses.
  let pointers: [Int]
  let registers: Int
  let count: Int
  let isa: InstructionSet

  var label: String { "loop of \(count) elements, \(code.count) instructions, \(pointers.count) operands" }

  func taskCount(threads: Int) -> Int {
    // An instruction takes about 0.05 ns an element; waking the team costs about half a microsecond.
    AccelerandoCPU.taskCount(work: count * max(code.count, 4), threads: threads, minimumPerTask: 40_000)
  }

  private var pointerBytes: Int { (pointers.count * MemoryLayout<UnsafeMutableRawPointer>.stride + 63) / 64 * 64 }

  var scratchBytes: Int {
    withMachine { program in pointerBytes + (isa.kernels.vm_scratch_bytes?(program) ?? 0) }
  }

  private func withMachine<Result>(_ body: (UnsafePointer<AccVM>) -> Result) -> Result {
    code.withUnsafeBufferPointer { code in
      accesses.withUnsafeBufferPointer { accesses in
        var program = AccVM(
          code: code.baseAddress, code_count: code.count, accesses: accesses.baseAddress,
          access_count: accesses.count, register_count: registers)
        return withUnsafePointer(to: &program, body)
      }
    }
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: count, grain: 512)
    if part.isEmpty { return }
    let table = scratch.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    for (index, value) in pointers.enumerated() { table[index] = memory[value] }
    withMachine { program in
      isa.kernels.vm_run?(program, table, part.lowerBound, part.upperBound, scratch + pointerBytes)
    }
  }
}
