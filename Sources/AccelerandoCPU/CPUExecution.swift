// Running a plan: a table of pointers, and the steps one after another on the team of threads.

import AccelerandoCore
import CKernels

/// A planned program.
struct CPUExecutable: Executable {
  let program: Program
  let plan: Plan
  let pool: ThreadPool
  let isSteady: Bool
  let hasFrozenInputs: Bool
  /// What executions of this executable know each other by.
  private let identity = Identity()

  final class Identity: Sendable {}

  init(program: Program, plan: Plan, pool: ThreadPool, isSteady: Bool = false, hasFrozenInputs: Bool = false) {
    self.program = program
    self.plan = plan
    self.pool = pool
    self.isSteady = isSteady
    self.hasFrozenInputs = hasFrozenInputs
  }

  var outputStages: [Int] { plan.outputStages }

  func bind(_ inputs: [any Buffer]) throws -> any Execution {
    try bind(inputs, memory: PlanMemory(plan, threads: pool.threads, owner: identity))
  }

  func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution {
    // What was made of frozen inputs stays in the memory.
    guard !hasFrozenInputs, let memory = (other as? CPUExecution)?.memory, memory.owner === identity else {
      return try bind(inputs)
    }
    return try bind(inputs, memory: memory)
  }

  private func bind(_ inputs: [any Buffer], memory: PlanMemory) throws -> any Execution {
    guard inputs.count == program.inputs.count else {
      throw GraphError("the program has \(program.inputs.count) inputs; received \(inputs.count) buffers.")
    }
    let buffers = try zip(inputs, program.inputs).map { buffer, input in
      guard let own = buffer as? CPUBuffer else {
        throw GraphError("input '\(input.name)' lies on another device; copy it to the CPU first.")
      }
      guard own.type == input.type else {
        throw GraphError("input '\(input.name)' is \(input.type); received a buffer of \(own.type).")
      }
      return own
    }
    let outputs = try program.outputs.indices.map { index in
      if let input = program.aliases[index] { return buffers[input] }
      return try CPUBuffer(program.types[program.outputs[index]])
    }
    return CPUExecution(self, inputs: buffers, outputs: outputs, memory: memory)
  }
}

/// A planned program with the memory that it works on.
final class CPUExecution: Execution {
  let outputs: [any Buffer]
  let frame: Frame
  private let pool: ThreadPool
  fileprivate let memory: PlanMemory
  /// Whether the team runs the program, or the caller alone.
  var teamwork: Teamwork

  fileprivate init(_ executable: CPUExecutable, inputs: [CPUBuffer], outputs: [CPUBuffer], memory: PlanMemory) {
    pool = executable.pool
    self.outputs = outputs
    self.memory = memory
    frame = Frame(
      executable.plan, inputs: inputs.map { UnsafeMutableRawPointer($0.address) },
      outputs: outputs.map { $0.address }, memory: memory, keeping: inputs + outputs)
    let isShared = pool.threads > 1 && frame.isShared
    teamwork = executable.isSteady ? Teamwork(always: isShared) : Teamwork(isShared: isShared)
  }

  func run(afterStage: (Int) -> Void) throws {
    // A team takes the parts of a phase in no order.
    if teamwork.wantsTeam {
      try run()
      afterStage(max(frame.plan.stages - 1, 0))
      return
    }
    let flushed = acc_set_flush_denormals(true)
    defer { _ = acc_set_flush_denormals(flushed) }
    let memory = Memory(table: frame.table)
    var stage = 0
    for (index, step) in frame.steps.enumerated() {
      let stages = frame.plan.phases[index].stages
      if index >= frame.plan.setupPhases {
        if case .phase(let phase) = step {
          phase.run { afterStage(stage + $0) }
        } else {
          run(step, memory, nil)
          afterStage(stage)
        }
      }
      stage += stages
    }
  }

