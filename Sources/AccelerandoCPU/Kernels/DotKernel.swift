// Products: dot_general brought to [batch, M, K] × [batch, K, N], with transposes left to the strides.

import AccelerandoCore
import CKernels

/// One operand or result of a product: its offset, and the strides of its batch, rows and columns.
struct MatrixView: Sendable {
  let root: Int
  let offset: Int
  let batchStride: Int
  let rowStride: Int
  let columnStride: Int
}

/// Sizes of a product.
struct ProductShape: Sendable {
  let batch: Int, m: Int, n: Int, k: Int
  var flops: Int { 2 * batch * m * n * k }
}

/// A float32 product.
struct DotKernel: Kernel {
  let shape: ProductShape
  let left: MatrixView
  let right: MatrixView
  let result: Int
  let epilogue: Epilogue
  /// Whether `right` is packed, for many calls that each compute a few rows.
  var isPacked = false
  /// Whether sums run with lanes along k. Their order of addition is different, so this holds for the whole product.
  var isDots = false
  /// The matrix without its zeros, if it was packed like that; nil if zeros were not looked for.
  var sparse: Int?
  let isa: InstructionSet

  var label: String { "product \(shape.batch)×[\(shape.m), \(shape.k)]·[\(shape.k), \(shape.n)]\(epilogue.label)" }

  var scratchBytes: Int {
    let dense = isa.kernels.sgemm_scratch_bytes?(shape.m, shape.n, shape.k) ?? 0
    return sparse == nil ? dense : max(dense, isa.kernels.sparse_scratch_bytes?(shape.m, shape.n, shape.k) ?? 0)
  }

  /// The extent along which the work is split. The sums run over K in one order, so any split gives the same bits.
  private enum Cut { case batch, rows, columns }

  private func cut(_ tasks: Int) -> Cut {
    if shape.batch >= tasks { return .batch }
    // A task that computes some columns packs only those; with few columns, or many more rows, splitting rows wastes
    // less.
    if shape.m == 1 { return shape.n < 32 ? .rows : .columns }
    return shape.n > 48 && shape.n >= shape.m ? .columns : .rows
  }

  func taskCount(threads: Int) -> Int {
    // One row is faster on one core than with a signal to another, unless its matrix fills the L2 cache.
    AccelerandoCPU.taskCount(
      work: shape.flops, threads: threads, minimumPerTask: shape.m == 1 ? 150_000 : 60_000, perThread: 1)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    if let packed = sparseMatrix(memory) { return run(range, of: tasks, packed, memory, scratch) }
    var batches = 0..<shape.batch
    var rows = 0..<shape.m
    var columns = 0..<shape.n
    switch cut(tasks) {
    case .batch: batches = portion(range, of: tasks, extent: shape.batch)
    case .rows: rows = portion(range, of: tasks, extent: shape.m, grain: shape.m >= 28 * tasks ? 14 : 1)
    case .columns where isPacked:
      let width = isa.kernels.sgemm_panel_columns?(shape.n) ?? shape.n
      let panels = portion(range, of: tasks, extent: (shape.n + width - 1) / width)
      columns = min(panels.lowerBound * width, shape.n)..<min(panels.upperBound * width, shape.n)
    case .columns: columns = portion(range, of: tasks, extent: shape.n, grain: 32)
    }
    multiply(batches, rows, columns, depth: 0..<shape.k, adding: false, memory, scratch)
  }

  /// Computes the sums of only some of the terms, and writes them from element `offset` on.
  func accumulate(_ depth: Range<Int>, at offset: Int, _ memory: Memory, _ scratch: UnsafeMutableRawPointer) {
    isa.kernels.sgemm?(
      shape.m, shape.n, depth.count,
      memory.elements(left.root, Float.self) + left.offset + depth.lowerBound * left.columnStride, left.rowStride,
      left.columnStride, memory.elements(right.root, Float.self) + right.offset + depth.lowerBound * right.rowStride,
      right.rowStride, right.columnStride, memory.elements(result, Float.self) + offset, shape.n, false, nil, scratch)
  }

