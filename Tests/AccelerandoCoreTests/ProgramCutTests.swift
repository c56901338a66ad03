import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ProgramCutTests {
  private let vector = TensorType(.float32, [4])
  private let tree = SumTree(0..<4)

  @Test func roundsAreCommonThenLocalThenAReduction() throws {
    let program = try Program.trace([("state", vector), ("x", vector)], aliases: [0: 0]) { inputs in
      let rate = (inputs[0] * 0.5).exp()
      let mean = (inputs[1] * rate).allReduced(.sum)
      let spread = (inputs[1] - mean).squared().allReduced(.sum)
      return [inputs[0] - spread * rate, mean]
    }
    let cut = try ProgramCut(program, localInputs: [1], tree: tree)
    #expect(cut.rounds.count == 3)
    #expect(cut.rounds.map { $0.reductions.count } == [1, 1, 0])
    #expect(cut.rounds.map { $0.local != nil } == [true, true, false])
    #expect(cut.rounds[0].common != nil && cut.rounds[2].common != nil)
    // The state is replaced in place, in the last piece, which is the only one to read it then.
    #expect(cut.rounds[2].common?.program.aliases.count == 1)
    #expect(cut.copies.isEmpty)
  }

  @Test func whatIsReadLaterIsNotReplacedInPlace() throws {
    let program = try Program.trace([("count", vector), ("x", vector)], aliases: [0: 0]) { inputs in
      // The next state is known in the first round, and the old one is read in the last.
      [inputs[0].exp(), inputs[0] * inputs[1].allReduced(.sum)]
    }
    let cut = try ProgramCut(program, localInputs: [1], tree: tree)
    #expect(cut.copies.map(\.input) == [0])
    #expect(cut.rounds.allSatisfy { $0.common?.program.aliases.isEmpty ?? true })
  }

  @Test func viewsOfCommonValuesAreNotCopiedBetweenPieces() throws {
    let data = TensorType(.float32, [100, 2, 2])
    let program = try Program.trace([("data", data), ("rows", TensorType(.int32, [4]))]) { inputs in
      [inputs[0].reshaped([100, 4]).taking(inputs[1]).sum().allReduced(.sum)]
    }
    let cut = try ProgramCut(program, localInputs: [1], tree: tree)
    #expect(cut.rounds[0].common == nil)
    #expect(cut.rounds[0].local?.reads == [.value(0), .value(1)])
  }

  @Test func reductionsThatAreNoSumsOverAllAreRefused() throws {
    for meeting in [AllReduce(.max), AllReduce(.sum, groups: [[0, 1]])] {
      let program = try Program.trace([vector]) { [$0[0].graph.add(meeting, $0[0])] }
      #expect(throws: GraphError.self) { try ProgramCut(program, localInputs: [0], tree: tree) }
    }
  }

  @Test func sumsAreCompletedFromTheLeavesByThePieceThatReadsThem() throws {
    let program = try Program.trace([("x", vector)]) { [$0[0].exp().allReduced(.sum) * 2] }
    let cut = try ProgramCut(program, localInputs: [0], tree: tree)
    let operand = try #require(cut.rounds[0].reductions.first?.operand)
    let last = try #require(cut.rounds[1].common)
    #expect(last.reads == (0..<4).map { .leaf($0, of: operand) })
    #expect(last.program.instructions.filter { ($0.operation as? Binary)?.function == .add }.count == 3)
  }

  @Test func whatAllPartsHaveTheSameNeedsNoReduction() throws {
    let program = try Program.trace([("x", vector), ("count", vector)]) { inputs in
      [inputs[0].allReduced(.sum) / inputs[1].allReduced(.sum)]
    }
    let cut = try ProgramCut(program, localInputs: [0], tree: tree)
    #expect(cut.rounds.flatMap(\.reductions).count == 1)
  }
}

@Suite struct SumTreeTests {
  @Test func leavesOfWorkersCoverAllPartsInOrderAsHalvesOfHalves() {
    for parts in [1, 2, 4, 8, 16] {
      for size in 1...min(parts, 9) {
        let starts = (0...size).map { $0 * parts / size }
        let leaves = SumTree(parts: parts, of: zip(starts, starts.dropFirst()).map { $0..<$1 }).leaves
        #expect(leaves.flatMap { Array($0) } == Array(0..<parts))
        #expect(leaves.allSatisfy { $0.count & ($0.count - 1) == 0 && $0.lowerBound % $0.count == 0 })
      }
    }
  }

  @Test func sumsHaveTheSameBitsWhateverLeavesAreKnown() throws {
    // Large and small numbers, so that every other order rounds to something else.
    let values = (0..<8).map { (part: Int) -> NDArray in
      let large: Float = part % 2 == 0 ? 3.7e7 : -9.1e7
      return NDArray([large * Float(part + 1), 1 / Float(part + 3), Float(part) + 0.1])
    }
    func total(_ tree: SumTree) throws -> NDArray {
      let type = TensorType(.float32, [3])
      let program = try Program.trace([TensorType](repeating: type, count: 8)) { parts in
        let known = tree.leaves.compactMap { leaf in SumTree(leaf).sum(Array(parts[leaf])) }
        return [tree.sum(known) ?? parts[0]]
      }
      return try ReferenceBackend().evaluate(program, values)[0]
    }
    let whole = try total(SumTree(0..<8))
    for cuts in [[0..<8], [0..<4, 4..<8], [0..<3, 3..<6, 6..<8], [0..<1, 1..<2, 2..<8]] {
      #expect(try total(SumTree(parts: 8, of: cuts)) == whole)
    }
  }
}
