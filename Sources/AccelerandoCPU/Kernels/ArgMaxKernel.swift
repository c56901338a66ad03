// The index of an extreme, with the operand seen as [outer, reduce, inner].

import AccelerandoCore
import CKernels

/// The index of the largest or smallest element along the middle axis, in any element type.
struct ArgMaxKernel: Kernel {
  let smallest: Bool
  let source: Int
  let result: Int
  let outer: Int
  let reduce: Int
  let inner: Int
  let dtype: DType
  let isa: InstructionSet

  var label: String {
    "\(dtype.rawValue) arg \(smallest ? "min" : "max") [\(outer), \(reduce), \(inner)] along the middle"
  }

  var cost: Cost {
    let count = Double(outer * reduce * inner)
    return Cost(flops: (dtype == .float32 ? 4 : 30) * count, bytes: Double(dtype.byteCount) * count)
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: outer * reduce * inner, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: outer, operands: [source])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: outer)
    if part.isEmpty { return }
    if dtype == .float32 {
      isa.kernels.arg_extreme_f32?(
        smallest ? 0 : 1, memory.elements(source, Float.self), memory.elements(result, Int32.self), reduce, inner,
        part.lowerBound, part.upperBound)
    } else {
      dtype.visit(Visitor(kernel: self, elements: part.lowerBound * inner..<part.upperBound * inner, memory: memory))
    }
  }

  private struct Visitor: ElementVisitor {
    let kernel: ArgMaxKernel
    let elements: Range<Int>
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let x = memory.elements(kernel.source, E.self)
      let out = memory.elements(kernel.result, Int32.self)
      for element in elements {
        let start = element / kernel.inner * kernel.reduce * kernel.inner + element % kernel.inner
        var best = x[start].compute
        var place = 0
        for r in 1..<max(kernel.reduce, 1) {
          let value = x[start + r * kernel.inner].compute
          guard (kernel.smallest ? value < best : value > best) || (value != value && best == best) else { continue }
          (best, place) = (value, r)
        }
        out[element] = Int32(truncatingIfNeeded: place)
      }
    }
  }
}

extension Lowering {
  /// Lowers the search for an extreme.
  func lowerArgMax(_ operation: ArgMax, _ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    let (source, outer, reduce, inner) = arrange(view(instruction.operands[0]), axes: [operation.axis])
    add(
      ArgMaxKernel(
        smallest: operation.smallest, source: source, result: result, outer: outer, reduce: reduce, inner: inner,
        dtype: type(instruction.operands[0]).dtype, isa: isa), reads: [source], writes: [result])
  }
}
