// The memory that a planned program uses, and the tables of pointers into it: made once, when the program is bound, so
// that a run only follows them.

import AccelerandoCore

/// The memory of a plan: for values between phases, for constants, and for each thread.
final class PlanMemory {
  let arena: Pages
  let threads: ThreadMemory
  /// The plan that it belongs to; nil for a nested plan.
  let owner: CPUExecutable.Identity?

  /// - Throws: `GraphError` where the system has not that much memory.
  init(_ plan: Plan, threads: Int, owner: CPUExecutable.Identity) throws {
    arena = try plan.makeArena()
    self.threads = try ThreadMemory(plan, threads: threads)
    self.owner = owner
  }

  /// For a nested plan, which one thread runs at a time.
  init(inner plan: Plan, _ outer: PlanMemory) throws {
    arena = try plan.makeArena()
    threads = outer.threads
    owner = nil
  }
}

extension Plan {
  /// The offset of each constant after the values in the arena, and the end of the last one.
  var constantOffsets: [Int] {
    constants.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1.byteCount + 63) / 64 * 64) }
  }

  fileprivate func makeArena() throws -> Pages { try pages(arenaBytes + (constantOffsets.last ?? 0)) }
}

/// Memory for values between phases.
private func pages(_ count: Int) throws -> Pages {
  guard let pages = Pages(count) else {
    throw GraphError(
      "there is no memory for the program's intermediate values, \(count >> 20) MiB. A smaller batch needs less.")
  }
  return pages
}

/// The memory of each thread of the team: scratch for kernels, and values that are stored for a few units only.
final class ThreadMemory {
  let threads: Int
  private let memory: Pages
  private let localOffset: Int
  private let stride: Int

  init(_ plan: Plan, threads: Int) throws {
    self.threads = threads
    let needs = plan.deepNeeds
    localOffset = (needs.scratch + 127) / 64 * 64
    // The memories of two threads are a page and a bit apart, so that equal offsets do not map to the same cache set.
    stride = (localOffset + needs.local + 4095) / 4096 * 4096 + 128
    memory = try pages(stride * threads)
  }

  /// A thread's own table, and its memory.
  func context(_ member: Int, table: UnsafeMutablePointer<UnsafeMutableRawPointer>) -> ThreadContext {
    let base = (memory.bytes.baseAddress ?? table.pointee) + member * stride
    return ThreadContext(table: table, scratch: base, local: base + localOffset)
  }
}

extension Plan {
  /// What a thread needs for this plan and nested ones.
  var deepNeeds: (scratch: Int, local: Int) {
    var inner: [Plan] = []
    for phase in phases {
      switch phase {
      case .parts: break
      case .loop(let loop): inner += [loop.condition, loop.body.plan]
      case .scan(let scan): inner.append(scan.body.plan)
      case .branch(let branch): inner += branch.branches
      }
    }
    return inner.reduce((scratchBytes, localBytes)) { most, plan in
      let needs = plan.deepNeeds
      return (max(most.0, needs.scratch), max(most.1, needs.local))
    }
  }
}

/// One plan's tables of pointers, and the frames of nested plans.
final class Frame {
  /// A phase, ready to run.
  enum Step {
    case phase(PhaseRunner)
    case loop(Plan.Loop, condition: LoopFrame, body: LoopFrame)
    case scan(ScanRunner)
    case branch(Plan.Branch, [Frame])
  }

  let plan: Plan
  let table: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let inputs: [UnsafeMutableRawPointer]
  let outputs: [UnsafeMutableRawPointer]
  private(set) var steps: [Step] = []
  let contexts: UnsafeMutablePointer<ThreadContext>
  private let kept: [AnyObject]

