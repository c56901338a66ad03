// Products of number types without a microkernel.

import AccelerandoCore

/// A product of any number type, element by element.
struct GenericDotKernel: Kernel {
  let shape: ProductShape
  let left: MatrixView
  let right: MatrixView
  let result: Int
  let dtype: DType

  var label: String { "\(dtype.rawValue) product \(shape.batch)×[\(shape.m), \(shape.k)]·[\(shape.k), \(shape.n)]" }

  var cost: Cost { Cost(flops: 30 * Double(shape.flops)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: shape.flops, threads: threads, minimumPerTask: 60_000)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    dtype.visit(Visitor(kernel: self, rows: portion(range, of: tasks, extent: shape.batch * shape.m), memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: GenericDotKernel
    let rows: Range<Int>
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let (shape, left, right) = (kernel.shape, kernel.left, kernel.right)
      let a = memory.elements(left.root, E.self) + left.offset
      let b = memory.elements(right.root, E.self) + right.offset
      let c = memory.elements(kernel.result, E.self)
      for row in rows {
        let (batch, m) = (row / shape.m, row % shape.m)
        let x = a + batch * left.batchStride + m * left.rowStride
        for n in 0..<shape.n {
          let y = b + batch * right.batchStride + n * right.columnStride
          var sum = E.Compute.zero
          for k in 0..<shape.k {
            sum = sum.plus(x[k &* left.columnStride].compute.times(y[k &* right.rowStride].compute))
          }
          c[row * shape.n + n] = E(compute: sum)
        }
      }
    }
  }
}
