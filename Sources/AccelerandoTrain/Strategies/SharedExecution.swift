// One step of many workers: common piece, parts, meeting, and so on to the end of the program.

import AccelerandoCore
import Foundation

/// A program of many workers, tied to buffers.
final class SharedExecution: Execution {
  let outputs: [any Buffer]
  private var rounds: [BoundRound] = []
  private let team: WorkerTeam
  private let copies: [(from: any HostBuffer, to: any HostBuffer)]

  private struct BoundRound {
    let common: (any Execution)?
    /// The executions of this process' parts, a list for each thread.
    let local: ThreadedWork?
    let meeting: SharedMeeting?
  }

  init(_ program: Program, _ inputs: [any Buffer], parts: Int, on backend: SharedBackend) throws {
    team = backend.team
    let cut = try ProgramCut(
      program, localInputs: Set(inputs.indices.filter { inputs[$0] is StackedBuffer }))
    // Without a meeting nobody needs the others, and everybody computes everything.
    let meets = cut.rounds.contains { !$0.meetings.isEmpty }
    let group: any WorkerGroup = meets ? backend.group : SoleWorker()
    let own = BatchShares(of: parts, workers: group.size)[group.rank]
    var common: [Int: any Buffer] = [:]
    var local: [Int: [any Buffer]] = [:]
    for (number, input) in inputs.enumerated() {
      if let stacked = input as? StackedBuffer { local[number] = stacked.parts } else { common[number] = input }
    }
    func host(_ value: Int) throws -> any HostBuffer {
      guard let buffer = common[value] as? any HostBuffer else {
        throw GraphError("workers can share a batch only where the memory is the host's.")
      }
      return buffer
    }
    for round in cut.rounds {
      var once: (any Execution)?
      if let piece = round.common {
        // A team for a little work would stand in the way of the threads that take the parts.
        let size = piece.program.types.reduce(0) { $0 + $1.elementCount }
        let engine = size < 1 << 21 ? backend.local : backend.common
        let execution = try engine.compile(piece.program).bind(try piece.reads.map { try host($0) })
        for (value, buffer) in zip(piece.computes, execution.outputs) { common[value] = buffer }
        once = execution
      }
      var each: [any Execution] = []
      if let piece = round.local {
        let executable = try backend.local.compile(piece.program)
        for value in piece.computes { local[value] = [] }
        for part in 0..<parts {
          // Parts of other processes have no values here.
          guard own.contains(part) else {
            for value in piece.computes { local[value]?.append(try backend.makeBuffer(TensorType(.float32, [0]))) }
            continue
          }
          let execution = try executable.bind(
            try piece.reads.map { value in
              if let buffers = local[value] { return buffers[part] }
              return try host(value)
            })
          for (value, buffer) in zip(piece.computes, execution.outputs) { local[value]?.append(buffer) }
          each.append(execution)
        }
      }
      var meeting: SharedMeeting?
      if !round.meetings.isEmpty {
        let sums = try round.meetings.map { meeting in
          let result = try backend.makeBuffer(meeting.type)
          common[meeting.result] = result
          let operands = try own.map { part in
            guard let buffers = local[meeting.operand] else { return try host(meeting.operand) as any Buffer }
            return buffers[part]
          }
          return (operands: operands, result: result, type: meeting.type)
        }
        meeting = try SharedMeeting(sums, own: own, parts: parts, group: group)
      }
      let shares = BatchShares(of: each.count, workers: min(backend.workers, max(each.count, 1)))
      rounds.append(
        BoundRound(
          common: once,
          local: each.isEmpty ? nil : ThreadedWork(lists: (0..<shares.workers).map { Array(each[shares[$0]]) }),
          meeting: meeting))
    }
    outputs = try program.outputs.enumerated().map { number, value in
      if let input = program.aliases[number] { return inputs[input] }
      if let buffers = local[value] { return StackedBuffer(program.types[value], buffers) }
      return try host(value)
    }
    copies = try cut.copies.map { (try host($0.value), try host($0.input)) }
  }

  func run() throws {
    for round in rounds {
      try round.common?.run()
      if let work = round.local { try runParts(work) }
      try round.meeting?.run()
    }
    for (from, to) in copies where from !== to {
      to.memory.copyMemory(from: UnsafeRawBufferPointer(from.memory))
    }
  }

  /// Runs lists of executions, each on a thread.
  private func runParts(_ work: ThreadedWork) throws {
    team.run { work.run($0) }
    if let error = work.error { throw error }
  }
}

/// Executions for threads. Unchecked because executions belong to one thread at a time: each list is given to one.
private final class ThreadedWork: @unchecked Sendable {
  private let lists: [[any Execution]]
  private let lock = NSLock()
  private var failure: (any Error)?
  /// What went wrong in the last run.
  var error: (any Error)? { lock.withLock { failure } }

  init(lists: [[any Execution]]) { self.lists = lists }

  func run(_ number: Int) {
    guard lists.indices.contains(number) else { return }
    do {
      for execution in lists[number] { try execution.run() }
    } catch {
      lock.withLock { failure = error }
    }
  }
}
