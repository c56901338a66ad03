// Elementwise instructions that run as one loop over blocks that stay in the L1 cache. Operands are loaded through
// views (broadcasts, transposes and slices need no pass of their own); results that others need are stored.

import AccelerandoCore
import CKernels

/// A fused loop under construction.
final class LoopGroup {
  /// The number of elements.
  let count: Int
  /// Whether it depends on frozen inputs alone, so that it runs once.
  let isFrozen: Bool
  private var members: [(instruction: Program.Instruction, loads: [View])] = []
  private var computed: Set<Int> = []
  private var loadedRoots: Set<Int> = []
  private var stored: [Int] = []

  init(count: Int, isFrozen: Bool) {
    self.count = count
    self.isFrozen = isFrozen
  }

  /// The largest number of axes of a view that cannot be merged into one.
  static let maximumAxes = Int(accVMMaxRank)

  /// Whether the loop is long enough; beyond this its blocks do not fit in the L1 cache.
  var isFull: Bool { members.count >= 400 }

  /// Whether the loop reads or computes one of the views' values.
  func sharesOperand(with views: [View]) -> Bool {
    views.contains { loadedRoots.contains($0.root) || computed.contains($0.root) }
  }

  func computes(_ value: Int) -> Bool { computed.contains(value) }

  func stores(_ value: Int) -> Bool { stored.contains(value) }

  /// The instruction that computes a value, and how its operands are read.
  func member(computing value: Int) -> (instruction: Program.Instruction, loads: [View])? {
    members.first { $0.instruction.results.contains(value) }
  }

  /// Adds an instruction.
  func add(_ instruction: Program.Instruction, loads: [View]) {
    members.append((instruction, loads))
    computed.formUnion(instruction.results)
    loadedRoots.formUnion(loads.map(\.root).filter { !computed.contains($0) })
  }

  /// Makes the loop store a value in memory.
  func store(_ value: Int) {
    if !stored.contains(value) { stored.append(value) }
  }

  /// The finished kernel, what it reads and writes, and which inputs' memory its results may reuse.
  func finish(in lowering: Lowering) -> (kernel: any Kernel, reads: [Int], writes: [Int], inPlace: Set<Int>) {
    var code = LoopCode()
    var registers: [Int: Int] = [:]
    var used: Set<Int> = []
    // Unused values are not computed.
    var needed = Set(stored)
    for member in members.reversed()
    where needed.contains(member.instruction.results.lowerBound) {
      needed.formUnion(member.loads.map(\.root))
    }
    var strided: Set<Int> = []
    for (instruction, loads) in members where needed.contains(instruction.results.lowerBound) {
      let operands = loads.map { view -> Int in
        if view.isContiguous, let register = registers[view.root], computed.contains(view.root) { return register }
        if let constant = lowering.constants[view.root], constant.elementCount == 1 { return code.constant(constant) }
        used.insert(view.root)
        let (register, isContiguous) = code.load(view)
        if !isContiguous { strided.insert(view.root) }
        return register
      }
      let result = instruction.results.lowerBound
      registers[result] = code.apply(
        instruction.operation, operands, instruction.operands.map(lowering.type), result: lowering.type(result))
    }
    for value in stored {
      if let register = registers[value] { code.store(register, to: value, lowering.type(value).dtype) }
    }
    if let kernel = code.channelKernel(count: count, isa: lowering.isa) {
      return (kernel, Array(used).sorted(), stored, used.subtracting(strided))
    }
    code.joinAffine()
    let kernel = code.kernel(count: count, isa: lowering.isa)
    return (kernel, Array(used).sorted(), stored, used.subtracting(strided))
  }
}
