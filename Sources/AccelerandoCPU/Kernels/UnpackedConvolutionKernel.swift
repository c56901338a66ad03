// A forward convolution, or the gradient of its input, with more weights than fit into a core's cache and few pixels: packing
// the weights would cost as much as the product, and every core would read all of them. Here they are read as they are,
// and the work is split along the channels of the result, so that each core reads its own.

import AccelerandoCore
import CKernels

/// A float32 convolution that reads its weights unpacked.
struct UnpackedConvolutionKernel: Kernel {
  let direction: ConvolutionKernel.Direction
  let geometry: AccConv
  /// x, or the gradient of the convolution's result.
  let input: Int
  let weights: Int
  let result: Int
  let epilogue: Epilogue
  let isa: InstructionSet

  /// Whether this is quicker than to pack the weights.
  static func pays(_ direction: ConvolutionKernel.Direction, _ geometry: AccConv, _ isa: InstructionSet) -> Bool {
    withUnsafePointer(to: geometry) {
      isa.kernels.conv_taps_pay?($0, code(direction)) ?? false
    }
  }

  private static func code(_ direction: ConvolutionKernel.Direction) -> Int32 {
    Int32((direction == .forward ? accConvForward : accConvBackwardData).rawValue)
  }

  fileprivate var channels: Int { direction == .forward ? geometry.O : geometry.C }

  var label: String {
    let c = geometry
    return "convolution \(direction.rawValue), unpacked [\(c.N), \(c.H), \(c.W), \(c.C)] · "
      + "[\(c.KH), \(c.KW), \(c.C), \(c.O)]\(epilogue.label)"
  }

  var scratchBytes: Int { withUnsafePointer(to: geometry) { isa.kernels.conv_taps_scratch_bytes?($0) ?? 0 } }

  var cost: Cost {
    let c = geometry
    let (pixels, outputs) = (c.N * c.H * c.W * c.C, c.N * c.OH * c.OW * c.O)
    let weights = c.KH * c.KW * c.C * c.O
    return Cost(
      flops: 2 * Double(outputs) * Double(c.KH * c.KW * c.C), bytes: 4 * Double(pixels + outputs + weights),
      work: .product(depth: c.C))
  }

  /// Parts of the channels, and parts of the samples if these are too few.
  private func parts(_ tasks: Int) -> (channels: Int, samples: Int) {
    let channels = max(1, min(tasks, channels / 64))
    return (channels, max(1, min(tasks / channels, geometry.N)))
  }

  func taskCount(threads: Int) -> Int {
    let (channels, samples) = parts(
      AccelerandoCPU.taskCount(
        work: Int(cost.flops), threads: threads, minimumPerTask: 200_000, perThread: 2))
    return channels * samples
  }

  /// The scheduler prefers not to: each core would read all weights.
  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(geometry.N) else { return [] }
    let bias = epilogue.bias.map { [(value: $0, isAligned: false)] } ?? []
    let kernel = SlicedUnpackedConvolution(base: self, units: units.count)
    return [Slicing(kernel, operands: [(input, true), (weights, false)] + bias)]
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let parts = parts(tasks)
    for task in range {
      let part = task % parts.channels
      let channels = portion(part..<part + 1, of: parts.channels, extent: channels, grain: 32)
      let share = task / parts.channels
      let samples = portion(share..<share + 1, of: parts.samples, extent: geometry.N)
      compute(samples, channels, memory, scratch)
    }
  }

  fileprivate func compute(
    _ samples: Range<Int>, _ channels: Range<Int>, _ memory: Memory, _ scratch: UnsafeMutableRawPointer
  ) {
    withUnsafePointer(to: geometry) { geometry in
      epilogue.withPointer(memory) { epilogue in
        isa.kernels.conv_taps?(
          geometry, Self.code(direction), memory.elements(input, Float.self), memory.elements(weights, Float.self),
          memory.elements(result, Float.self), samples.lowerBound, samples.upperBound, channels.lowerBound,
          channels.upperBound, epilogue, scratch)
      }
    }
  }
}

/// An unpacked convolution, a few samples at a time.
private struct SlicedUnpackedConvolution: SlicedKernel {
  let base: UnpackedConvolutionKernel
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    base.compute(portion(part, of: units, extent: base.geometry.N), 0..<base.channels, memory, scratch)
  }
}
