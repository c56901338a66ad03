// The body of a loop as a plan that runs again and again on other memory: nothing is copied between rounds, the tables of
// pointers change instead.

import AccelerandoCore

/// A body's plan, which computes each of its results once.
struct LoopBody: Sendable {
  /// Where an output of the body comes from.
  enum Source: Sendable, Hashable {
    /// It is an input, unchanged.
    case input(Int)
    /// An output of the plan.
    case output(Int)
  }

  let plan: Plan
  let sources: [Source]

  /// - Parameter constants: the inputs that are the same in all rounds; what depends on them alone is computed once.
  init(_ program: Program, isa: InstructionSet, constants: Set<Int>, isShared: Bool) throws {
    let simple = try program.simplified()
    var sources: [Source] = []
    var values: [Int] = []
    for value in simple.outputs {
      if value < simple.inputs.count {
        sources.append(.input(value))
      } else {
        if !values.contains(value) { values.append(value) }
        sources.append(.output(values.firstIndex(of: value) ?? 0))
      }
    }
    self.sources = sources
    plan = try Lowering.plan(
      simple.returning(values), isa: isa, frozenInputs: constants, isShared: isShared)
  }
}

/// A body's tables of pointers, to be changed between rounds.
final class LoopFrame {
  let frame: Frame
  /// The values that lie in the memory of each input and output.
  private let inputValues: [[Int]]
  private let outputValues: [[Int]]
  private let threads: Int

  init(_ plan: Plan, _ outer: PlanMemory) throws {
    frame = try Frame(unbound: plan, outer)
    threads = outer.threads.threads
    var inputs = [[Int]](repeating: [], count: plan.program.inputs.count)
    var outputs = [[Int]](repeating: [], count: plan.program.outputs.count)
    for (value, place) in plan.places.enumerated() {
      switch place {
      case .input(let input): inputs[input].append(value)
      case .output(let output): outputs[output].append(value)
      default: break
      }
    }
    inputValues = inputs
    outputValues = outputs
  }

  /// Lets an input be read from `address`, by all threads or by one.
  @inline(__always)
  func setInput(_ input: Int, _ address: UnsafeMutableRawPointer, on member: Int? = nil) {
    for value in inputValues[input] { set(value, address, member) }
  }

  /// Lets an output be written to `address`, by all threads or by one.
  @inline(__always)
  func setOutput(_ output: Int, _ address: UnsafeMutableRawPointer, on member: Int? = nil) {
    for value in outputValues[output] { set(value, address, member) }
  }

  @inline(__always)
  private func set(_ value: Int, _ address: UnsafeMutableRawPointer, _ member: Int?) {
    if let member {
      frame.contexts[member].table[value] = address
      return
    }
    frame.table[value] = address
    for member in 0..<threads { frame.contexts[member].table[value] = address }
  }
}
