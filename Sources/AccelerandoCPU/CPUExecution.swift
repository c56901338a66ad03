// Running a plan: a table of pointers, and the steps one after another on the team of threads.

import AccelerandoCore
import CKernels

/// A planned program.
struct CPUExecutable: Executable {
  let program: Program
  let plan: Plan
  let pool: ThreadPool

  func bind(_ inputs: [any Buffer]) throws -> any Execution {
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
    return CPUExecution(self, inputs: buffers, outputs: outputs)
  }
}

/// A planned program with the memory that it works on.
final class CPUExecution: Execution {
  let outputs: [any Buffer]
  private let frame: Frame
  private let pool: ThreadPool
  private let scratch: UnsafeMutableRawBufferPointer
  private let scratchStride: Int

  init(_ executable: CPUExecutable, inputs: [CPUBuffer], outputs: [CPUBuffer]) {
    pool = executable.pool
    self.outputs = outputs
    frame = Frame(
      executable.plan, inputs: inputs.map { UnsafeMutableRawPointer($0.address) },
      outputs: outputs.map { $0.address }, keeping: inputs + outputs)
    scratchStride = (frame.deepScratchBytes + 4095) / 4096 * 4096 + 128
    scratch = .allocate(byteCount: scratchStride * pool.threads, alignment: 64)
    scratch.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { scratch.deallocate() }

  func run() throws {
    let flushed = acc_set_flush_denormals(true)
    defer { _ = acc_set_flush_denormals(flushed) }
    // When another thread has the team, this one does the whole work: the bits are the same.
    let hasTeam = pool.tryAcquire()
    defer { if hasTeam { pool.release() } }
    run(frame, onTeam: hasTeam)
  }

  private func run(_ frame: Frame, onTeam: Bool) {
    let memory = Memory(table: frame.table)
    for index in frame.plan.steps.indices {
      switch frame.plan.steps[index] {
      case .kernel(let kernel): run(kernel, memory, onTeam: onTeam)
      case .loop(let loop): run(loop, frame, memory, index, onTeam: onTeam)
      case .branch(let branch): run(branch, frame, memory, index, onTeam: onTeam)
      }
    }
  }

  private func run(_ kernel: any Kernel, _ memory: Memory, onTeam: Bool) {
    let base = scratch.baseAddress ?? memory.table.pointee
    let tasks = onTeam ? kernel.taskCount(threads: pool.threads) : 1
    if tasks <= 1 {
      kernel.run(0..<1, of: 1, memory, scratch: base)
      return
    }
    pool.run(
      ThreadPool.Job(kernel: kernel, tasks: tasks, memory: memory, scratch: base, scratchStride: scratchStride))
  }

  private func run(_ loop: Plan.Loop, _ frame: Frame, _ memory: Memory, _ step: Int, onTeam: Bool) {
    guard let (condition, body) = frame.loops[step] else { return }
    for carried in loop.carried where carried.value != carried.initial {
      memory[carried.value].copyMemory(from: memory[carried.initial], byteCount: carried.byteCount)
    }
    while true {
      for (index, carried) in loop.carried.enumerated() {
        condition.inputs[index].copyMemory(from: memory[carried.value], byteCount: carried.byteCount)
      }
      run(condition, onTeam: onTeam)
      guard condition.outputs[0].load(as: Bool.self) else { return }
      for (index, carried) in loop.carried.enumerated() {
        body.inputs[index].copyMemory(from: memory[carried.value], byteCount: carried.byteCount)
      }
      run(body, onTeam: onTeam)
      for (index, carried) in loop.carried.enumerated() {
        memory[carried.value].copyMemory(from: body.outputs[index], byteCount: carried.byteCount)
      }
    }
  }

  private func run(_ branch: Plan.Branch, _ frame: Frame, _ memory: Memory, _ step: Int, onTeam: Bool) {
    guard let frames = frame.branches[step] else { return }
    let index = Int(memory[branch.index].load(as: Int32.self))
    let chosen = frames[frames.indices.contains(index) ? index : frames.count - 1]
    for (position, operand) in branch.operands.enumerated() {
      chosen.inputs[position].copyMemory(
        from: memory[operand], byteCount: chosen.plan.program.inputs[position].type.byteCount)
    }
    run(chosen, onTeam: onTeam)
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

/// The memory of one plan: its arena and its table of pointers; and the frames of the plans inside it.
final class Frame {
  let plan: Plan
  let table: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let inputs: [UnsafeMutableRawPointer]
  let outputs: [UnsafeMutableRawPointer]
  private(set) var loops: [Int: (condition: Frame, body: Frame)] = [:]
  private(set) var branches: [Int: [Frame]] = [:]
  private let arena: UnsafeMutableRawBufferPointer
  private let kept: [AnyObject]

  init(
    _ plan: Plan, inputs: [UnsafeMutableRawPointer], outputs: [UnsafeMutableRawPointer], keeping: [AnyObject]
  ) {
    self.plan = plan
    self.inputs = inputs
    self.outputs = outputs
    let constantOffsets = plan.constants.reduce(into: [0]) {
      $0.append($0[$0.count - 1] + ($1.byteCount + 63) / 64 * 64)
    }
    let constantBytes = constantOffsets[constantOffsets.count - 1]
    arena = .allocate(byteCount: max(plan.arenaBytes + constantBytes, 64), alignment: 64)
    kept = keeping
    let base = UnsafeMutableRawPointer(arena.baseAddress ?? inputs[0])
    for (index, constant) in plan.constants.enumerated() {
      constant.withUnsafeBytes { bytes in
        if let source = bytes.baseAddress {
          (base + plan.arenaBytes + constantOffsets[index]).copyMemory(from: source, byteCount: bytes.count)
        }
      }
    }
    table = .allocate(capacity: max(plan.places.count, 1))
    for (value, place) in plan.places.enumerated() {
      let pointer: UnsafeMutableRawPointer =
        switch place {
        case .input(let input): inputs[input]
        case .output(let output): outputs[output]
        case .arena(let offset): base + offset
        case .constant(let index): base + plan.arenaBytes + constantOffsets[index]
        case .none: base
        }
      (table + value).initialize(to: pointer)
    }
    for (index, step) in plan.steps.enumerated() {
      switch step {
      case .kernel: break
      case .loop(let loop): loops[index] = (Frame(inner: loop.condition), Frame(inner: loop.body))
      case .branch(let branch): branches[index] = branch.branches.map { Frame(inner: $0) }
      }
    }
  }

  /// A frame with buffers of its own for inputs and outputs, for a plan inside another.
  convenience init(inner plan: Plan) {
    func own(_ types: [TensorType]) -> [OwnedBytes] { types.map { OwnedBytes($0.byteCount) } }
    let inputs = own(plan.program.inputs.map(\.type))
    let outputs = own(plan.program.outputTypes)
    self.init(
      plan, inputs: inputs.map(\.start), outputs: outputs.map(\.start), keeping: inputs + outputs)
  }

  deinit {
    arena.deallocate()
    table.deallocate()
  }

  /// Scratch that this plan's kernels and those of the plans inside it need.
  var deepScratchBytes: Int {
    let inner = loops.values.flatMap { [$0.condition, $0.body] } + branches.values.flatMap { $0 }
    return inner.reduce(plan.scratchBytes) { max($0, $1.deepScratchBytes) }
  }
}

private final class OwnedBytes {
  let start: UnsafeMutableRawPointer
  init(_ count: Int) { start = .allocate(byteCount: max(count, 64), alignment: 64) }
  deinit { start.deallocate() }
}
