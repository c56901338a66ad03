// A model in use: what follows a convolution and depends on frozen values alone (a normalization by running statistics) is
// moved into the convolution's weights and its bias. The weights are then multiplied once, when they are packed, and no pass
// over the results is left.

import AccelerandoCore

extension Program {
  /// An equal program, up to rounding, in which frozen vectors that scale and shift the outputs of a convolution with frozen
  /// weights do so in its weights and in one sum.
  /// - Throws: never for a program that was traced without error.
  func foldingNormalization(frozenInputs: Set<Int>) throws(GraphError) -> Program {
    guard !frozenInputs.isEmpty, instructions.contains(where: { $0.operation is Convolution }) else { return self }
    var folding = Folding(self, frozenInputs: frozenInputs)
    let result = try rewriting(sharesEqualNodes: true) { folding.rewrite($0, $1, $2) }
    return folding.isWorthwhile ? try result.simplified() : self
  }

  /// For each value, whether it depends on frozen inputs and on nothing that changes between runs.
  func dependsOnFrozenAlone(_ frozenInputs: Set<Int>) -> [Bool] { dependencies(frozenInputs).map { $0 == .frozen } }

  fileprivate enum Dependency { case nothing, frozen, changing }

  fileprivate func dependencies(_ frozenInputs: Set<Int>) -> [Dependency] {
    var found = types.indices.map { frozenInputs.contains($0) ? Dependency.frozen : .changing }
    for instruction in instructions {
      let operands = instruction.operands.map { found[$0] }
      let isFixed = !operands.contains(.changing) && instruction.operation.regions.isEmpty
      let dependency: Dependency = !isFixed ? .changing : operands.contains(.frozen) ? .frozen : .nothing
      for value in instruction.results { found[value] = dependency }
    }
    return found
  }
}

/// The rewriting of one program.
private struct Folding {
  /// A convolution whose outputs have been multiplied by `scale` and increased by `shift`; nil for 1 and 0.
  private struct Folded {
    let operation: Convolution
    let operands: [Tensor]
    var scale: Tensor?
    var shift: Tensor?
  }

  private let isFixed: [Bool]
  private let isUsedOnce: [Bool]
  /// Convolutions by the index of their value, as far as what follows has been moved into them.
  private var folded: [Int: Folded] = [:]
  /// Fixed vectors and scalars, by the index of the value that repeats them along all axes but the last.
  private var vectors: [Int: Tensor] = [:]
  /// Whether there is more to fold than the sum with a bias, which the convolution computes anyway.
  private(set) var isWorthwhile = false

  init(_ program: Program, frozenInputs: Set<Int>) {
    isFixed = program.dependencies(frozenInputs).map { $0 != .changing }
    var uses = [Int](repeating: 0, count: program.types.count)
    for value in program.instructions.flatMap(\.operands) + program.outputs { uses[value] += 1 }
    isUsedOnce = uses.map { $0 == 1 }
  }

  /// The replacement of an instruction.
  mutating func rewrite(_ instruction: Program.Instruction, _ operands: [Tensor], _ graph: Graph) -> [Tensor] {
    let (numbers, result) = (instruction.operands, instruction.results.lowerBound)
    switch instruction.operation {
    case let broadcast as BroadcastInDim where isFixed[numbers[0]]:
      if operands[0].rank == 0 || (operands[0].rank == 1 && broadcast.axes == [broadcast.shape.count - 1]) {
        vectors[result] = operands[0]
      }
    case let convolution as Convolution where isFixed[numbers[1]] && isUsedOnce[result]:
      let last = operands[1].rank - 1
      if operands.allSatisfy({ $0.dtype == .float32 }), convolution.batchGroups == 1,
        convolution.dimensions.kernelOutput == last, convolution.dimensions.outputFeature == last
      {
        folded[result] = Folded(operation: convolution, operands: operands)
      }
    case let binary as Binary:
      if let next = continued(binary.function, numbers, operands) {
        if isUsedOnce[result] { folded[result] = next }
        return [tensor(next, graph)]
      }
    default: break
    }
    return graph.add(instruction.operation, operands)
  }

  /// A folded convolution after one more operation with a fixed vector; nil for anything else.
  private mutating func continued(_ function: Binary.Function, _ numbers: [Int], _ operands: [Tensor]) -> Folded? {
    guard numbers[0] != numbers[1] else { return nil }
    let isLeft = folded[numbers[0]] != nil
    guard var next = folded[numbers[isLeft ? 0 : 1]], let vector = vectors[numbers[isLeft ? 1 : 0]] else { return nil }
    let hasFolded = next.scale != nil || next.shift != nil
    let channels = operands[isLeft ? 0 : 1].shape.suffix(1)
    let v = vector.broadcast(to: Array(channels), axes: vector.rank == 0 ? [] : [0])
    switch function {
    case .add: next.shift = next.shift.map { $0 + v } ?? v
    case .subtract where isLeft: next.shift = next.shift.map { $0 - v } ?? -v
    case .subtract:
      next.scale = next.scale.map { -$0 } ?? v.filled(-1)
      next.shift = next.shift.map { v - $0 } ?? v
    case .multiply:
      next.scale = next.scale.map { $0 * v } ?? v
      next.shift = next.shift.map { $0 * v }
    case .divide where isLeft:
      next.scale = (next.scale ?? v.filled(1)) / v
      next.shift = next.shift.map { $0 / v }
    default: return nil
    }
    if function != .add || hasFolded { isWorthwhile = true }
    return next
  }

  /// The convolution with its weights multiplied, and the sum with the vector.
  private func tensor(_ folded: Folded, _ graph: Graph) -> Tensor {
    var operands = folded.operands
    if let scale = folded.scale {
      operands[1] = operands[1] * scale.broadcast(to: operands[1].shape, axes: [operands[1].rank - 1])
    }
    let result = graph.add(folded.operation, operands)[0]
    guard let shift = folded.shift else { return result }
    // The vector comes first, so that it is computed when the convolution needs it.
    return shift.broadcast(to: result.shape, axes: [result.rank - 1]) + result
  }
}
