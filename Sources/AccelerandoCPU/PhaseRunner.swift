// A phase made ready to run: its tasks for a team of some size, and its regions as flat tables, so that a step only
// follows prepared memory.

import AccelerandoCore
import CKernels

/// A thread's table of pointers and memory.
struct ThreadContext {
  let table: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let scratch: UnsafeMutableRawPointer
  let local: UnsafeMutableRawPointer

  var memory: Memory { Memory(table: UnsafePointer(table)) }
}

/// Runs the tasks of one phase.
final class PhaseRunner: TeamWork {
  /// A share of a part: units of a region, or tasks `range` out of `count` of a kernel.
  private struct Task {
    let part: Int
    let range: Range<Int>
    let count: Int
  }

  private enum Part {
    case kernel(any Kernel)
    case region(RegionRunner)
  }

  private let number: Int
  private let parts: UnsafeMutableBufferPointer<Part>
  private let contexts: UnsafeMutablePointer<ThreadContext>
  /// The tasks for the whole team, and those for one thread alone.
  private let shared: UnsafeMutableBufferPointer<Task>
  private let alone: UnsafeMutableBufferPointer<Task>
  var tracer: Tracer?

  /// Waking the team and waiting for it takes about as long as this much work.
  private static let worthSharing = 3e-6

  init(
    _ phase: [Plan.Part], number: Int, threads: Int, table: UnsafePointer<UnsafeMutableRawPointer>,
    contexts: UnsafeMutablePointer<ThreadContext>
  ) {
    self.number = number
    self.contexts = contexts
    var shared: [Task] = []
    var alone: [Task] = []
    var runners: [Part] = []
    var seconds = 0.0
    for (index, part) in phase.enumerated() {
      switch part {
      case .kernel(let kernel, _):
        let count = max(kernel.taskCount(threads: threads), 1)
        shared += (0..<count).map { Task(part: index, range: $0..<$0 + 1, count: count) }
        alone.append(Task(part: index, range: 0..<1, count: 1))
        runners.append(.kernel(kernel))
        seconds += kernel.cost.seconds
      case .region(let region):
        shared += Self.tasks(region, threads: threads).map { Task(part: index, range: $0, count: 1) }
        alone.append(Task(part: index, range: 0..<region.units, count: 1))
        runners.append(.region(RegionRunner(region, table: table)))
        seconds += region.cost.seconds
      }
    }
    if seconds < Self.worthSharing { shared = alone }
    parts = .allocate(capacity: runners.count)
    _ = parts.initialize(from: runners)
    self.shared = .allocate(capacity: shared.count)
    _ = self.shared.initialize(from: shared)
    self.alone = .allocate(capacity: alone.count)
    _ = self.alone.initialize(from: alone)
  }

  deinit {
    parts.deinitialize()
    parts.deallocate()
    shared.deallocate()
    alone.deallocate()
  }

  /// How a region's units are split: into whole leaves if leaves are summed.
  private static func tasks(_ region: Region, threads: Int) -> [Range<Int>] {
    let most = region.leaves > 1 ? region.leaves : region.units
    let wanted = max(1, Int(region.cost.seconds / 5e-6))
    // More tasks than threads let a faster thread do more; each task reads the weights again, so only if they are
    // small.
    let perThread = region.cost.seconds > 1e-3 ? 4 : region.cost.seconds > 200e-6 ? 2 : 1
    let count = max(1, min(most, wanted, threads * perThread))
    return (0..<count).map { task in
      guard region.leaves > 1 else { return region.units * task / count..<region.units * (task + 1) / count }
      let first = region.leaves * task / count
      let last = region.leaves * (task + 1) / count - 1
      return region.leaf(first).lowerBound..<region.leaf(last).upperBound
    }
  }

  /// Whether there is work for several threads.
  var isShared: Bool { shared.count > 1 }

  /// Runs the phase on the team, or alone.
  func run(on pool: ThreadPool?) {
    guard let pool, shared.count > 1 else {
      for task in alone { run(task, on: 0) }
      return
    }
    pool.run(ThreadPool.Job(work: self, tasks: shared.count))
  }

  /// Runs the phase part by part, on the caller's thread.
  func run(afterPart: (Int) -> Void) {
    for part in alone.indices {
      run(alone[part], on: 0)
      afterPart(part)
    }
  }

  /// Runs some units through all regions of the phase.
  func run(units: Range<Int>, on member: Int) {
    for (index, part) in parts.enumerated() {
      guard case .region(let region) = part else { continue }
      region.run(units, contexts[member], tracer.map { ($0, number, index, member) })
    }
  }

  /// Runs one task of the team's.
  func run(_ task: Int, on member: Int) { run(shared[task], on: member) }

  private func run(_ task: Task, on member: Int) {
    let context = contexts[member]
    switch parts[task.part] {
    case .kernel(let kernel):
      let start = tracer == nil ? 0 : Tracer.now()
      kernel.run(task.range, of: task.count, context.memory, scratch: context.scratch)
      tracer?.add(number, task.part, 0, on: member, from: start)
    case .region(let region):
      region.run(task.range, context, tracer.map { ($0, number, task.part, member) })
    }
  }
}

