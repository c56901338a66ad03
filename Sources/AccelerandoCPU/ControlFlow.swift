// Loops and branches inside a program: plans inside a plan.

import AccelerandoCore

extension Lowering {
  /// A loop's carried values live in the results' memory and a second place in turns; its condition and body are plans
  /// of their own.
  func lowerWhile(_ operation: While, _ instruction: Program.Instruction) throws {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let carried = zip(results, operands).map { result, operand in
      let byteCount = type(result).byteCount
      return Plan.Loop.Carried(
        value: result, spare: temporary(byteCount), initial: operand, byteCount: byteCount)
    }
    let loop = Plan.Loop(
      condition: try Self.plan(operation.condition, isa: isa, isShared: isShared),
      body: try LoopBody(operation.body, isa: isa, constants: [], isShared: isShared), carried: carried,
      continues: temporary(1))
    append(
      Draft(
        step: .loop(loop), reads: operands, writes: results + carried.map(\.spare) + [loop.continues]))
  }

  func lowerCase(_ operation: Case, _ instruction: Program.Instruction) throws {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let plans = try operation.branches.map { try Self.plan($0, isa: isa, isShared: isShared) }
    let branch = Plan.Branch(
      index: operands[0], branches: plans, operands: Array(operands.dropFirst()),
      reads: plans.map { plan in plan.program.inputs.indices.map { plan.program.uses(input: $0) } },
      results: results.map { ($0, type($0).byteCount) })
    append(Draft(step: .branch(branch), reads: operands, writes: results))
  }
}