  func run() throws {
    let flushed = acc_set_flush_denormals(true)
    defer { _ = acc_set_flush_denormals(flushed) }
    // When another thread has the team, this one does the whole work: the bits are the same.
    let wantsTeam = teamwork.wantsTeam
    let hasTeam = wantsTeam && pool.tryAcquire()
    defer { if hasTeam { pool.release() } }
    let start = teamwork.wantsTime ? Tracer.now() : 0
    run(frame, hasTeam ? pool : nil)
    if hasTeam == wantsTeam { teamwork.ran(start == 0 ? 0 : Double(Tracer.now() - start)) }
    if hasTeam, teamwork.isLongRest { pool.rest() }
  }

  private func run(_ frame: Frame, _ team: ThreadPool?) {
    let memory = Memory(table: frame.table)
    for index in frame.plan.setupPhases..<frame.steps.count { run(frame.steps[index], memory, team) }
  }

  private func run(_ step: Frame.Step, _ memory: Memory, _ team: ThreadPool?) {
    switch step {
    case .phase(let phase): phase.run(on: team)
    case .loop(let loop, let condition, let body): run(loop, condition, body, memory, team)
    case .branch(let branch, let frames): run(branch, frames, memory, team)
    }
  }

  private func run(
    _ loop: Plan.Loop, _ condition: Frame, _ body: Frame, _ memory: Memory, _ team: ThreadPool?
  ) {
    for carried in loop.carried where carried.value != carried.initial {
      memory[carried.value].copyMemory(from: memory[carried.initial], byteCount: carried.byteCount)
    }
    while true {
      for (index, carried) in loop.carried.enumerated() {
        condition.inputs[index].copyMemory(from: memory[carried.value], byteCount: carried.byteCount)
      }
      run(condition, team)
      guard condition.outputs[0].load(as: Bool.self) else { return }
      for (index, carried) in loop.carried.enumerated() {
        body.inputs[index].copyMemory(from: memory[carried.value], byteCount: carried.byteCount)
      }
      run(body, team)
      for (index, carried) in loop.carried.enumerated() {
        memory[carried.value].copyMemory(from: body.outputs[index], byteCount: carried.byteCount)
      }
    }
  }

  private func run(_ branch: Plan.Branch, _ frames: [Frame], _ memory: Memory, _ team: ThreadPool?) {
    let index = Int(memory[branch.index].load(as: Int32.self))
    let choice = frames.indices.contains(index) ? index : frames.count - 1
    let chosen = frames[choice]
    for (position, operand) in branch.operands.enumerated() where branch.reads[choice][position] {
      chosen.inputs[position].copyMemory(
        from: memory[operand], byteCount: chosen.plan.program.inputs[position].type.byteCount)
    }
    run(chosen, team)
    for (position, result) in branch.results.enumerated() {
      memory[result.value].copyMemory(from: chosen.outputs[position], byteCount: result.byteCount)
    }
  }
}

extension CPUBuffer {
  /// The first byte.
  var address: UnsafeMutableRawPointer {
    memory.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped
  }
}

/// The memory that a plan works in: for values between phases and constants, and for each thread.
private final class PlanMemory {
  let arena: UnsafeMutableRawBufferPointer
  let threads: ThreadMemory
  /// Whose plan it is for; nil for one inside another.
  let owner: CPUExecutable.Identity?

  init(_ plan: Plan, threads: Int, owner: CPUExecutable.Identity) {
    arena = plan.makeArena()
    self.threads = ThreadMemory(plan, threads: threads)
    self.owner = owner
  }

  /// For a plan inside another, whose threads take turns.
  init(inner plan: Plan, _ outer: PlanMemory) {
    arena = plan.makeArena()
    threads = outer.threads
    owner = nil
  }

  deinit { arena.deallocate() }
}

extension Plan {
  /// Where each constant lies behind the values in the arena, and where they end.
  fileprivate var constantOffsets: [Int] {
    constants.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1.byteCount + 63) / 64 * 64) }
  }

  fileprivate func makeArena() -> UnsafeMutableRawBufferPointer {
    .allocate(byteCount: max(arenaBytes + (constantOffsets.last ?? 0), 64), alignment: 64)
  }
}