  /// Computes a part of the result from a part of the terms; `adding` adds to what the result holds.
  func multiply(
    _ batches: Range<Int>, _ rows: Range<Int>, _ columns: Range<Int>, depth: Range<Int>, adding: Bool,
    _ memory: Memory, _ scratch: UnsafeMutableRawPointer
  ) {
    if rows.isEmpty || columns.isEmpty { return }
    if let packed = sparseMatrix(memory) {
      multiply(packed, rows, panels: 0..<(isa.kernels.sparse_panels?(shape.n) ?? 1), memory, scratch)
      return
    }
    let a = memory.elements(left.root, Float.self) + left.offset + depth.lowerBound * left.columnStride
    if isPacked {
      let c = memory.elements(result, Float.self) + rows.lowerBound * shape.n + columns.lowerBound
      let width = isa.kernels.sgemm_panel_columns?(shape.n) ?? shape.n
      epilogue.withPointer(memory) { epilogue in
        var local = epilogue?.pointee ?? AccEpilogue()
        if let bias = local.bias { local.bias = bias + columns.lowerBound }
        withUnsafePointer(to: local) { shifted in
          isa.kernels.sgemm_prepacked?(
            rows.count, shape.n, shape.k, a + rows.lowerBound * left.rowStride, left.rowStride, left.columnStride,
            memory[right.root], columns.lowerBound / width, (columns.upperBound + width - 1) / width, c, shape.n, false,
            epilogue == nil ? nil : shifted, scratch)
        }
      }
      return
    }
    let b = memory.elements(right.root, Float.self) + right.offset + depth.lowerBound * right.rowStride
    let c = memory.elements(result, Float.self)
    epilogue.withPointer(memory) { epilogue in
      var local = epilogue?.pointee ?? AccEpilogue()
      if let bias = local.bias { local.bias = bias + columns.lowerBound }
      withUnsafePointer(to: local) { shifted in
        // One row, however the product is split: many short chains of sums are faster than one long one.
        if shape.m == 1, !adding, depth.count == shape.k {
          for batch in batches {
            isa.kernels.sgemv?(
              columns.count, shape.k, a + batch * left.batchStride, left.columnStride,
              b + batch * right.batchStride + columns.lowerBound * right.columnStride, right.rowStride,
              right.columnStride, c + batch * shape.n + columns.lowerBound, epilogue == nil ? nil : shifted, scratch)
          }
          return
        }
        if isDots {
          for batch in batches {
            isa.kernels.sgemm_dots?(
              rows.count, columns.count, shape.k,
              a + batch * left.batchStride + rows.lowerBound * left.rowStride, left.rowStride,
              b + batch * right.batchStride + columns.lowerBound * right.columnStride, right.columnStride,
              c + (batch * shape.m + rows.lowerBound) * shape.n + columns.lowerBound, shape.n,
              epilogue == nil ? nil : shifted, scratch)
          }
          return
        }
        for batch in batches {
          isa.kernels.sgemm?(
            rows.count, columns.count, depth.count,
            a + batch * left.batchStride + rows.lowerBound * left.rowStride, left.rowStride, left.columnStride,
            b + batch * right.batchStride + columns.lowerBound * right.columnStride, right.rowStride,
            right.columnStride,
            c + (batch * shape.m + rows.lowerBound) * shape.n + columns.lowerBound, shape.n, adding,
            epilogue == nil ? nil : shifted, scratch)
        }
      }
    }
  }
}

extension DotKernel {
  var cost: Cost {
    let elements = shape.m * shape.k + shape.k * shape.n + shape.m * shape.n
    return Cost(
      flops: Double(shape.flops), bytes: Double(4 * shape.batch * elements), work: .product(depth: shape.k))
  }

  func slicings(_ units: Units) -> [Slicing] {
    typealias Axis = (size: Int, stride: Int)
    let rows: Axis = (shape.m, left.rowStride)
    let columns: Axis = (shape.n, right.columnStride)
    let leftDepth: Axis = (shape.k, left.columnStride)
    let rightDepth: Axis = (shape.k, right.rowStride)
    func isAligned(_ operand: MatrixView, _ axes: [Axis]) -> Bool {
      units.divide(operand.root, axes: axes, offset: operand.offset, width: 4)
    }
    let bias = ([epilogue.bias, sparse].compactMap { $0 }).map { (value: $0, isAligned: false) }
    func slicing(
      _ cut: SlicedDot.Cut, _ leftAxes: [Axis], _ rightAxes: [Axis], partial: Slicing.Partial? = nil
    ) -> Slicing {
      var slicing = Slicing(
        SlicedDot(base: self, cut: cut, units: units.count),
        operands: [(left.root, isAligned(left, leftAxes)), (right.root, isAligned(right, rightAxes))] + bias,
        partial: partial)
      slicing.reread = []
      return slicing
    }
    if shape.batch > 1 {
      guard shape.batch % units.count == 0 else { return [] }
      return [
        slicing(
          .batch, [(shape.batch, left.batchStride), rows, leftDepth],
          [(shape.batch, right.batchStride), rightDepth, columns])
      ]
    }
    var found: [Slicing] = []
    if shape.m % units.count == 0 {
      // The second operand is used by all rows, so no part of it belongs to a unit.
      var slicing = Slicing(
        SlicedDot(base: self, cut: .rows, units: units.count),
        operands: [(left.root, isAligned(left, [rows, leftDepth])), (right.root, units.count == 1)] + bias)
      slicing.reread = [right.root]
      found.append(slicing)
    }
    if !isPacked, !isDots, sparse == nil, shape.m > 1, shape.k % units.count == 0, units.count > 1,
      epilogue == Epilogue()
    {
      let partial = Slicing.Partial(function: .sum, value: result, elementCount: shape.m * shape.n)
      found.append(slicing(.depth, [leftDepth, rows], [rightDepth, columns], partial: partial))
    }
    return found
  }
}

