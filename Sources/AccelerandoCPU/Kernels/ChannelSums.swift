// The sums of batch normalization, over rows of channels: mean and variance, and the two sums of its gradient. Each pair
// takes one pass, over data that the kernel before has left in the cache.

import AccelerandoCore
import CKernels

/// Adds up the results of a region's leaves where these are pairs of vectors: see `FoldKernel`.
struct ChannelFold: Kernel {
  /// What the leaves hold.
  enum Content: Sendable {
    /// A mean, a sum of squared deviations and the number of rows; the results are the mean and the variance.
    case moments
    /// Two sums.
    case sums
  }

  let content: Content
  let first: Int
  let second: Int
  let channels: Int
  let isa: InstructionSet
  /// The leaves' results, one after another.
  var source = 0
  var leaves = 0

  var label: String { "\(content) of \(leaves) leaves × 2 × \(channels)" }

  /// Bytes of one leaf's result.
  var partBytes: Int { 8 * channels + (content == .moments ? MemoryLayout<Int64>.size : 0) }

  var cost: Cost { Cost(flops: Double(8 * leaves * channels), bytes: Double(8 * (leaves + 1) * channels)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: 2 * leaves * channels, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(channels) else { return [] }
    return sliced(units, operands: [(source, false)])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: channels, grain: 16)
    if part.isEmpty { return }
    let parts = memory.elements(source, Float.self)
    let (first, second) = (memory.elements(first, Float.self), memory.elements(second, Float.self))
    switch content {
    case .moments:
      isa.kernels.channel_moments_fold?(parts, leaves, channels, part.lowerBound, part.upperBound, first, second)
    case .sums:
      isa.kernels.channel_sums_fold?(parts, leaves, channels, part.lowerBound, part.upperBound, first, second)
    }
  }
}

/// The mean and the variance of each channel.
struct ChannelMoments: Kernel {
  let source: Int
  let mean: Int
  let variance: Int
  /// A leaf's result, if leaves are summed.
  let leaf: Int
  let rows: Int
  let channels: Int
  let isa: InstructionSet

  var label: String { "moments of the channels of [\(rows), \(channels)]" }

  var cost: Cost { Cost(flops: 4 * Double(rows * channels), bytes: 4 * Double(rows * channels)) }

  func taskCount(threads: Int) -> Int { channelTasks(rows: rows, channels: channels, threads: threads) }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(rows) else { return [] }
    let operands = [(value: source, isAligned: true)]
    if units.count == 1 { return sliced(units, operands: operands) }
    let fold = ChannelFold(content: .moments, first: mean, second: variance, channels: channels, isa: isa)
    return [
      Slicing(
        ChannelMomentsSlices(base: self, units: units.count), operands: operands,
        partial: Slicing.Partial(function: .sum, value: leaf, elementCount: 2 * channels, pair: fold))
    ]
  }

  /// Split along the channels: each sum goes over the rows in order.
  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: channels, grain: 16)
    let variance = memory.elements(variance, Float.self)
    isa.kernels.channel_moments?(
      memory.elements(source), rows, channels, part.lowerBound, part.upperBound, 0, memory.elements(mean), variance)
    for channel in part { variance[channel] /= Float(rows) }
  }
}

/// The same over the units, a few at a time.
struct ChannelMomentsSlices: SlicedKernel {
  let base: ChannelMoments
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { 0 }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let rows = portion(part, of: units, extent: base.rows)
    let channels = base.channels
    let mean = memory.elements(base.leaf, Float.self)
    let count = UnsafeMutableRawPointer(mean + 2 * channels)
    let before = continuing ? Int(count.load(as: Int64.self)) : 0
    base.isa.kernels.channel_moments?(
      memory.elements(base.source, Float.self) + rows.lowerBound * channels, rows.count, channels, 0, channels, before,
      mean, mean + channels)
    count.storeBytes(of: Int64(before + rows.count), as: Int64.self)
  }
}

/// For each channel, the sum of a gradient and of its product with the deviation from the mean.
struct ChannelSums: Kernel {
  let gradient: Int
  /// Where this is false, the gradient counts as 0.
  let mask: Int?
  let source: Int
  let mean: Int
  let sums: Int
  let products: Int
  /// A leaf's result, if leaves are summed.
  let leaf: Int
  let rows: Int
  let channels: Int
  let isa: InstructionSet