/// What each thread of the team has for itself: room for its kernels and for values that live for a few units only.
final class ThreadMemory {
  let threads: Int
  private let memory: UnsafeMutableRawBufferPointer
  private let localOffset: Int
  private let stride: Int

  init(_ plan: Plan, threads: Int) {
    self.threads = threads
    let needs = plan.deepNeeds
    localOffset = (needs.scratch + 127) / 64 * 64
    // Two threads' memories lie a page and a bit apart, so that equal offsets do not meet in one cache set.
    stride = (localOffset + needs.local + 4095) / 4096 * 4096 + 128
    memory = .allocate(byteCount: stride * threads, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { memory.deallocate() }

  /// A thread's own table, and its memory.
  func context(_ member: Int, table: UnsafeMutablePointer<UnsafeMutableRawPointer>) -> ThreadContext {
    let base = (memory.baseAddress ?? table.pointee) + member * stride
    return ThreadContext(table: table, scratch: base, local: base + localOffset)
  }
}

extension Plan {
  /// What a thread needs for this plan and those inside it.
  var deepNeeds: (scratch: Int, local: Int) {
    var inner: [Plan] = []
    for phase in phases {
      switch phase {
      case .parts: break
      case .loop(let loop): inner += [loop.condition, loop.body]
      case .branch(let branch): inner += branch.branches
      }
    }
    return inner.reduce((scratchBytes, localBytes)) { most, plan in
      let needs = plan.deepNeeds
      return (max(most.0, needs.scratch), max(most.1, needs.local))
    }
  }
}

/// One plan's tables of pointers, and the frames of the plans inside it.
final class Frame {
  /// A phase, ready to run.
  enum Step {
    case phase(PhaseRunner)
    case loop(Plan.Loop, condition: Frame, body: Frame)
    case branch(Plan.Branch, [Frame])
  }

  let plan: Plan
  let table: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let inputs: [UnsafeMutableRawPointer]
  let outputs: [UnsafeMutableRawPointer]
  private(set) var steps: [Step] = []
  private let contexts: UnsafeMutablePointer<ThreadContext>
  private let kept: [AnyObject]

  fileprivate init(
    _ plan: Plan, inputs: [UnsafeMutableRawPointer], outputs: [UnsafeMutableRawPointer], memory: PlanMemory,
    keeping: [AnyObject]
  ) {
    self.plan = plan
    self.inputs = inputs
    self.outputs = outputs
    kept = keeping + [memory]
    let constantOffsets = plan.constantOffsets
    let base = UnsafeMutableRawPointer(memory.arena.baseAddress ?? inputs[0])
    for (index, constant) in plan.constants.enumerated() {
      constant.withUnsafeBytes { bytes in
        if let source = bytes.baseAddress {
          (base + plan.arenaBytes + constantOffsets[index]).copyMemory(from: source, byteCount: bytes.count)
        }
      }
    }
    // One table for the plan and one for each thread, which points at the thread's own values in its own.
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
            loop, condition: Frame(inner: loop.condition, memory), body: Frame(inner: loop.body, memory)))
      case .branch(let branch):
        steps.append(.branch(branch, branch.branches.map { Frame(inner: $0, memory) }))
      }
    }
    setUp()
  }

  /// Whether there is work for several threads.
  var isShared: Bool {
    steps.contains { step in
      switch step {
      case .phase(let phase): phase.isShared
      case .loop(_, let condition, let body): condition.isShared || body.isShared
      case .branch(_, let frames): frames.contains(where: \.isShared)
      }
    }
  }

  /// Runs the phases that need to run only once.
  func setUp() {
    for step in steps.prefix(plan.setupPhases) {
      if case .phase(let phase) = step { phase.run(on: nil) }
    }
  }

  /// A frame with buffers of its own for inputs and outputs, for a plan inside another.
  fileprivate convenience init(inner plan: Plan, _ outer: PlanMemory) {
    func own(_ types: [TensorType]) -> [OwnedBytes] { types.map { OwnedBytes($0.byteCount) } }
    let inputs = own(plan.program.inputs.map(\.type))
    let outputs = own(plan.program.outputTypes)
    self.init(
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