extension DotKernel {
  /// Whether the second operand should be packed once: if the product is tall, so that it will be split into many
  /// groups of rows, each with a second operand too large for the L1 cache. The gradient of a large matrix is like
  /// that; a few rows of it are then still in cache for the optimizer.
  fileprivate var wantsPacking: Bool {
    !isDots && shape.batch == 1 && shape.m >= 4 * shape.k && shape.k * shape.n * 4 >= 1 << 16
      && shape.m * shape.n * 4 >= 1 << 20
  }

  /// Whether the matrix of a model in use should be packed when the program is bound: if it comes from memory, where its
  /// rows lie far apart, and several rows of the left operand use it. A smaller one is read in place as fast.
  var gainsByPackingOnce: Bool {
    let elements = shape.k * shape.n
    return !isDots && shape.batch == 1 && shape.m > 1 && elements >= 2 << 20 && (shape.m > 14 || elements >= 4 << 20)
  }

  fileprivate func writing(to result: Int) -> DotKernel {
    DotKernel(
      shape: shape, left: left, right: right, result: result, epilogue: epilogue, isPacked: isPacked, sparse: sparse,
      isa: isa)
  }

  fileprivate func readingPacked(_ packed: Int) -> DotKernel {
    let right = MatrixView(root: packed, offset: 0, batchStride: 0, rowStride: 0, columnStride: 0)
    return DotKernel(
      shape: shape, left: left, right: right, result: result, epilogue: epilogue, isPacked: true, sparse: sparse,
      isa: isa)
  }
}

/// A product split along its batch or its rows, or along the terms of its sums.
struct SlicedDot: SlicedKernel {
  enum Cut: Sendable { case batch, rows, depth }

  let base: DotKernel
  let cut: Cut
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func decision(_ memory: Memory) -> Decision? { base.decision(memory) }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let shape = base.shape
    var (batches, rows, depth) = (0..<shape.batch, 0..<shape.m, 0..<shape.k)
    switch cut {
    case .batch: batches = portion(part, of: units, extent: shape.batch)
    case .rows: rows = portion(part, of: units, extent: shape.m)
    case .depth: depth = portion(part, of: units, extent: shape.k)
    }
    base.multiply(
      batches, rows, 0..<shape.n, depth: depth, adding: cut == .depth && continuing, memory, scratch)
  }
}

