// Reductions, with the operand seen as [outer, reduce, inner].

import AccelerandoCore
import CKernels

/// A float32 reduction.
struct ReduceKernel: Kernel {
  typealias Function = Reduce.Function

  let function: Reduce.Function
  let source: Int
  let result: Int
  let outer: Int
  let reduce: Int
  let inner: Int
  let isa: InstructionSet

  var label: String { "reduce \(function.rawValue) [\(outer), \(reduce), \(inner)] along the middle" }

  /// The function's number in the microkernels, if they have it.
  static func kind(_ function: Reduce.Function) -> Int32? {
    switch function {
    case .sum: Int32(accReduceSum.rawValue)
    case .product: Int32(accReduceProduct.rawValue)
    case .max: Int32(accReduceMax.rawValue)
    case .min: Int32(accReduceMin.rawValue)
    case .and, .or: nil
    }
  }

  var cost: Cost { Cost(flops: Double(outer * reduce * inner), bytes: 4 * Double(outer * (reduce + 1) * inner)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: outer * reduce * inner, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    if outer > 1 { return elementwiseSlicing(units, elementCount: outer, operands: [source]) }
    guard units.divide(reduce), units.count > 1 else {
      return units.count == 1 ? sliced(units, operands: [(source, true)]) : []
    }
    return [
      Slicing(
        SlicedReduce(base: self, units: units.count), operands: [(source, true)],
        partial: Slicing.Partial(function: function, value: result, elementCount: inner))
    ]
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let x = memory.elements(source, Float.self)
    let out = memory.elements(result, Float.self)
    let kind = Self.kind(function) ?? 0
    if outer == 1 {
      let part = portion(range, of: tasks, extent: inner, grain: 16)
      if !part.isEmpty { isa.kernels.reduce_columns?(kind, x, out, reduce, inner, part.lowerBound, part.upperBound) }
    } else {
      let part = portion(range, of: tasks, extent: outer)
      if !part.isEmpty { isa.kernels.reduce_f32?(kind, x, out, outer, reduce, inner, part.lowerBound, part.upperBound) }
    }
  }
}

/// A reduction over the units, a few at a time.
struct SlicedReduce: SlicedKernel {
  let base: ReduceKernel
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.inner * 4 }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let rows = portion(part, of: units, extent: base.reduce)
    let (inner, kind) = (base.inner, ReduceKernel.kind(base.function) ?? 0)
    let x = memory.elements(base.source, Float.self) + rows.lowerBound * inner
    let out = memory.elements(base.result, Float.self)
    let sums = continuing ? scratch.assumingMemoryBound(to: Float.self) : out
    base.isa.kernels.reduce_f32?(kind, x, sums, 1, rows.count, inner, 0, 1)
    if !continuing { return }
    // The order is that of the leaves' samples; each case has its own loop, so that it is vectorized.
    switch base.function {
    case .sum: for i in 0..<inner { out[i] += sums[i] }
    case .product: for i in 0..<inner { out[i] *= sums[i] }
    default: for i in 0..<inner { out[i] = base.function.combine(out[i], sums[i]) }
    }
  }
}

/// A reduction in any element type.
struct GenericReduceKernel: Kernel {
  let function: Reduce.Function
  let source: Int
  let result: Int
  let outer: Int
  let reduce: Int
  let inner: Int
  let dtype: DType
  let identity: Scalar64

  var label: String { "\(dtype.rawValue) reduce \(function.rawValue) [\(outer), \(reduce), \(inner)]" }

  var cost: Cost { Cost(flops: 30 * Double(outer * reduce * inner), work: .functions) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: outer * reduce * inner, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: outer, operands: [source])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    dtype.visit(Visitor(kernel: self, elements: portion(range, of: tasks, extent: outer * inner), memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: GenericReduceKernel
    let elements: Range<Int>
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let x = memory.elements(kernel.source, E.self)
      let out = memory.elements(kernel.result, E.self)
      let identity = E.Compute(kernel.identity)
      for element in elements {
        var total = identity
        let start = element / kernel.inner * kernel.reduce * kernel.inner + element % kernel.inner
        for r in 0..<kernel.reduce {
          total = kernel.function.combine(total, x[start + r * kernel.inner].compute)
        }
        out[element] = E(compute: total)
      }
    }
  }
}

extension Lowering {
  /// Lowers a reduction.
  func lowerReduce(_ operation: Reduce, _ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    let (source, outer, reduce, inner) = arrange(view(instruction.operands[0]), axes: operation.axes)
    let dtype = type(result).dtype
    guard dtype == .float32, ReduceKernel.kind(operation.function) != nil else {
      add(
        GenericReduceKernel(
          function: operation.function, source: source, result: result, outer: outer, reduce: reduce, inner: inner,
          dtype: dtype, identity: operation.function.scalarIdentity(dtype)), reads: [source], writes: [result])
      return
    }
    add(
      ReduceKernel(
        function: operation.function, source: source, result: result, outer: outer, reduce: reduce, inner: inner,
        isa: isa), reads: [source], writes: [result])
  }

  /// Brings the axes to reduce together: the operand as [outer, reduce, inner], copied only if they are apart.
  func arrange(_ view: View, axes: [Int]) -> (source: Int, outer: Int, reduce: Int, inner: Int) {
    let shape = view.type.shape
    let reduced = Set(axes)
    let wide = shape.indices.filter { reduced.contains($0) && shape[$0] != 1 }
    let kept = shape.indices.filter { !reduced.contains($0) }
    let size: ([Int]) -> Int = { $0.map { shape[$0] }.elementCount }
    if let first = wide.first, let last = wide.last,
      (first...last).allSatisfy({ reduced.contains($0) || shape[$0] == 1 })
    {
      let source = contiguous(view)
      return (source, size(kept.filter { $0 < first }), size(wide), size(kept.filter { $0 > last }))
    }
    if wide.isEmpty { return (contiguous(view), size(kept), axes.map { shape[$0] }.elementCount, 1) }
    let source = contiguous(view.transposed(kept + shape.indices.filter { reduced.contains($0) }))
    return (source, size(kept), size(axes), 1)
  }
}
