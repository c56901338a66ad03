// Attention, one head of one sample at a time. Only a block of the scores exists at a time, in a thread's scratch
// memory.

import AccelerandoCore
import CKernels

/// Sizes of an attention.
struct AttentionShape: Sendable {
  let batch: Int, queries: Int, keys: Int, heads: Int, keySize: Int, valueSize: Int
  let scale: Double
  let isCausal: Bool
  let dropout: Double

  init(_ query: [Int], _ value: [Int], scale: Double, isCausal: Bool, dropout: Double) {
    (batch, queries, keys, heads) = (query[0], query[1], value[1], query[2])
    (keySize, valueSize) = (query[3], value[3])
    self.scale = scale
    self.isCausal = isCausal
    self.dropout = dropout
  }

  /// Pairs of a sample and a head, which are independent of each other.
  var units: Int { batch * heads }
  /// Those of the two products; random bits are as many as another `drawing`.
  var flops: Int { [2, units, queries, keys, keySize + valueSize].elementCount / (isCausal ? 2 : 1) }
  var drawing: Int { dropout == 0 ? 0 : [70, units, queries, keys].elementCount / (isCausal ? 2 : 1) }
  var label: String {
    "\(batch)×\(heads) heads [\(queries), \(keySize)] to [\(keys), \(valueSize)]\(isCausal ? ", causal" : "")"
      + (dropout == 0 ? "" : ", dropout")
  }

  /// Bytes of queries and results, and of keys and values.
  var bytes: Int { 4 * batch * heads * (keySize + valueSize) * (queries + keys) }

  /// Whole samples only: the heads of a sample are interleaved.
  func slicings(_ units: Units, of kernel: some Kernel, _ operands: [Int], random: [Int]) -> [Slicing] {
    guard units.divide(batch) else { return [] }
    return kernel.sliced(units, operands: operands.map { ($0, true) } + random.map { ($0, false) })
  }

  /// - Parameter random: the values of the random key and the position, or some of them.
  func withDescription<Result>(
    random: [Int], _ memory: Memory?, _ body: (UnsafePointer<AccAttention>) -> Result
  ) -> Result {
    func words(_ index: Int) -> UnsafePointer<UInt32>? {
      guard let memory, index < random.count else { return nil }
      return UnsafePointer(memory.elements(random[index]))
    }
    var description = AccAttention(
      T: queries, S: keys, H: heads, D: keySize, E: valueSize, scale: Float(scale), causal: isCausal,
      key: words(0), position: words(1), kept: Dropout(rate: dropout).keptBits ?? 0,
      boost: Float(dropout < 1 ? 1 / (1 - dropout) : 0))
    return withUnsafePointer(to: &description) { body($0) }
  }

  func scratchBytes(_ isa: InstructionSet) -> Int {
    withDescription(random: [], nil) { isa.kernels.attention_scratch_bytes?($0) ?? 0 }
  }
}

/// The weighted sums of the values, and log Σ eˢᶜᵒʳᵉ of each query.
struct AttentionKernel: Kernel {
  let shape: AttentionShape
  /// Query, key, value.
  let operands: [Int]
  /// For dropout: the random key and, optionally, the position.
  let random: [Int]
  let results: [Int]
  let isa: InstructionSet

  var label: String { "attention of \(shape.label)" }
  var scratchBytes: Int { shape.scratchBytes(isa) }

  var cost: Cost {
    Cost(flops: Double(shape.flops) + Double(shape.drawing), bytes: 1 * Double(shape.bytes), work: .functions)
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: max(shape.flops, shape.drawing), threads: threads, minimumPerTask: 60_000)
  }

  func slicings(_ units: Units) -> [Slicing] { shape.slicings(units, of: self, operands, random: random) }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: shape.units)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value) }
    shape.withDescription(random: random, memory) { description in
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
  /// For dropout: the random key and, optionally, the position.
  let random: [Int]
  let results: [Int]
  let isa: InstructionSet

  var label: String { "attention gradient of \(shape.label)" }
  var scratchBytes: Int { shape.scratchBytes(isa) }

  var cost: Cost {
    Cost(flops: 2.5 * Double(shape.flops) + Double(shape.drawing), bytes: 2.5 * Double(shape.bytes), work: .functions)
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: max(shape.flops, shape.drawing), threads: threads, minimumPerTask: 30_000)
  }

  func slicings(_ units: Units) -> [Slicing] { shape.slicings(units, of: self, operands, random: random) }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: shape.units)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value) }
    shape.withDescription(random: random, memory) { description in
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
      isCausal: operation.isCausal, dropout: operation.dropout)
    let kernel = AttentionKernel(
      shape: shape, operands: Array(operands[..<3]), random: Array(operands[3...]), results: results, isa: isa)
    add(kernel, reads: operands, writes: results)
  }

  func lowerAttentionGradient(_ operation: ScaledDotProductAttentionGradient, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let shape = AttentionShape(
      type(instruction.operands[0]).shape, type(instruction.operands[2]).shape, scale: operation.scale,
      isCausal: operation.isCausal, dropout: operation.dropout)
    let random = 3..<ScaledDotProductAttentionGradient.inputCount(instruction.operands.map(type))
    let kernel = AttentionGradientKernel(
      shape: shape, operands: Array(operands[..<3]) + operands[random.upperBound...], random: Array(operands[random]),
      results: results, isa: isa)
    add(kernel, reads: operands, writes: results)
  }
}
