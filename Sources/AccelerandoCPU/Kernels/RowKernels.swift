// Optimizer updates of one tensor in one pass.

import AccelerandoCore
import CKernels

/// Adam's update of one float32 tensor, in place where the planner lets it.
struct AdamKernel: Kernel {
  let update: AdamUpdate
  /// w, m, v, g, α and perhaps lr·decay.
  let operands: [Int]
  /// w, m, v.
  let results: [Int]
  let count: Int
  let isa: InstructionSet

  var label: String { "adam \(count)" }

  var cost: Cost { Cost(flops: 14 * Double(count), bytes: 28 * Double(count)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: count, threads: threads, minimumPerTask: 4_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(
      units, elementCount: count, operands: Array(operands[0..<4]), whole: Array(operands.dropFirst(4)))
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: count, grain: 16)
    let start = part.lowerBound
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value, Float.self) + start }
    isa.kernels.adam?(
      at(operands[0]), at(operands[1]), at(operands[2]), at(operands[3]), at(results[0]), at(results[1]),
      at(results[2]), part.count, memory.elements(operands[4], Float.self)[0], Float(1 - update.beta1),
      Float(1 - update.beta2), Float(update.epsilon),
      update.decays ? memory.elements(operands[5], Float.self)[0] : 0)
  }
}

/// Gradient descent with momentum of one float32 tensor, in place where the planner lets it.
struct MomentumKernel: Kernel {
  let update: MomentumUpdate
  /// w, momentum, g, learning rate.
  let operands: [Int]
  /// w, momentum.
  let results: [Int]
  let count: Int
  let isa: InstructionSet

  var label: String { "momentum \(count)" }

  var cost: Cost { Cost(flops: 5 * Double(count), bytes: 20 * Double(count)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: count, threads: threads, minimumPerTask: 6_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: count, operands: Array(operands[0..<3]), whole: [operands[3]])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: count, grain: 16)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> { memory.elements(value, Float.self) + part.lowerBound }
    isa.kernels.sgd_momentum?(
      at(operands[0]), at(operands[1]), at(operands[2]), at(results[0]), at(results[1]), part.count,
      memory.elements(operands[3], Float.self)[0], Float(update.momentum), update.nesterov)
  }
}
