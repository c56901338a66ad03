// What the CPU will do, as data: steps in order, where every value lies, how much memory there is. Planning makes it,
// execution walks it, and people can read it.

import AccelerandoCore

/// A program, planned for the CPU.
struct Plan: Sendable {
  /// One step.
  enum Step: Sendable {
    /// A kernel, run by the whole team.
    case kernel(any Kernel)
    /// Another plan, repeated while its condition holds.
    case loop(Loop)
    /// One of several plans.
    case branch(Branch)
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
    /// Nowhere: a kernel computes it on the way.
    case none
  }

  let program: Program
  var steps: [Step] = []
  var places: [Place] = []
  var constants: [NDArray] = []
  var arenaBytes = 0
  var scratchBytes = 0
}

extension Plan: CustomStringConvertible {
  /// The steps in order, a line each.
  var description: String {
    steps.map { step in
      switch step {
      case .kernel(let kernel): kernel.label
      case .loop(let loop): "while {\n\(loop.condition)\n} do {\n\(loop.body)\n}"
      case .branch(let branch): "case {\n" + branch.branches.map(\.description).joined(separator: "\n} {\n") + "\n}"
      }
    }.joined(separator: "\n")
  }
}