extension Lowering {
  /// Lowers a product, with the bias and the relu that follow it, if there are any.
  func lowerDot(_ operation: DotGeneral, _ instruction: Program.Instruction, at index: Int) {
    let leftView = view(instruction.operands[0])
    let rightView = view(instruction.operands[1])
    let leftFree = freeAxes(leftView.type.rank, operation.leftBatching, operation.leftContracting)
    let rightFree = freeAxes(rightView.type.rank, operation.rightBatching, operation.rightContracting)
    let left = matrix(leftView, operation.leftBatching, leftFree, operation.leftContracting)
    var right = matrix(rightView, operation.rightBatching, operation.rightContracting, rightFree)
    func size(_ view: View, _ axes: [Int]) -> Int { axes.map { view.type.shape[$0] }.elementCount }
    let shape = ProductShape(
      batch: size(leftView, operation.leftBatching), m: size(leftView, leftFree), n: size(rightView, rightFree),
      k: size(leftView, operation.leftContracting))
    let isFrozen = frozenInputs.contains(right.root)
    let isDots = isDots(shape, left: left, right: right) && rightView.type.dtype == .float32
    if isDots, right.rowStride != 1 {
      // Few columns: sums along contiguous columns are faster, and the matrix is transposed only once.
      let turned = rightView.transposed(operation.rightBatching + rightFree + operation.rightContracting)
      right = MatrixView(
        root: contiguous(turned), offset: 0, batchStride: shape.n * shape.k, rowStride: 1, columnStride: shape.k)
    }
    var result = instruction.results.lowerBound
    let dtype = type(result).dtype
    guard dtype == .float32 else {
      add(
        GenericDotKernel(shape: shape, left: left, right: right, result: result, dtype: dtype),
        reads: [left.root, right.root], writes: [result])
      return
    }
    let product = DotKernel(shape: shape, left: left, right: right, result: result, epilogue: Epilogue(), isa: isa)
    if let leaves = product.ownedLeaves(isState: program.aliases.values.contains(right.root)) {
      addOwned(product, leaves: leaves)
      return
    }
    let epilogue = rightFree.count == 1 ? takeEpilogue(of: &result, at: index) : Epilogue()
    var kernel = DotKernel(
      shape: shape, left: left, right: right, result: result, epilogue: epilogue, isDots: isDots, isa: isa)
    kernel.sparse = isFrozen ? withoutZeros(right, of: kernel) : nil
    if kernel.wantsPacking || (isFrozen && kernel.gainsByPackingOnce) {
      let pack = MatrixPackKernel(depth: shape.k, columns: shape.n, source: right, isa: isa)
      let packed = temporary(pack.packedBytes)
      add(pack.writing(to: packed), reads: [right.root], writes: [packed])
      kernel = kernel.readingPacked(packed)
    }
    let others = [epilogue.bias, kernel.sparse].compactMap { $0 }
    add(kernel, reads: [left.root, kernel.right.root] + others, writes: [result])
  }

  /// Whether a product has so few columns that its sums should run with lanes along k, for which the right operand must
  /// lie along k or can be transposed: once, or in every run if many rows share it.
  private func isDots(_ shape: ProductShape, left: MatrixView, right: MatrixView) -> Bool {
    shape.n <= (shape.m == 1 ? 31 : 12) && shape.k >= 128 && left.columnStride == 1
      && (right.rowStride == 1 || (right.columnStride == 1 && (shape.m >= 128 || frozenInputs.contains(right.root))))
  }

  /// A product with separate partial sums, and the kernel that adds them.
  private func addOwned(_ product: DotKernel, leaves: Int) {
    let elements = product.shape.m * product.shape.n
    let partials = temporary(4 * leaves * elements)
    let kernel = OwnedDotKernel(base: product.writing(to: partials), leaves: leaves)
    add(kernel, reads: [product.left.root, product.right.root], writes: [partials])
    let fold = FoldKernel(
      function: .sum, source: partials, result: product.result, leaves: leaves, elementCount: elements, isa: isa)
    add(fold, reads: [partials], writes: [product.result])
  }

  private func freeAxes(_ rank: Int, _ batching: [Int], _ contracting: [Int]) -> [Int] {
    (0..<rank).filter { !batching.contains($0) && !contracting.contains($0) }
  }

  /// An operand as batch × rows × columns; copied only if the axes of one part have no common stride.
  private func matrix(_ view: View, _ batch: [Int], _ rows: [Int], _ columns: [Int]) -> MatrixView {
    finishLoop(computing: view.root)
    let ordered = view.transposed(batch + rows + columns)
    func stride(_ view: View, _ range: Range<Int>) -> Int? {
      var part = view
      part.type.shape = Array(view.type.shape[range])
      part.strides = Array(view.strides[range])
      let axes = part.collapsed()
      return axes.count > 1 ? nil : axes.first?.stride ?? 1
    }
    let cuts = [0, batch.count, batch.count + rows.count, batch.count + rows.count + columns.count]
    func strides(_ view: View) -> (Int, Int, Int)? {
      guard let b = stride(view, cuts[0]..<cuts[1]), let r = stride(view, cuts[1]..<cuts[2]),
        let c = stride(view, cuts[2]..<cuts[3])
      else { return nil }
      return (b, r, c)
    }
    if let (b, r, c) = strides(ordered) {
      return MatrixView(root: view.root, offset: view.offset, batchStride: b, rowStride: r, columnStride: c)
    }
    let copy = View(root: contiguous(ordered), type: ordered.type)
    let (b, r, c) = strides(copy) ?? (0, 0, 0)
    return MatrixView(root: copy.root, offset: 0, batchStride: b, rowStride: r, columnStride: c)
  }
}
