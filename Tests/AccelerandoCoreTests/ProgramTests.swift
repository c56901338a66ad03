// What a program promises to those who read it: order, types, aliases, and that transforms keep its meaning.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ProgramTests {
  private static let vector = TensorType(.float32, [3])

  private func example(_ seed: UInt64) throws -> ProgramExample {
    try ProgramExample(seed: seed, differentiates: seed % 2 == 0, updatesInputs: seed % 3 == 0)
  }

  @Test func operandsComeBeforeTheirUsersAndEveryInstructionIsNeeded() throws {
    for seed in 0..<60 as Range<UInt64> {
      let program = try example(seed).program
      var known = program.inputs.count
      for instruction in program.instructions {
        #expect(instruction.operands.allSatisfy { $0 < known })
        #expect(instruction.results.lowerBound == known)
        known = instruction.results.upperBound
        let types = try instruction.operation.infer(instruction.operands.map { program.types[$0] })
        #expect(types == instruction.results.map { program.types[$0] })
      }
      #expect(known == program.types.count)
      var used = Set(program.outputs)
      for instruction in program.instructions.reversed() {
        #expect(instruction.results.contains { used.contains($0) })
        used.formUnion(instruction.operands)
      }
    }
  }

  @Test func rewritingByItselfChangesNothing() throws {
    for seed in 0..<20 as Range<UInt64> {
      let program = try example(seed).program
      let copy = try program.rewriting { instruction, operands, graph in graph.add(instruction.operation, operands) }
      #expect(copy == program)
      #expect(copy.hashValue == program.hashValue)
    }
  }

  @Test func openingCompositesKeepsTheNumbers() throws {
    for seed in 100..<140 as Range<UInt64> {
      let example = try example(seed)
      let opened = try example.program.expandingComposites()
      #expect(!opened.instructions.contains { $0.operation is any Composite })
      try expectEqual(opened, example)
    }
  }

  @Test func simplifyingKeepsTheNumbersAndNeverAddsWork() throws {
    for seed in 200..<320 as Range<UInt64> {
      let example = try example(seed)
      let simplified = try example.program.simplified()
      #expect(simplified.inputs == example.program.inputs)
      #expect(simplified.outputTypes == example.program.outputTypes)
      #expect(simplified.aliases == example.program.aliases)
      try expectEqual(simplified, example)
    }
  }

  @Test(arguments: OperationCatalog.entries)
  func simplifyingKeepsEveryOperation(_ entry: CatalogEntry) throws {
    for dtype in entry.dtypes {
      for seed in 0..<3 as Range<UInt64> {
        guard let example = entry.example(dtype, seed: 50 + seed) else { continue }
        // Half of the operands are constants: what is known is computed while simplifying.
        let graph = Graph()
        let inputs = example.operands.indices.filter { ($0 + Int(seed)) % 2 == 0 }
        let operands = example.operands.enumerated().map { index, value in
          inputs.contains(index) ? graph.input("x\(index)", value.type) : graph.add(Constant(value))
        }
        let program = try Program(graph, outputs: graph.add(example.operation, operands))
        let values = inputs.map { example.operands[$0] }
        let expected = try ReferenceBackend().evaluate(program, values)
        let received = try ReferenceBackend().evaluate(try program.simplified(), values)
        for (a, b) in zip(received, expected) {
          let failure = difference(a, from: b, .of(b.dtype, ulps: max(example.ulps, 16), terms: example.terms))
          #expect(failure == nil, "\(entry.name), \(dtype), seed \(50 + seed)")
        }
      }
    }
  }

  private func expectEqual(_ program: Program, _ example: ProgramExample) throws {
    let expected = try ReferenceBackend().evaluate(example.program, example.inputs)
    let received = try ReferenceBackend().evaluate(program, example.inputs)
    for (a, b) in zip(received, expected) {
      #expect(difference(a, from: b, Tolerance(relative: 1e-3, absolute: 1e-3)) == nil)
    }
  }

  @Test func aliasesAreBetweenEqualTypes() {
    let inputs = [("state", Self.vector)]
    #expect(
      message { _ = try Program.trace(inputs, aliases: [0: 0]) { [$0[0].sum()] } }
        .contains("takes over input 'state', which is float32[3]; the output is float32[]"))
    #expect(message { _ = try Program.trace(inputs, aliases: [1: 0]) { [$0[0]] } }.contains("no such output"))
    #expect(message { _ = try Program.trace(inputs, aliases: [0: 4]) { [$0[0]] } }.contains("no such"))
  }

  @Test func equalProgramsAreEqualAndAttributesCount() throws {
    func program(_ factor: Double, axis: Int) throws -> Program {
      try Program.trace([TensorType(.float32, [2, 3])]) { [($0[0] * factor).sum(axes: [axis])] }
    }
    #expect(try program(2, axis: 0) == program(2, axis: 0))
    #expect(try program(2, axis: 0) != program(3, axis: 0))
    #expect(try program(2, axis: 0) != program(2, axis: 1))
  }

  @Test func evaluationNamesWhatDoesNotFit() throws {
    let program = try Program.trace([("pixels", Self.vector)]) { [$0[0] + 1] }
    #expect(message { _ = try ReferenceBackend().evaluate(program, []) }.contains("1 inputs; received 0"))
    let wrong = NDArray([1] as [Float])
    #expect(message { _ = try ReferenceBackend().evaluate(program, [wrong]) }.contains("'pixels'"))
  }
}
