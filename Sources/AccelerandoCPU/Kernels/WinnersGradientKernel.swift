// The gradient of a convolution's weights directly from the gradient of the pooling after it: it needs only the argmax
// indices, and the large gradient with its zeros is never written.

import AccelerandoCore
import CKernels

/// The gradient of max pooling and of the weights of the convolution before it in one.
struct WinnersGradientKernel: Kernel {
  let geometry: AccConv
  let pool: AccPool
  let source: Int
  /// The argmax of each window, one byte each.
  let index: Int
  /// The gradient of the pooled values.
  let gradient: Int
  let result: Int
  let isa: InstructionSet

  var label: String {
    let c = geometry
    return "max pool gradient \(pool.window_h)×\(pool.window_w) + convolution backwardWeights "
      + "[\(c.N), \(c.H), \(c.W), \(c.C)] · [\(c.KH), \(c.KW), \(c.C), \(c.O)]"
  }

  var scratchBytes: Int {
    withUnsafePointer(to: geometry) { geometry in
      withUnsafePointer(to: pool) { isa.kernels.conv_winners_scratch_bytes?(geometry, $0) ?? 0 }
    }
  }

  private var weightCount: Int { geometry.KH * geometry.KW * geometry.C * geometry.O }
  private var windows: Int { pool.N * pool.OH * pool.OW }

  var cost: Cost {
    let elements = geometry.N * geometry.H * geometry.W * geometry.C + windows * pool.C
    return Cost(flops: 2 * Double(windows * weightCount), bytes: 4 * Double(elements), work: .functions)
  }

  func taskCount(threads: Int) -> Int { 1 }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(geometry.N) else { return [] }
    return [
      Slicing(
        Part(base: self, units: units.count), operands: [(source, true), (index, true), (gradient, true)],
        partial: Slicing.Partial(function: .sum, value: result, elementCount: weightCount))
    ]
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    addGradient(0..<geometry.N, continuing: false, memory, scratch)
  }

  private func addGradient(
    _ samples: Range<Int>, continuing: Bool, _ memory: Memory, _ scratch: UnsafeMutableRawPointer
  ) {
    withUnsafePointer(to: geometry) { geometry in
      withUnsafePointer(to: pool) { pool in
        isa.kernels.conv_winners_backward_weights?(
          geometry, pool, memory.elements(source, Float.self), memory.elements(index, UInt8.self),
          memory.elements(gradient, Float.self), memory.elements(result, Float.self), samples.lowerBound,
          samples.upperBound, continuing, scratch)
      }
    }
  }

  /// A few samples at a time.
  private struct Part: SlicedKernel {
    let base: WinnersGradientKernel
    let units: Int

    var label: String { base.label }
    var cost: Cost { base.cost }
    var scratchBytes: Int { base.scratchBytes }

    func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
      base.addGradient(
        portion(part, of: units, extent: base.geometry.N), continuing: continuing, memory, scratch)
    }
  }
}

extension Lowering {
  /// Computes the gradient of a convolution's weights together with that of the pooling, `pooled`, if nothing else
  /// needs the latter.
  func takeWeightGradient(of pooled: Int, _ pool: AccPool, index: Int, gradient: Int) -> Bool {
    guard let user = onlyUser(of: pooled), let operation = program.instructions[user].operation as? Convolution else {
      return false
    }
    let instruction = program.instructions[user]
    let result = instruction.results.lowerBound
    guard instruction.operands[1] == pooled, instruction.operands[0] != pooled, type(result).dtype == .float32,
      isAvailable(instruction.operands[0]),
      let convolution = FastConvolution(
        operation, type(instruction.operands[0]).shape, type(pooled).shape, type(result).shape),
      convolution.direction == .backwardWeights,
      withUnsafePointer(
        to: convolution.geometry,
        { geometry in withUnsafePointer(to: pool) { isa.kernels.conv_winners_fit?(geometry, $0) ?? false } })
    else { return false }
    let source = contiguous(instruction.operands[0])
    add(
      WinnersGradientKernel(
        geometry: convolution.geometry, pool: pool, source: source, index: index, gradient: gradient, result: result,
        isa: isa),
      reads: [source, index, gradient], writes: [result])
    absorb(user)
    return true
  }
}
