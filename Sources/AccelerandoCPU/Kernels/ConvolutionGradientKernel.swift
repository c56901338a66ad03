// The gradient of a convolution's weights from all samples at once, row by row. Where weights are many and pixels few,
// the other way, which sums sample by sample, would read and write all of the gradient for each sample, and keep a
// partial sum for each leaf of the batch. Here an element is one sum that is written once; the work is split along the
// rows, so that the optimizer finds them in cache.

import AccelerandoCore
import CKernels

/// The gradient of a float32 convolution's weights, [kernel height · kernel width · channels, outputs].
struct ConvolutionGradientKernel: Kernel {
  let geometry: AccConv
  let input: Int
  /// The gradient of the convolution's result.
  let gradient: Int
  let result: Int
  let isa: InstructionSet

  /// Whether this is quicker than the sums of leaves.
  static func pays(_ geometry: AccConv, _ isa: InstructionSet) -> Bool {
    withUnsafePointer(to: geometry) {
      isa.kernels.conv_weight_rows_pay?($0, Region.leafCount(units: $0.pointee.N)) ?? false
    }
  }

  private var rows: Int { geometry.KH * geometry.KW * geometry.C }

  var label: String {
    let c = geometry
    return "convolution backwardWeights of all samples [\(c.N), \(c.H), \(c.W), \(c.C)] · "
      + "[\(c.KH), \(c.KW), \(c.C), \(c.O)]"
  }

  var scratchBytes: Int { withUnsafePointer(to: geometry) { isa.kernels.conv_weight_rows_scratch_bytes?($0) ?? 0 } }

  var cost: Cost {
    let c = geometry
    let (pixels, outputs) = (c.N * c.H * c.W * c.C, c.N * c.OH * c.OW * c.O)
    return Cost(
      flops: 2 * Double(outputs) * Double(rows), bytes: 4 * Double(pixels + outputs + rows * c.O),
      work: .product(depth: geometry.N * geometry.OH * geometry.OW))
  }

  func taskCount(threads: Int) -> Int {
    // Every task packs the gradient.
    min(max(rows / 64, 1), AccelerandoCPU.taskCount(work: Int(cost.flops), threads: threads, minimumPerTask: 60_000))
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(rows) else { return [] }
    return sliced(units, operands: [(input, false), (gradient, false)])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    withUnsafePointer(to: geometry) {
      isa.kernels.conv_backward_weight_rows?(
        $0, memory.elements(input, Float.self), memory.elements(gradient, Float.self),
        memory.elements(result, Float.self), part.lowerBound, part.upperBound, scratch)
    }
  }
}
