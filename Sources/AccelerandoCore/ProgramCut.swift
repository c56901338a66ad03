// A program of several workers, cut at its `AllReduce`s into pieces that a backend can run without knowing of other
// workers.

/// A program cut at its `AllReduce` operations.
///
/// Values that depend on a worker's own part of the batch are *local* and computed for each part; all others are common
/// and computed once. The pieces run in order: the common one of a round, the local one, then the round's sums, which
/// are completed by the common piece of the next round.
public struct ProgramCut {
  /// What a piece reads.
  public enum Read: Hashable, Sendable {
    /// A value of the whole program.
    case value(Int)
    /// What a leaf of the tree of sums contributes to the sum with the operand.
    case leaf(Int, of: Int)
  }

  /// A piece of the program.
  public struct Piece {
    /// The piece, as a program.
    public let program: Program
    /// Its inputs, in order.
    public let reads: [Read]
    /// The values of the whole program that it computes, in the order of its outputs.
    public let computes: [Int]
  }

  /// A sum over the workers.
  public struct Reduction {
    /// The value that each part contributes.
    public let operand: Int
    /// Its type.
    public let type: TensorType
  }

  /// What runs between two barriers.
  public struct Round {
    /// The piece that runs once; nil if there is nothing to do.
    public let common: Piece?
    /// The piece that runs for each part; nil if there is nothing to do.
    public let local: Piece?
    /// The sums at the end of the round.
    public let reductions: [Reduction]
  }

  /// The rounds, in order.
  public let rounds: [Round]
  /// Outputs of the program that reuse an input's memory but had to be computed elsewhere, since the input is still
  /// read later: to be copied at the end, from the value to the input.
  public let copies: [(value: Int, input: Int)]
  /// For each value, whether it differs between parts.
  public let isLocal: [Bool]

