// Running a scan: round by round on the team, or, where samples never meet, each thread with its own samples through all
// rounds, so that nobody waits for anybody until the end.

import AccelerandoCore

/// A scan, bound to memory.
final class ScanRunner: TeamWork {
  private let plan: ScanPlan
  private let loop: LoopFrame
  /// The outer plan's addresses.
  private let memory: Memory
  /// 0, 1, 2, …, which the rounds read their index from.
  private let indices: UnsafeMutablePointer<Int32>
  private let tasks: Int

  init(_ plan: ScanPlan, outer table: UnsafePointer<UnsafeMutableRawPointer>, _ planMemory: PlanMemory) throws {
    self.plan = plan
    loop = try LoopFrame(plan.body.plan, planMemory)
    memory = Memory(table: table)
    indices = .allocate(capacity: max(plan.length, 1))
    for index in 0..<max(plan.length, 1) { indices[index] = Int32(truncatingIfNeeded: index) }
    tasks =
      plan.units.map { units in
        let seconds = plan.body.plan.cost.seconds * Double(plan.length)
        return max(1, min(units, planMemory.threads.threads, Int(seconds / 5e-6)))
      } ?? 1
  }

  deinit { indices.deallocate() }

  /// The body's tables.
  var body: Frame { loop.frame }

  /// Whether there is work for several threads.
  var isShared: Bool { plan.units == nil ? loop.frame.isShared : tasks > 1 }

  /// Runs all rounds.
  /// - Parameter runBody: runs the body's phases on the team.
  func run(on team: ThreadPool?, _ runBody: (Frame) -> Void) {
    if plan.length > 0 {
      for (place, constant) in plan.constants.enumerated() {
        loop.setInput(1 + plan.carried.count + plan.elements.count + place, address(constant))
      }
      loop.frame.setUp(on: team)
      if let units = plan.units {
        if let team, tasks > 1 {
          team.run(ThreadPool.Job(work: self, tasks: tasks))
        } else {
          runAlone(0..<units, on: 0)
        }
      } else {
        record(0..<1, of: 1)
        for round in 0..<plan.length {
          point(round, nil)
          runBody(loop.frame)
          copy(round, 0..<1, of: 1)
        }
      }
    }
    for carried in plan.carried {
      let last = plan.length == 0 ? address(carried.initial) : current(carried, plan.length)
      if last != memory[carried.result] {
        memory[carried.result].copyMemory(from: last, byteCount: carried.byteCount)
      }
    }
  }

  func run(_ task: Int, on member: Int) {
    let units = plan.units ?? 1
    runAlone(units * task / tasks..<units * (task + 1) / tasks, on: member)
  }

  private func runAlone(_ units: Range<Int>, on member: Int) {
    let phase = loop.frame.steps[loop.frame.plan.setupPhases]
    guard case .phase(let runner) = phase, let all = plan.units else { return }
    record(units, of: all)
    for round in 0..<plan.length {
      point(round, member)
      runner.run(units: units, on: member)
      copy(round, units, of: all)
    }
  }

  // MARK: Addresses

  private func address(_ source: ScanPlan.Source) -> UnsafeMutableRawPointer { memory[source.value] + source.offset }

  /// Where the body reads a carried value at the beginning of a round; after the last one, where it was written.
  private func current(_ carried: ScanPlan.Carried, _ round: Int) -> UnsafeMutableRawPointer {
    switch carried.next {
    case .unchanged: return address(carried.initial)
    case .recorded(_, let history):
      return round == plan.length
        ? memory[carried.result] : memory[history] + plan.index(round) * carried.byteCount
    case .stacked(_, let stack):
      return round == 0 ? address(carried.initial) : memory[stack] + plan.index(round - 1) * carried.byteCount
    case .written, .copied:
      if round == 0 { return address(carried.initial) }
      return memory[(plan.length - round) % 2 == 0 ? carried.result : carried.spare ?? carried.result]
    }
  }

  /// Points the body's inputs and outputs to a round's memory, for all threads or for one.
  private func point(_ round: Int, _ member: Int?) {
    let index = plan.index(round)
    loop.setInput(0, UnsafeMutableRawPointer(indices + index), on: member)
    for (place, carried) in plan.carried.enumerated() {
      loop.setInput(1 + place, current(carried, round), on: member)
      switch carried.next {
      case .written(let output), .recorded(let output, _):
        loop.setOutput(output, current(carried, round + 1), on: member)
      default: break
      }
    }
    for (place, element) in plan.elements.enumerated() {
      loop.setInput(
        1 + plan.carried.count + place, address(element.source) + index * element.byteCount, on: member)
    }
    for output in plan.outputs where !output.isCopied {
      if case .output(let number) = output.source {
        loop.setOutput(number, memory[output.value] + index * output.byteCount, on: member)
      }
    }
  }

  /// Stores the initial values of carried values that are recorded, for some units.
  private func record(_ units: Range<Int>, of all: Int) {
    for carried in plan.carried {
      if case .recorded = carried.next {
        move(from: address(carried.initial), to: current(carried, 0), carried.byteCount, units, all)
      }
    }
  }

  /// Copies what a round left elsewhere, for some units.
  private func copy(_ round: Int, _ units: Range<Int>, of all: Int) {
    let index = plan.index(round)
    for output in plan.outputs where output.isCopied {
      move(
        from: address(of: output.source, round), to: memory[output.value] + index * output.byteCount,
        output.byteCount, units, all)
    }
    for carried in plan.carried {
      if case .copied(let source) = carried.next {
        move(from: address(of: source, round), to: current(carried, round + 1), carried.byteCount, units, all)
      }
    }
  }

  /// Where an input or output of the body was in a round.
  private func address(of source: LoopBody.Source, _ round: Int) -> UnsafeMutableRawPointer {
    let index = plan.index(round)
    switch source {
    case .input(0): return UnsafeMutableRawPointer(indices + index)
    case .input(let input) where input <= plan.carried.count: return current(plan.carried[input - 1], round)
    case .input(let input) where input <= plan.carried.count + plan.elements.count:
      let element = plan.elements[input - 1 - plan.carried.count]
      return address(element.source) + index * element.byteCount
    case .input(let input):
      return address(plan.constants[input - 1 - plan.carried.count - plan.elements.count])
    case .output(let output):
      for stack in plan.outputs where !stack.isCopied && stack.source == source {
        return memory[stack.value] + index * stack.byteCount
      }
      for carried in plan.carried {
        switch carried.next {
        case .written(output), .recorded(output, _): return current(carried, round + 1)
        default: break
        }
      }
      return UnsafeMutableRawPointer(indices)
    }
  }

  private func move(
    from source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer, _ byteCount: Int, _ units: Range<Int>,
    _ all: Int
  ) {
    let unit = byteCount / all
    (target + units.lowerBound * unit).copyMemory(
      from: source + units.lowerBound * unit, byteCount: units.count * unit)
  }
}
