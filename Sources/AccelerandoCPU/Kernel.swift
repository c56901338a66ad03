// What a plan is made of: kernels that read and write values by number, and a table that says where values lie.

/// Where the values of a plan lie while it runs. Copying it is free; it owns nothing.
struct Memory {
  let table: UnsafePointer<UnsafeMutableRawPointer>

  /// The first byte of a value.
  subscript(value: Int) -> UnsafeMutableRawPointer { table[value] }

  /// A value's elements.
  func elements<Element>(_ value: Int, _: Element.Type = Element.self) -> UnsafeMutablePointer<Element> {
    table[value].assumingMemoryBound(to: Element.self)
  }
}

/// What a piece of work is made of.
struct Cost: Sendable {
  /// Arithmetic operations on float32; a multiplication and its addition are two.
  var flops = 0.0
  /// Bytes that go in and out.
  var bytes = 0.0

  /// What one core may take for it, in seconds: rates of an ordinary core that reads from its second-level cache.
  var seconds: Double { max(flops / 80e9, bytes / 20e9) }

  static func + (left: Cost, right: Cost) -> Cost {
    Cost(flops: left.flops + right.flops, bytes: left.bytes + right.bytes)
  }

  static func * (cost: Cost, factor: Double) -> Cost {
    Cost(flops: cost.flops * factor, bytes: cost.bytes * factor)
  }
}

/// A piece of computation that can be cut into independent tasks. Its bits must not depend on how many there are.
protocol Kernel: Sendable {
  /// A name for people who read plans.
  var label: String { get }
  /// The work of the whole kernel.
  var cost: Cost { get }
  /// Into how many tasks to cut the work for a team of `threads`, when the kernel runs by itself.
  func taskCount(threads: Int) -> Int
  /// Bytes that each thread needs while it works.
  var scratchBytes: Int { get }
  /// Does the tasks `range` out of `count`.
  func run(_ range: Range<Int>, of count: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer)

  /// The kernel cut into units along the outermost axis of its results, each of which reads and writes memory of its
  /// own, in the order of preference; empty if it cannot be cut so.
  func slicings(_ units: Units) -> [Slicing]

  /// What was decided when the program was bound, from the values that keep still; nil if nothing was.
  func decision(_ memory: Memory) -> Decision?
}

extension Kernel {
  var scratchBytes: Int { 0 }
  func slicings(_ units: Units) -> [Slicing] { [] }
  func decision(_ memory: Memory) -> Decision? { nil }
}

/// The part of `extent` that tasks `range` out of `count` cover: exact where it divides, else in multiples of `grain`.
func portion(_ range: Range<Int>, of count: Int, extent: Int, grain: Int = 1) -> Range<Int> {
  if extent % count == 0 {
    let size = extent / count
    return range.lowerBound * size..<range.upperBound * size
  }
  let units = (extent + grain - 1) / grain
  let low = min(units * range.lowerBound / count * grain, extent)
  let high = min(units * range.upperBound / count * grain, extent)
  return low..<high
}

/// A few tasks for each thread, so that one that is slowed down does fewer; just one if the work is not worth waking them.
func taskCount(work: Int, threads: Int, minimumPerTask: Int, perThread: Int = 4) -> Int {
  let tasks = min(threads * perThread, work / max(minimumPerTask, 1))
  return tasks < 2 ? 1 : tasks
}
