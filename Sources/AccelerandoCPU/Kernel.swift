// What a plan consists of: kernels that read and write values by index, and a table of their addresses.

/// The addresses of a plan's values while it runs. Copying it is free; it owns nothing.
struct Memory {
  let table: UnsafePointer<UnsafeMutableRawPointer>

  /// The first byte of a value.
  subscript(value: Int) -> UnsafeMutableRawPointer { table[value] }

  /// A value's elements.
  func elements<Element>(_ value: Int, _: Element.Type = Element.self) -> UnsafeMutablePointer<Element> {
    table[value].assumingMemoryBound(to: Element.self)
  }
}

/// The amount of work.
struct Cost: Sendable {
  /// Arithmetic operations on float32; a multiplication and its addition are two.
  var flops = 0.0
  /// Bytes read and written.
  var bytes = 0.0
  /// What limits it, for predictions.
  var work = Work.stream

  /// The expected time on one core, in seconds, at the rates of an ordinary core that reads from its L2 cache: what plans
  /// are made from. `MachineRates` predicts more closely.
  var seconds: Double { max(flops / 80e9, bytes / 20e9) }

  static func + (left: Cost, right: Cost) -> Cost {
    Cost(flops: left.flops + right.flops, bytes: left.bytes + right.bytes)
  }

  static func * (cost: Cost, factor: Double) -> Cost {
    Cost(flops: cost.flops * factor, bytes: cost.bytes * factor, work: cost.work)
  }
}

/// A computation that can be split into independent tasks. Its bits must not depend on their number.
protocol Kernel: Sendable {
  /// A name for plan reports.
  var label: String { get }
  /// The work of the whole kernel.
  var cost: Cost { get }
  /// The number of tasks for a team of `threads`, when the kernel runs on its own.
  func taskCount(threads: Int) -> Int
  /// Bytes of scratch memory that each thread needs.
  var scratchBytes: Int { get }
  /// Runs the tasks `range` out of `count`.
  func run(_ range: Range<Int>, of count: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer)

  /// Ways to split the kernel into units along the outermost axis of its results, each of which reads and writes its
  /// own memory, best first; empty if it cannot be split like that.
  func slicings(_ units: Units) -> [Slicing]

  /// What was decided when the program was bound, from the values of frozen inputs; nil if nothing was.
  func decision(_ memory: Memory) -> Decision?
}

extension Kernel {
  var scratchBytes: Int { 0 }
  func slicings(_ units: Units) -> [Slicing] { [] }
  func decision(_ memory: Memory) -> Decision? { nil }
}

/// The part of `extent` that tasks `range` out of `count` cover: exact if it divides, otherwise in multiples of
/// `grain`.
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

/// Calls `body` with each sample that some rows belong to and with its rows, all samples' rows being counted through.
func forEachSample(_ rows: Range<Int>, rowsPerSample: Int, _ body: (Int, Range<Int>) -> Void) {
  var next = rows.lowerBound
  while next < rows.upperBound {
    let (sample, first) = (next / rowsPerSample, next % rowsPerSample)
    let end = min(first + rows.upperBound - next, rowsPerSample)
    body(sample, first..<end)
    next += end - first
  }
}

/// Calls `body` with the samples and the rows of each that tasks `range` out of `count` cover: whole samples if there are
/// at least as many of them as tasks, otherwise some rows of one sample after another.
func forEachPart(
  _ range: Range<Int>, of count: Int, samples: Int, rows: Int, _ body: (Range<Int>, Range<Int>) -> Void
) {
  if count <= samples { return body(portion(range, of: count, extent: samples), 0..<rows) }
  forEachSample(portion(range, of: count, extent: samples * rows), rowsPerSample: rows) { body($0..<$0 + 1, $1) }
}

/// The number of tasks for `forEachPart`: rows are shared where there are very few samples, if there is so much work that
/// the signal to another core pays.
func taskCount(samples: Int, rows: Int, work: Int, threads: Int, minimumPerTask: Int) -> Int {
  let sharesRows = samples < 4 || samples < threads
  let wanted = taskCount(work: work, threads: threads, minimumPerTask: (sharesRows ? 5 : 1) * minimumPerTask)
  return max(1, min(sharesRows ? samples * rows : samples, wanted))
}

/// A few tasks per thread, so that a thread that is slowed down does fewer; one task if the work is too small to share.
func taskCount(work: Int, threads: Int, minimumPerTask: Int, perThread: Int = 4) -> Int {
  let tasks = min(threads * perThread, work / max(minimumPerTask, 1))
  return tasks < 2 ? 1 : tasks
}