/// Runs a region's tiles and segments.
final class RegionRunner {
  private struct Segment {
    let tile: Int
    let kernels: Range<Int>
    let locals: Range<Int>
    let hasPartials: Bool
  }

  private let tile: Int
  private let leafStarts: [Int]
  private let hasLeaves: Bool
  private let table: UnsafePointer<UnsafeMutableRawPointer>
  private let segments: UnsafeMutableBufferPointer<Segment>
  private let kernels: UnsafeMutableBufferPointer<any SlicedKernel>
  /// The segments' local values; the region's own come last.
  private let locals: UnsafeMutableBufferPointer<Region.Local>
  private let tileLocals: Range<Int>
  private let partials: UnsafeMutableBufferPointer<Region.Partial>

  typealias Trace = (tracer: Tracer, phase: Int, part: Int, member: Int)

  init(_ region: Region, table: UnsafePointer<UnsafeMutableRawPointer>) {
    self.table = table
    tile = region.tile
    hasLeaves = !region.partials.isEmpty
    leafStarts = (0...region.leaves).map { region.units * $0 / region.leaves }
    var kernels: [any SlicedKernel] = []
    var locals: [Region.Local] = []
    var segments: [Segment] = []
    for segment in region.segments {
      let (firstKernel, firstLocal) = (kernels.count, locals.count)
      kernels += segment.kernels.map(\.kernel)
      locals += segment.locals
      segments.append(
        Segment(
          tile: segment.tile, kernels: firstKernel..<kernels.count, locals: firstLocal..<locals.count,
          hasPartials: segment.hasPartials))
    }
    tileLocals = locals.count..<locals.count + region.locals.count
    locals += region.locals
    func flat<Element>(_ elements: [Element]) -> UnsafeMutableBufferPointer<Element> {
      let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
      _ = buffer.initialize(from: elements)
      return buffer
    }
    self.segments = flat(segments)
    self.kernels = flat(kernels)
    self.locals = flat(locals)
    partials = flat(region.partials)
  }

  deinit {
    kernels.deinitialize()
    segments.deallocate()
    kernels.deallocate()
    locals.deallocate()
    partials.deallocate()
  }

  /// Runs units through the region. If leaves are summed, `units` are whole leaves.
  func run(_ units: Range<Int>, _ context: ThreadContext, _ trace: Trace?) {
    var start = units.lowerBound
    var leaf = hasLeaves ? (leafStarts.firstIndex { $0 > start } ?? 1) - 1 : 0
    while start < units.upperBound {
      // A tile is a part of one leaf or some whole leaves.
      var end = min(start + tile, units.upperBound)
      if hasLeaves {
        let leafEnd = leafStarts[leaf + 1]
        if end >= leafEnd {
          var next = leaf + 1
          while next + 1 < leafStarts.count, leafStarts[next + 1] <= end { next += 1 }
          end = leafStarts[next]
        }
      }
      point(tileLocals, at: start, context)
      for segment in segments {
        guard segment.hasPartials else {
          run(segment, start..<end, from: start, context, trace)
          continue
        }
        var (first, current) = (start, leaf)
        while first < end {
          let last = min(leafStarts[current + 1], end)
          for partial in partials {
            context.table[partial.value] = table[partial.accumulator] + current * partial.byteCount
          }
          run(segment, first..<last, from: leafStarts[current], context, trace)
          (first, current) = (last, current + 1)
        }
      }
      start = end
      while hasLeaves, leaf + 1 < leafStarts.count - 1, leafStarts[leaf + 1] <= start { leaf += 1 }
    }
    // From now on these values hold the leaves' results, to be folded.
    for partial in partials { context.table[partial.value] = table[partial.value] }
  }

  /// Runs a segment's kernels in turn, a few units at a time. Sums start at unit `beginning`.
  @inline(__always)
  private func run(
    _ segment: Segment, _ units: Range<Int>, from beginning: Int, _ context: ThreadContext, _ trace: Trace?
  ) {
    var start = units.lowerBound
    while start < units.upperBound {
      let end = min(start + segment.tile, units.upperBound)
      point(segment.locals, at: start, context)
      for index in segment.kernels {
        let clock = trace == nil ? 0 : Tracer.now()
        kernels[index].run(
          start..<end, continuing: start > beginning, context.memory, scratch: context.scratch)
        if let trace { trace.tracer.add(trace.phase, trace.part, index, on: trace.member, from: clock) }
      }
      start = end
    }
  }

  /// Shifts local values so that they begin at unit `start`: kernels address unit u as if all units were stored.
  @inline(__always)
  private func point(_ range: Range<Int>, at start: Int, _ context: ThreadContext) {
    for index in range {
      let local = locals[index]
      context.table[local.value] = context.local + local.offset - start * local.unitBytes
    }
  }
}
