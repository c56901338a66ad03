// Products with frozen weights that have many zeros: what the product does once SparsePackKernel has decided to skip
// them.

import CKernels

extension DotKernel {
  /// The packed matrix, if it was packed without zeros.
  func sparseMatrix(_ memory: Memory) -> UnsafePointer<AccSparse>? {
    guard let sparse else { return nil }
    let packed = UnsafePointer(memory.elements(sparse, AccSparse.self))
    return packed.pointee.form == Int32(accSparseNone.rawValue) ? nil : packed
  }

  /// Computes a part of the result from a matrix without zeros.
  func multiply(
    _ packed: UnsafePointer<AccSparse>, _ rows: Range<Int>, panels: Range<Int>, _ memory: Memory,
    _ scratch: UnsafeMutableRawPointer
  ) {
    if rows.isEmpty || panels.isEmpty { return }
    let a = memory.elements(left.root, Float.self) + left.offset + rows.lowerBound * left.rowStride
    let c = memory.elements(result, Float.self) + rows.lowerBound * shape.n
    epilogue.withPointer(memory) {
      isa.kernels.sparse_product?(
        rows.count, a, left.rowStride, packed, panels.lowerBound, panels.upperBound, c, shape.n, $0, scratch)
    }
  }

  /// Runs tasks `range` out of `tasks` without the zeros. The split does not change any bits.
  func run(
    _ range: Range<Int>, of tasks: Int, _ packed: UnsafePointer<AccSparse>, _ memory: Memory,
    _ scratch: UnsafeMutableRawPointer
  ) {
    // A task that computes some rows reads the whole matrix, so there should be many.
    let panels = isa.kernels.sparse_panels?(shape.n) ?? 1
    if panels >= tasks || shape.m < tasks {
      multiply(packed, 0..<shape.m, panels: portion(range, of: tasks, extent: panels), memory, scratch)
    } else {
      multiply(packed, portion(range, of: tasks, extent: shape.m), panels: 0..<panels, memory, scratch)
    }
  }

  func decision(_ memory: Memory) -> Decision? {
    guard let matrix = sparseMatrix(memory)?.pointee else { return nil }
    let share = Double(matrix.nonzeros) / Double(max(shape.k * shape.n, 1))
    let form = matrix.form == Int32(accSparseColumns.rawValue) ? "columns" : "rows"
    let percent = (1000 * share).rounded() / 10
    return Decision(
      label: "\(label), sparse by \(form): \(percent) % of the matrix",
      cost: Cost(
        flops: cost.flops * share, bytes: Double(matrix.bytes) + 4 * Double(shape.m * (shape.k + shape.n))),
      density: share, form: "by \(form)")
  }
}

extension Lowering {
  /// Looks for zeros in a frozen matrix, if the product can skip them. A huge matrix should not be stored twice.
  func withoutZeros(_ matrix: MatrixView, of product: DotKernel) -> Int? {
    let shape = product.shape
    guard shape.batch == 1, product.left.columnStride == 1, shape.k >= 128,
      (4096...1 << 28).contains(shape.k * shape.n)
    else { return nil }
    let packed = temporary(SparsePackKernel.packedBytes(shape, isa))
    add(
      SparsePackKernel(shape: shape, source: matrix, result: packed, isa: isa), reads: [matrix.root], writes: [packed])
    return packed
  }
}
