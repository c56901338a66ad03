// Attention, one head of one sample at a time. Only a block of the scores exists at a time, in a thread's scratch
// memory.

import AccelerandoCore
import CKernels

/// Sizes of an attention.
struct AttentionShape: Sendable {
  let batch: Int, queries: Int, keys: Int, heads: Int, keySize: Int, valueSize: Int
  let scale: Double
  let isCausal: Bool

  init(_ query: [Int], _ value: [Int], scale: Double, isCausal: Bool) {
    (batch, queries, keys, heads) = (query[0], query[1], value[1], query[2])
    (keySize, valueSize) = (query[3], value[3])
    self.scale = scale
    self.isCausal = isCausal
  }

  /// Pairs of a sample and a head, which are independent of each other.
  var units: Int { batch * heads }
  var flops: Int { [2, units, queries, keys, keySize + valueSize].elementCount / (isCausal ? 2 : 1) }
  var label: String {
    "\(batch)×\(heads) heads [\(queries), \(keySize)] to [\(keys), \(valueSize)]\(isCausal ? ", causal" : "")"
  }

  /// Bytes of queries and results, and of keys and values.
  var bytes: Int { 4 * batch * heads * (keySize + valueSize) * (queries + keys) }

  /// Whole samples only: the heads of a sample are interleaved.
  func slicings(_ units: Units, of kernel: some Kernel, _ operands: [Int]) -> [Slicing] {
    guard units.divide(batch) else { return [] }
    return kernel.sliced(units, operands: operands.map { ($0, true) })
  }

  func withDescription<Result>(_ body: (UnsafePointer<AccAttention>) -> Result) -> Result {
    var description = AccAttention(
      T: queries, S: keys, H: heads, D: keySize, E: valueSize, scale: Float(scale), causal: isCausal)
    return withUnsafePointer(to: &description) { body($0) }
  }

  func scratchBytes(_ isa: InstructionSet) -> Int {
    withDescription { isa.kernels.attention_scratch_bytes?($0) ?? 0 }
  }
}

/// The weighted sums of the values, and log Σ eˢᶜᵒʳᵉ of each query.
struct AttentionKernel: Kernel {
  let shape: AttentionShape
  /// Query, key, value.
  let operands: [Int]
  let results: [Int]
  let isa: InstructionSet

  var label: String { "attention of \(shape.label)" }
  var scratchBytes: Int { shape.scratchBytes(isa) }

  var cost: Cost { Cost(flops: 1 * Double(shape.flops), bytes: 1 * Double(shape.bytes)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: shape.flops, threads: threads, minimumPerTask: 60_000)
  }

  func slicings(_ units: Units) -> [Slicing] { shape.slicings(units, of: self, operands) }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: shape.units)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value) }
    shape.withDescription { description in
      isa.kernels.attention_forward?(
        description, at(operands[0]), at(operands[1]), at(operands[2]), at(results[0]), at(results[1]),
        part.lowerBound, part.upperBound, scratch)
    }
  }
}

/// The gradients with respect to query, key and value; each unit writes its own part of them.
struct AttentionGradientKernel: Kernel {
  let shape: AttentionShape
  /// Query, key, value, result, log of sums, gradient of the result and, optionally, that of the log of sums.
  let operands: [Int]
  let results: [Int]
  let isa: InstructionSet

  var label: String { "attention gradient of \(shape.label)" }
  var scratchBytes: Int { shape.scratchBytes(isa) }

  var cost: Cost { Cost(flops: 2.5 * Double(shape.flops), bytes: 2.5 * Double(shape.bytes)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: shape.flops, threads: threads, minimumPerTask: 30_000)
  }

  func slicings(_ units: Units) -> [Slicing] { shape.slicings(units, of: self, operands) }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: shape.units)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value) }
    shape.withDescription { description in
      isa.kernels.attention_backward?(
        description, at(operands[0]), at(operands[1]), at(operands[2]), at(operands[3]), at(operands[4]),
        at(operands[5]), operands.count > 6 ? at(operands[6]) : nil, at(results[0]), at(results[1]), at(results[2]),
        part.lowerBound, part.upperBound, scratch)
    }
  }
}

extension Lowering {
  func lowerAttention(_ operation: ScaledDotProductAttention, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let shape = AttentionShape(
      type(instruction.operands[0]).shape, type(instruction.operands[2]).shape, scale: operation.scale,
      isCausal: operation.isCausal)
    add(AttentionKernel(shape: shape, operands: operands, results: results, isa: isa), reads: operands, writes: results)
  }

  func lowerAttentionGradient(_ operation: ScaledDotProductAttentionGradient, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let shape = AttentionShape(
      type(instruction.operands[0]).shape, type(instruction.operands[2]).shape, scale: operation.scale,
      isCausal: operation.isCausal)
    add(
      AttentionGradientKernel(shape: shape, operands: operands, results: results, isa: isa), reads: operands,
      writes: results)
  }
}