  var label: String {
    "sums of the \(mask == nil ? "" : "masked ")channels of [\(rows), \(channels)]"
  }

  var cost: Cost {
    Cost(flops: 4 * Double(rows * channels), bytes: (mask == nil ? 8 : 9) * Double(rows * channels))
  }

  func taskCount(threads: Int) -> Int { channelTasks(rows: rows, channels: channels, threads: threads) }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(rows) else { return [] }
    let operands =
      ([gradient, source] + (mask.map { [$0] } ?? [])).map { (value: $0, isAligned: true) }
      + [(value: mean, isAligned: false)]
    if units.count == 1 { return sliced(units, operands: operands) }
    let fold = ChannelFold(content: .sums, first: sums, second: products, channels: channels, isa: isa)
    return [
      Slicing(
        ChannelSumsSlices(base: self, units: units.count), operands: operands,
        partial: Slicing.Partial(function: .sum, value: leaf, elementCount: 2 * channels, pair: fold))
    ]
  }

  /// Split along the channels: each sum goes over the rows in order.
  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: channels, grain: 16)
    run(
      rows: 0..<rows, channels: part, continuing: false, memory, memory.elements(sums), memory.elements(products))
  }

  func run(
    rows part: Range<Int>, channels cut: Range<Int>, continuing: Bool, _ memory: Memory,
    _ sums: UnsafeMutablePointer<Float>, _ products: UnsafeMutablePointer<Float>
  ) {
    let start = part.lowerBound * channels
    isa.kernels.channel_sums?(
      memory.elements(gradient, Float.self) + start,
      mask.map { UnsafePointer(memory.elements($0, UInt8.self) + start) },
      memory.elements(source, Float.self) + start, memory.elements(mean), part.count, channels, cut.lowerBound,
      cut.upperBound, continuing, sums, products)
  }
}

/// The same over the units, a few at a time.
struct ChannelSumsSlices: SlicedKernel {
  let base: ChannelSums
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { 0 }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let rows = portion(part, of: units, extent: base.rows)
    let sums = memory.elements(base.leaf, Float.self)
    base.run(rows: rows, channels: 0..<base.channels, continuing: continuing, memory, sums, sums + base.channels)
  }
}

/// Tasks that split the channels of rows, at least a vector each.
private func channelTasks(rows: Int, channels: Int, threads: Int) -> Int {
  let tasks = taskCount(work: rows * channels, threads: threads, minimumPerTask: 16_000, perThread: 1)
  return min(tasks, max(channels / 16, 1))
}

extension Lowering {
  func lowerMoments(_ instruction: Program.Instruction) {
    let source = contiguous(instruction.operands[0])
    let (rows, channels) = channelRows(instruction.operands[0])
    let (mean, variance) = (instruction.results.lowerBound, instruction.results.lowerBound + 1)
    add(
      ChannelMoments(
        source: source, mean: mean, variance: variance, leaf: temporary(8 * channels + MemoryLayout<Int64>.size),
        rows: rows, channels: channels, isa: isa), reads: [source], writes: [mean, variance])
  }

  /// A gradient that an activation masks is read with the mask, if it is not needed in memory for its own sake.
  func lowerCenteredSums(_ instruction: Program.Instruction) {
    let (rows, channels) = channelRows(instruction.operands[1])
    let masked = maskedValue(instruction.operands[0])
    let gradient = masked?.value ?? contiguous(instruction.operands[0])
    let (source, mean) = (contiguous(instruction.operands[1]), contiguous(instruction.operands[2]))
    let (sums, products) = (instruction.results.lowerBound, instruction.results.lowerBound + 1)
    add(
      ChannelSums(
        gradient: gradient, mask: masked?.mask, source: source, mean: mean, sums: sums, products: products,
        leaf: temporary(8 * channels), rows: rows, channels: channels, isa: isa),
      reads: [gradient, source, mean] + (masked.map { [$0.mask] } ?? []), writes: [sums, products])
  }

  private func channelRows(_ value: Int) -> (rows: Int, channels: Int) {
    let channels = type(value).shape.last ?? 1
    return (type(value).elementCount / max(channels, 1), channels)
  }
}
