// What the CPU will do, as data: phases in order, where every value is stored, how much memory there is. Planning makes
// it, execution runs it, and reports print it.

import AccelerandoCore

/// A program, planned for the CPU.
struct Plan: Sendable {
  /// What runs between two barriers.
  enum Phase: Sendable {
    /// Work that can be shared: no part needs another's results.
    case parts([Part])
    /// Another plan, repeated while its condition holds.
    case loop(Loop)
    /// Another plan, repeated for each element of sequences.
    case scan(ScanPlan)
    /// One of several plans.
    case branch(Branch)

    /// The parts that end one after the other when one thread runs the phase alone.
    var stages: Int {
      if case .parts(let parts) = self { return parts.count }
      return 1
    }
  }

  /// One independent piece of a phase.
  enum Part: Sendable {
    /// A kernel on its own, with its own split.
    case kernel(any Kernel, path: [String])
    /// Several kernels, run unit by unit.
    case region(Region)
  }

  /// `while`: the body's inputs point to the carried values, its outputs to where the next ones are stored.
  struct Loop: Sendable {
    let condition: Plan
    let body: LoopBody
    let carried: [Carried]
    /// Where the condition's result is stored.
    let continues: Int

    /// The carried values that are copied after each round: from what another one was or became.
    let copies: [(place: Int, from: Int, isInput: Bool)]

    init(condition: Plan, body: LoopBody, carried: [Carried], continues: Int) {
      self.condition = condition
      self.body = body
      self.carried = carried
      self.continues = continues
      copies = carried.indices.compactMap { place in
        switch body.sources[place] {
        case .input(place): nil
        case .input(let other): (place, other, true)
        case let source:
          body.sources.firstIndex(of: source).flatMap { $0 == place ? nil : (place, $0, false) }
        }
      }
    }

    /// One carried value: `value` of the outer plan holds it after the loop, and every second round; `spare` in the
    /// others.
    struct Carried: Sendable {
      let value: Int
      let spare: Int
      let initial: Int
      let byteCount: Int
    }
  }

  /// `case`: an int32 selects the plan to run; the last one if it is out of range.
  struct Branch: Sendable {
    let index: Int
    let branches: [Plan]
    let operands: [Int]
    /// For each branch, which operands it reads.
    let reads: [[Bool]]
    let results: [(value: Int, byteCount: Int)]
  }

  /// Where a value is stored.
  enum Place: Sendable, Hashable {
    /// In the buffer of an input.
    case input(Int)
    /// In the buffer of an output that is not an input's.
    case output(Int)
    /// In the arena, at this byte offset.
    case arena(Int)
    /// In the plan's constants.
    case constant(Int)
    /// In a thread's own memory, for a few units at a time; or nowhere, if a kernel computes it internally.
    case none
  }

  let program: Program
  var phases: [Phase] = []
  /// The number of phases at the beginning that depend on constants and frozen inputs alone, and run once.
  var setupPhases = 0
  var places: [Place] = []
  var constants: [NDArray] = []
  var arenaBytes = 0
  /// Memory that each thread needs for its kernels and for values that exist for a few units only.
  var scratchBytes = 0
  var localBytes = 0
  /// The inputs that some kernel reads as a whole, or that is not split into units.
  var wholeReads: Set<Int> = []
  /// For each output, the stage that completes it.
  var outputStages: [Int] = []
  /// The work of a run; loops count as one round.
  var cost: Cost {
    phases.reduce(Cost()) { cost, phase in
      guard case .parts(let parts) = phase else { return cost }
      return parts.reduce(cost) { cost, part in
        switch part {
        case .kernel(let kernel, _): cost + kernel.cost
        case .region(let region): cost + region.cost
        }
      }
    }
  }
  /// The stages of all phases.
  var stages: Int { phases.reduce(0) { $0 + $1.stages } }
}
