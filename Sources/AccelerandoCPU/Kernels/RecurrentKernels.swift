// The gates of recurrent layers, and their gradients, as kernels over rows.

import AccelerandoCore
import CKernels

/// One of the four formulas, on rows of parts of `units` elements.
struct RecurrentGatesKernel: Kernel {
  enum Formula: String {
    case lstm = "LSTM gates"
    case lstmGradient = "LSTM gates' gradient"
    case gru = "GRU gates"
    case gruGradient = "GRU gates' gradient"
  }

  let formula: Formula
  let operands: [Int]
  let results: [Int]
  let rows: Int
  let units: Int
  let isa: InstructionSet

  var label: String { "\(formula.rawValue) [\(rows), \(units)]" }

  /// Elements of a row of an operand or result, in multiples of `units`.
  private var parts: Int { formula == .lstm ? 15 : formula == .lstmGradient ? 13 : 12 }

  var cost: Cost {
    let elements = Double(rows * units)
    return Cost(flops: (formula == .lstm || formula == .gru ? 100 : 40) * elements, bytes: 4 * Double(parts) * elements)
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * units, threads: threads, minimumPerTask: 2_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: rows, operands: operands)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let (first, count) = (part.lowerBound * units, part.count)
    func read(_ operand: Int, _ width: Int) -> UnsafeMutablePointer<Float> {
      memory.elements(operands[operand], Float.self) + width * first
    }
    func written(_ result: Int, _ width: Int) -> UnsafeMutablePointer<Float> {
      memory.elements(results[result], Float.self) + width * first
    }
    switch formula {
    case .lstm:
      isa.kernels.lstm_gates_f32?(
        read(0, 4), read(1, 4), read(2, 1), written(0, 1), written(1, 1), written(2, 4), count, units)
    case .lstmGradient:
      isa.kernels.lstm_gates_backward_f32?(
        read(0, 4), read(1, 1), read(2, 1), read(3, 1), read(4, 1), written(0, 4), written(1, 1), count, units)
    case .gru:
      isa.kernels.gru_gates_f32?(read(0, 3), read(1, 3), read(2, 1), written(0, 1), written(1, 4), count, units)
    case .gruGradient:
      isa.kernels.gru_gates_backward_f32?(
        read(0, 4), read(1, 1), read(2, 1), written(0, 3), written(1, 3), written(2, 1), count, units)
    }
  }
}

extension Lowering {
  func lowerGates(_ formula: RecurrentGatesKernel.Formula, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    // The state's type: its last axis is a part.
    let state = type(instruction.operands[formula == .lstm || formula == .gru ? 2 : 1])
    let units = state.shape.last ?? 0
    add(
      RecurrentGatesKernel(
        formula: formula, operands: operands, results: results,
        rows: units > 0 ? state.elementCount / units : 0, units: units, isa: isa), reads: operands, writes: results)
  }
}
