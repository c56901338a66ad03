// One step of many workers: common piece, parts, sum, and so on to the end of the program.

import AccelerandoCore
import Foundation
import Synchronization

/// A program of many workers, bound to buffers.
final class SharedExecution: Execution {
  let outputs: [any Buffer]
  private var rounds: [BoundRound] = []
  private let team: any ThreadTeam
  private let copies: [(from: any HostBuffer, to: any HostBuffer)]

  private struct BoundRound {
    let common: (any Execution)?
    let parts: PartWork?
  }

  init(_ program: Program, _ inputs: [any Buffer], parts: Int, on backend: SharedBackend) throws {
    team = backend.team
    // Without a sum the workers are independent, and each computes everything.
    let group: any WorkerGroup = program.meets ? backend.group : SoleWorker()
    let shares = BatchShares(of: parts, workers: group.size)
    let own = shares[group.rank]
    let tree =
      group.size == 1 ? SumTree(0..<parts) : SumTree(parts: parts, of: (0..<group.size).map { shares[$0] })
    // As many lists as can be run at a time, whichever thread runs them.
    let members = BatchShares(of: own.count, workers: min(backend.team.threads, max(own.count, 1)))
    let lists = (0..<members.workers).map { members[$0] }
    let cut = try ProgramCut(
      program, localInputs: Set(inputs.indices.filter { inputs[$0] is StackedBuffer }), tree: tree)
    var common: [Int: any Buffer] = [:]
    // Only this process' parts have values here.
    var local: [Int: [any Buffer]] = [:]
    var leaves: [Int: [any Buffer]] = [:]
    for (number, input) in inputs.enumerated() {
      if let stacked = input as? StackedBuffer {
        local[number] = Array(stacked.parts[own])
      } else {
        common[number] = input
      }
    }
    func once(_ value: Int) throws -> any Buffer {
      guard let buffer = common[value] else { throw GraphError("value \(value) differs between workers.") }
      return buffer
    }
    func buffer(_ read: ProgramCut.Read, part: Int?) throws -> any Buffer {
      switch read {
      case .value(let value):
        if let part, let buffers = local[value] { return buffers[part] }
        return try once(value)
      case .leaf(let leaf, let operand):
        guard let buffers = leaves[operand] else { throw GraphError("value \(operand) meets after its sum is read.") }
        return buffers[leaf]
      }
    }
    for round in cut.rounds {
      var commonExecution: (any Execution)?
      if let piece = round.common {
        let execution = try backend.common.compile(piece.program).bind(
          try piece.reads.map { try buffer($0, part: nil) })
        for (value, buffer) in zip(piece.computes, execution.outputs) { common[value] = buffer }
        commonExecution = execution
      }
      var executions: [any Execution] = []
      // A process without parts has to know them too: all processes exchange the same tensors in the same order.
      var stages: [Int: Int] = [:]
      if let piece = round.local {
        let executable = try backend.local.compile(piece.program)
        for part in 0..<own.count {
          let reads = try piece.reads.map { try buffer($0, part: part) }
          // Parts that are computed one after the other share one memory.
          let first = lists.first { $0.contains(part) }?.lowerBound ?? part
          executions.append(
            first < part ? try executable.bind(reads, besides: executions[first]) : try executable.bind(reads))
        }
        for (number, value) in piece.computes.enumerated() { local[value] = executions.map { $0.outputs[number] } }
        stages = Dictionary(uniqueKeysWithValues: zip(piece.computes, executable.outputStages))
      }
      let exchange = try Self.exchange(round.reductions, local, stages, tree: tree, group: group, on: backend)
      for (number, reduction) in round.reductions.enumerated() {
        leaves[reduction.operand] = exchange?.leaves[number] ?? local[reduction.operand]
      }
      let work =
        executions.isEmpty && exchange == nil
        ? nil : PartWork(executions.isEmpty ? [] : lists.map { Array(executions[$0]) }, exchange)
      rounds.append(BoundRound(common: commonExecution, parts: work))
    }
    outputs = try program.outputs.enumerated().map { number, value in
      if let input = program.aliases[number] { return inputs[input] }
      guard cut.isLocal[value] else { return try once(value) }
      // The parts of other processes are not here.
      let missing = TensorType(program.types[value].dtype, [0])
      return StackedBuffer(
        program.types[value],
        try (0..<parts).map { part in
          guard own.contains(part), let buffers = local[value] else { return try backend.makeBuffer(missing) }
          return buffers[part - own.lowerBound]
        })
    }
    copies = try cut.copies.map { (try backend.host(try once($0.value)), try backend.host(try once($0.input))) }
  }

  /// The exchange between processes at the end of a round; nil if one process has all parts.
  private static func exchange(
    _ reductions: [ProgramCut.Reduction], _ local: [Int: [any Buffer]], _ stages: [Int: Int], tree: SumTree,
    group: any WorkerGroup, on backend: SharedBackend
  ) throws -> SumExchange? {
    for reduction in reductions where reduction.type.dtype != .float32 && reduction.type.dtype != .float64 {
      throw GraphError("workers add up float32 and float64; received \(reduction.type).")
    }
    guard group.size > 1, !reductions.isEmpty else { return nil }
    let summands = try reductions.map { reduction in
      // Values from before the round are complete from its first stage on.
      SumExchange.Summand(
        operands: try (local[reduction.operand] ?? []).map { try backend.host($0) }, type: reduction.type,
        stage: stages[reduction.operand] ?? 0)
    }
    return try SumExchange(summands, tree: tree, on: backend)
  }

  func run() throws {
    for round in rounds {
      try round.common?.run()
      try round.parts?.run(on: team)
    }
    for (from, to) in copies where from !== to {
      to.memory.copyMemory(from: UnsafeRawBufferPointer(from.memory))
    }
  }
}

/// This process' parts of a batch, for a team of threads, and the exchange with other processes.
private final class PartWork: TeamWork {
  /// The groups of parts that are computed one after the other.
  private let lists: [[any Execution]]
  private let exchange: SumExchange?
  private let failure = Mutex<(any Error)?>(nil)

  init(_ lists: [[any Execution]], _ exchange: SumExchange?) {
    self.lists = lists
    self.exchange = exchange
  }

  func run(on team: any ThreadTeam) throws {
    failure.withLock { $0 = nil }
    exchange?.begin()
    team.run(self, tasks: lists.count)
    if let error = failure.withLock({ $0 }) { throw error }
    try exchange?.finish()
  }

  func run(_ task: Int, on member: Int) {
    do {
      for part in lists[task] {
        if let exchange { try exchange.run(part) } else { try part.run() }
      }
    } catch {
      failure.withLock { $0 = error }
    }
  }
}
