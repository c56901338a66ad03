// What the CPU will do, as data: phases in order, where every value lies, how much memory there is. Planning makes it,
// execution walks it, and people can read it.

import AccelerandoCore

/// A program, planned for the CPU.
struct Plan: Sendable {
  /// What happens between two meetings of the threads.
  enum Phase: Sendable {
    /// Work that can be shared: no part needs another's results.
    case parts([Part])
    /// Another plan, repeated while its condition holds.
    case loop(Loop)
    /// One of several plans.
    case branch(Branch)

    /// What ends one after the other when one thread runs the phase alone.
    var stages: Int {
      if case .parts(let parts) = self { return parts.count }
      return 1
    }
  }

  /// One independent piece of a phase.
  enum Part: Sendable {
    /// A kernel by itself, cut as it likes.
    case kernel(any Kernel, path: [String])
    /// Several kernels, run unit by unit.
    case region(Region)
  }

  /// `while`: the carried values are copied into the body's inputs, and its outputs become the next ones.
  struct Loop: Sendable {
    let condition: Plan
    let body: Plan
    let carried: [Carried]

    /// One carried value: `value` of the outer plan holds it before and after.
    struct Carried: Sendable {
      let value: Int
      let initial: Int
      let byteCount: Int
    }
  }

  /// `case`: which plan runs is read from an int32; the last one if there is none of that number.
  struct Branch: Sendable {
    let index: Int
    let branches: [Plan]
    let operands: [Int]
    /// For each branch, which operands it reads.
    let reads: [[Bool]]
    let results: [(value: Int, byteCount: Int)]
  }

  /// Where a value lies.
  enum Place: Sendable, Hashable {
    /// In the buffer of an input.
    case input(Int)
    /// In the buffer of an output that is no input's.
    case output(Int)
    /// In the arena, this many bytes in.
    case arena(Int)
    /// In the plan's constants.
    case constant(Int)
    /// In a thread's own memory, for a few units at a time; or nowhere, if a kernel computes it on the way.
    case none
  }

  let program: Program
  var phases: [Phase] = []
  /// So many phases at the beginning depend on constants and frozen inputs alone, and run once.
  var setupPhases = 0
  var places: [Place] = []
  var constants: [NDArray] = []
  var arenaBytes = 0
  /// What each thread needs for its kernels and for values that live for a few units only.
  var scratchBytes = 0
  var localBytes = 0
  /// For each output, the stage that completes it.
  var outputStages: [Int] = []
  /// The stages of all phases.
  var stages: Int { phases.reduce(0) { $0 + $1.stages } }
}