  /// Cuts a program.
  /// - Parameters:
  ///   - program: the program to cut.
  ///   - localInputs: the indices of the inputs that differ between parts.
  ///   - tree: how the contributions of the parts are summed.
  /// - Throws: `GraphError` for an `AllReduce` inside a loop or a branch, with groups, or with another function than
  ///   the sum.
  public init(_ program: Program, localInputs: Set<Int>, tree: SumTree) throws(GraphError) {
    var isLocal = program.types.indices.map { localInputs.contains($0) }
    var rounds = [Int](repeating: 0, count: program.types.count)
    var reductions: [(round: Int, reduction: Reduction)] = []
    for instruction in program.instructions {
      let round = instruction.operands.map { rounds[$0] }.max() ?? 0
      if let reduction = instruction.operation as? AllReduce {
        guard reduction.function == .sum, reduction.groups.isEmpty else {
          throw GraphError("workers here meet in sums over all of them only.", path: instruction.path)
        }
        let (operand, result) = (instruction.operands[0], instruction.results.lowerBound)
        // Values that are the same for all parts need no sum.
        rounds[result] = isLocal[operand] ? round + 1 : round
        if isLocal[operand], !reductions.contains(where: { $0.reduction.operand == operand }) {
          reductions.append((round, Reduction(operand: operand, type: program.types[result])))
        }
        continue
      }
      guard !instruction.operation.regions.contains(where: \.meets) else {
        throw GraphError("workers cannot meet inside a loop or a branch here.", path: instruction.path)
      }
      for result in instruction.results {
        rounds[result] = round
        isLocal[result] = instruction.operands.contains { isLocal[$0] }
      }
    }
    self.isLocal = isLocal
    let count = (rounds.max() ?? 0) + 1

    let reduced = Set(reductions.map(\.reduction.operand))
    let given = Set(program.outputs)
    // Views are computed wherever they are needed: between pieces they would be copies.
    let views = Dictionary(
      program.instructions.filter { instruction in
        let value = instruction.results.lowerBound
        return instruction.operation.isView && !isLocal[value] && !reduced.contains(value) && !given.contains(value)
      }.map { ($0.results.lowerBound, $0) }, uniquingKeysWith: { first, _ in first })
    func place(_ instruction: Program.Instruction) -> Int {
      let value = instruction.results.lowerBound
      return 2 * rounds[value] + (isLocal[value] ? 1 : 0)
    }
    func isPlaced(_ instruction: Program.Instruction) -> Bool { views[instruction.results.lowerBound] == nil }
    /// The values that an instruction reads directly; of summed values, only leaves are read.
    func operands(_ instruction: Program.Instruction) -> [Int] {
      instruction.operands.filter { !(instruction.operation is AllReduce && isLocal[$0]) }
    }

    // The last piece that reads each value; the common piece of a round comes before the local one.
    var lastUse = [Int](repeating: -1, count: program.types.count)
    for instruction in program.instructions where isPlaced(instruction) {
      var values = operands(instruction)
      while let value = values.popLast() {
        if let view = views[value] {
          values += view.operands
        } else {
          lastUse[value] = max(lastUse[value], place(instruction))
        }
      }
    }
    var copies: [(value: Int, input: Int)] = []
    var result: [Round] = []
    var settled: Set<Int> = []

    func piece(_ round: Int, local: Bool) throws(GraphError) -> Piece? {
      let here = 2 * round + (local ? 1 : 0)
      let placed = program.instructions.filter { isPlaced($0) && place($0) == here }
      guard !placed.isEmpty else { return nil }
      var needed: Set<Int> = []
      var values = placed.flatMap(operands)
      while let value = values.popLast() {
        if let view = views[value], needed.insert(value).inserted { values += view.operands }
      }
      let instructions = program.instructions.filter {
        needed.contains($0.results.lowerBound) || (isPlaced($0) && place($0) == here)
      }
      let graph = Graph()
      var tensors: [Int: Tensor] = [:]
      var reads: [Read] = []
      func name(_ value: Int) -> String {
        value < program.inputs.count ? program.inputs[value].name : "value \(value)"
      }
      let inside = Set(instructions.flatMap { Array($0.results) })
      for instruction in instructions {
        for operand in operands(instruction) where !inside.contains(operand) && tensors[operand] == nil {
          tensors[operand] = graph.input(name(operand), program.types[operand])
          reads.append(.value(operand))
        }
      }
      var leaves: [Int: [Tensor]] = [:]
      for operand in placed.filter({ $0.operation is AllReduce }).map({ $0.operands[0] })
      where isLocal[operand] && leaves[operand] == nil {
        leaves[operand] = tree.leaves.indices.map { leaf in
          reads.append(.leaf(leaf, of: operand))
          return graph.input("\(name(operand)) of \(tree.leaves[leaf])", program.types[operand])
        }
      }
      for instruction in instructions {
        graph.path = instruction.path
        let results: [Tensor]
        if instruction.operation is AllReduce {
          let operand = instruction.operands[0]
          results = [leaves[operand].flatMap(tree.sum) ?? tensors[operand].map { $0 * Double(tree.parts.count) }]
            .compactMap { $0 }
        } else {
          results = graph.add(instruction.operation, instruction.operands.compactMap { tensors[$0] })
        }
        for (value, tensor) in zip(instruction.results, results) { tensors[value] = tensor }
      }
      graph.path = []
      let computes = placed.flatMap { Array($0.results) }.filter {
        lastUse[$0] > here || reduced.contains($0) || given.contains($0)
      }
      var aliases: [Int: Int] = [:]
      if !local {
        for (output, input) in program.aliases {
          let value = program.outputs[output]
          // In place, if the old value is no longer needed.
          if let from = computes.firstIndex(of: value), let to = reads.firstIndex(of: .value(input)),
            lastUse[input] <= here,
            !given.contains(input), !aliases.values.contains(to), aliases[from] == nil
          {
            aliases[from] = to
            settled.insert(output)
          }
        }
      }
      return Piece(
        program: try Program(graph, outputs: computes.compactMap { tensors[$0] }, aliases: aliases), reads: reads,
        computes: computes)
    }
    for round in 0..<count {
      let common = try piece(round, local: false)
      let local = try piece(round, local: true)
      result.append(
        Round(common: common, local: local, reductions: reductions.filter { $0.round == round }.map(\.reduction)))
    }
    for (output, input) in program.aliases.sorted(by: { $0.key < $1.key }) where !settled.contains(output) {
      copies.append((program.outputs[output], input))
    }
    self.rounds = result
    self.copies = copies
  }
}

extension Operation {
  /// Whether the operation is only a view of its operand, or creates its elements.
  fileprivate var isView: Bool {
    self is Reshape || self is Transpose || self is BroadcastInDim || self is Slice || self is Reverse
      || self is Constant
      || self is Iota
  }
}

extension Program {
  /// Whether the program has an `AllReduce` anywhere.
  public var meets: Bool {
    instructions.contains { $0.operation is AllReduce || $0.operation.regions.contains(where: \.meets) }
  }
}