  init(
    _ plan: Plan, inputs: [UnsafeMutableRawPointer], outputs: [UnsafeMutableRawPointer], memory: PlanMemory,
    keeping: [AnyObject], isBound: Bool = true
  ) throws {
    self.plan = plan
    self.inputs = inputs
    self.outputs = outputs
    kept = keeping + [memory]
    let constantOffsets = plan.constantOffsets
    let base = UnsafeMutableRawPointer(memory.arena.bytes.baseAddress ?? inputs[0])
    for (index, constant) in plan.constants.enumerated() {
      constant.withUnsafeBytes { bytes in
        if let source = bytes.baseAddress {
          (base + plan.arenaBytes + constantOffsets[index]).copyMemory(from: source, byteCount: bytes.count)
        }
      }
    }
    // One table for the plan and one for each thread, which points to the thread's values in its own memory.
    let threads = memory.threads.threads
    let count = max(plan.places.count, 1)
    table = .allocate(capacity: count * (threads + 1))
    table.initialize(repeating: base, count: count * (threads + 1))
    for (value, place) in plan.places.enumerated() {
      let pointer: UnsafeMutableRawPointer =
        switch place {
        case .input(let input): inputs[input]
        case .output(let output): outputs[output]
        case .arena(let offset): base + offset
        case .constant(let index): base + plan.arenaBytes + constantOffsets[index]
        case .none: base
        }
      for copy in 0...threads { table[copy * count + value] = pointer }
    }
    contexts = .allocate(capacity: threads)
    for member in 0..<threads {
      (contexts + member).initialize(
        to: memory.threads.context(member, table: table + (member + 1) * count))
    }
    for (index, phase) in plan.phases.enumerated() {
      switch phase {
      case .parts(let parts):
        steps.append(
          .phase(
            PhaseRunner(
              parts, number: index, threads: threads, table: UnsafePointer(table), contexts: contexts)))
      case .loop(let loop):
        steps.append(
          .loop(
            loop, condition: try LoopFrame(loop.condition, memory), body: try LoopFrame(loop.body.plan, memory)))
      case .scan(let scan):
        steps.append(.scan(try ScanRunner(scan, outer: UnsafePointer(table), memory)))
      case .branch(let branch):
        steps.append(.branch(branch, try branch.branches.map { try Frame(inner: $0, memory) }))
      }
    }
    if isBound { setUp() }
  }

  /// Whether there is work for several threads.
  var isShared: Bool {
    steps.contains { step in
      switch step {
      case .phase(let phase): phase.isShared
      case .loop(_, let condition, let body): condition.frame.isShared || body.frame.isShared
      case .scan(let scan): scan.isShared
      case .branch(_, let frames): frames.contains(where: \.isShared)
      }
    }
  }

  /// Runs the phases that need to run only once.
  func setUp(on team: ThreadPool? = nil) {
    for step in steps.prefix(plan.setupPhases) {
      if case .phase(let phase) = step { phase.run(on: team) }
    }
  }

  /// A frame for the body of a loop, whose inputs and outputs get their memory in each round.
  convenience init(unbound plan: Plan, _ outer: PlanMemory) throws {
    let memory = try PlanMemory(inner: plan, outer)
    let nowhere = OwnedBytes(64)
    try self.init(
      plan, inputs: plan.program.inputs.map { _ in nowhere.start },
      outputs: plan.program.outputs.map { _ in nowhere.start },
      memory: memory, keeping: [nowhere], isBound: false)
  }

  /// A frame with buffers of its own for inputs and outputs, for a plan inside another.
  convenience init(inner plan: Plan, _ outer: PlanMemory) throws {
    func own(_ types: [TensorType]) -> [OwnedBytes] { types.map { OwnedBytes($0.byteCount) } }
    let inputs = own(plan.program.inputs.map(\.type))
    let outputs = own(plan.program.outputTypes)
    try self.init(
      plan, inputs: inputs.map(\.start), outputs: outputs.map(\.start), memory: PlanMemory(inner: plan, outer),
      keeping: inputs + outputs)
  }

  deinit {
    table.deallocate()
    contexts.deallocate()
  }
}

private final class OwnedBytes {
  let start: UnsafeMutableRawPointer
  init(_ count: Int) { start = .allocate(byteCount: max(count, 64), alignment: 64) }
  deinit { start.deallocate() }
}
