// Running a plan: a table of pointers, and the phases one after another on the team of threads.

import AccelerandoCore
import CKernels

/// A planned program.
struct CPUExecutable: Executable {
  let program: Program
  let plan: Plan
  let pool: ThreadPool
  let isSteady: Bool
  let hasFrozenInputs: Bool
  /// Identifies the executions of this executable.
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
    try bind(inputs, memory: try PlanMemory(plan, threads: pool.threads, owner: identity))
  }

  func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution {
    // Results computed from frozen inputs stay in memory.
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
    return try CPUExecution(self, inputs: buffers, outputs: outputs, memory: memory)
  }
}

/// A planned program with the memory that it uses.
final class CPUExecution: Execution {
  let outputs: [any Buffer]
  let frame: Frame
  private let pool: ThreadPool
  let memory: PlanMemory
  /// Whether the team runs the program, or the caller alone.
  var teamwork: Teamwork

  init(_ executable: CPUExecutable, inputs: [CPUBuffer], outputs: [CPUBuffer], memory: PlanMemory) throws {
    pool = executable.pool
    self.outputs = outputs
    self.memory = memory
    frame = try Frame(
      executable.plan, inputs: inputs.map { UnsafeMutableRawPointer($0.address) },
      outputs: outputs.map { $0.address }, memory: memory, keeping: inputs + outputs)
    let isShared = pool.threads > 1 && frame.isShared
    teamwork = executable.isSteady ? Teamwork(always: isShared) : Teamwork(isShared: isShared)
  }

  func run(afterStage: (Int) -> Void) throws {
    // A team runs the parts of a phase in no particular order.
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
    // If another thread is using the team, this one does all the work: the bits are the same.
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
    case .scan(let scan): scan.run(on: team) { run($0, team) }
    case .branch(let branch, let frames): run(branch, frames, memory, team)
    }
  }

  private func run(
    _ loop: Plan.Loop, _ condition: LoopFrame, _ body: LoopFrame, _ memory: Memory, _ team: ThreadPool?
  ) {
    condition.frame.setUp(on: team)
    body.frame.setUp(on: team)
    let carried = loop.carried
    func current(_ place: Int, _ round: Int) -> UnsafeMutableRawPointer {
      if loop.body.sources[place] == .input(place) || round == 0 { return memory[carried[place].initial] }
      return memory[round % 2 == 0 ? carried[place].value : carried[place].spare]
    }
    var round = 0
    while true {
      for place in carried.indices { condition.setInput(place, current(place, round)) }
      condition.setOutput(0, memory[loop.continues])
      run(condition.frame, team)
      guard memory[loop.continues].load(as: Bool.self) else { break }
      for place in carried.indices { body.setInput(place, current(place, round)) }
      // Where two carried values are one output, the first has it and the others get a copy.
      for place in carried.indices.reversed() {
        if case .output(let output) = loop.body.sources[place] { body.setOutput(output, current(place, round + 1)) }
      }
      run(body.frame, team)
      for copy in loop.copies {
        current(copy.place, round + 1).copyMemory(
          from: copy.isInput ? current(copy.from, round) : current(copy.from, round + 1),
          byteCount: carried[copy.place].byteCount)
      }
      round += 1
    }
    for place in carried.indices {
      let last = current(place, round)
      if last != memory[carried[place].value] {
        memory[carried[place].value].copyMemory(from: last, byteCount: carried[place].byteCount)
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
