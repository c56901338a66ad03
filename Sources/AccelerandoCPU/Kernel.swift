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

/// A piece of computation that can be cut into independent tasks. Its bits must not depend on how many there are.
protocol Kernel: Sendable {
  /// A name for people who read plans.
  var label: String { get }
  /// Into how many tasks to cut the work for a team of `threads`.
  func taskCount(threads: Int) -> Int
  /// Bytes that each thread needs while it works.
  var scratchBytes: Int { get }
  /// Does the tasks `range` out of `count`.
  func run(_ range: Range<Int>, of count: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer)
}

extension Kernel {
  var scratchBytes: Int { 0 }
}

/// The part of `extent` that tasks `range` out of `count` cover, in multiples of `grain`.
func portion(_ range: Range<Int>, of count: Int, extent: Int, grain: Int = 1) -> Range<Int> {
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
