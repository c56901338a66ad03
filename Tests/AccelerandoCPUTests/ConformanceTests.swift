// The CPU engine against the oracle: each operation on random examples, on one thread and on several.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ConformanceTests {
  @Test(arguments: OperationCatalog.entries)
  func everyOperationAgreesWithTheOracle(_ entry: CatalogEntry) {
    for instructionSet in InstructionSet.available {
      let backend = CPUBackend(threads: 3, instructionSet: instructionSet)
      #expect(conformance(of: backend, to: entry) == [], "\(instructionSet)")
    }
  }
}

@Suite struct RandomProgramTests {
  @Test(arguments: [false, true])
  func fusedProgramsAgreeWithTheOracle(differentiates: Bool) throws {
    let backend = CPUBackend(threads: 3)
    for seed in 0..<150 as Range<UInt64> {
      let example = try ProgramExample(seed: seed, differentiates: differentiates)
      let failure = compareRuns(example, on: backend, runs: 1)
      #expect(failure == nil, "seed \(seed)")
    }
  }

  @Test(arguments: [false, true])
  func stateUpdatedInPlaceAgreesWithTheOracle(differentiates: Bool) throws {
    let backend = CPUBackend(threads: 2)
    for seed in 1000..<1150 as Range<UInt64> {
      let example = try ProgramExample(seed: seed, differentiates: differentiates, updatesInputs: true)
      let failure = compareRuns(example, on: backend)
      #expect(failure == nil, "seed \(seed)")
    }
  }

  @Test func oneThreadThatSharesNothingAgreesWithTheOracle() throws {
    for seed in 1500..<1600 as Range<UInt64> {
      let example = try ProgramExample(seed: seed, differentiates: true, updatesInputs: true)
      let failure = compareRuns(example, on: CPUBackend(sharing: .never))
      #expect(failure == nil, "seed \(seed)")
    }
  }

  @Test func resultsDoNotDependOnTheNumberOfThreads() throws {
    for seed in 2000..<2100 as Range<UInt64> {
      let example = try ProgramExample(seed: seed, differentiates: true)
      let results = try [1, 2, 3].map { try CPUBackend(threads: $0).evaluate(example.program, example.inputs) }
      #expect(results[1] == results[0], "seed \(seed)")
      #expect(results[2] == results[0], "seed \(seed)")
    }
  }
}

@Suite struct ContractTests {
  @Test(arguments: BackendPromise.all)
  func theEngineKeepsWhatBackendsPromise(_ promise: BackendPromise) throws {
    #expect(try promise.check(CPUBackend(threads: 2)) == nil)
  }
}

@Suite struct FrozenMatrixTests {
  /// A layer of few outputs behind something that is cut by samples, with weights that stay.
  private func run(
    _ inputs: [NDArray], _ backend: CPUBackend, frozen: Set<Int> = [1, 2]
  ) throws -> (result: NDArray, program: Program) {
    let program = try Program.trace(inputs.map(\.type)) { [(($0[0] * 0.5).relu().matmul($0[1]) + $0[2]).relu()] }
    let execution = try backend.compile(program, frozenInputs: frozen).bind(inputs.map { try backend.upload($0) })
    try execution.run()
    return (try execution.outputs[0].read(), program)
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func productsAgreeWithTheOracleAndDependNeitherOnThreadsNorOnTheBatch(_ seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    let (m, k, n) = (random.integer(2...160), random.integer(100...1500), random.integer(1...14))
    func tensor(_ shape: [Int]) throws -> NDArray {
      try NDArray((0..<shape.reduce(1, *)).map { _ in Float(random.real(-1...1)) }, shape: shape)
    }
    let x = try tensor([m, k])
    let weights = try [tensor([k, n]), tensor([n])]
    let rows = random.integer(2...m)
    let part = try NDArray(Array(x.elements(as: Float.self)[..<(rows * k)]), shape: [rows, k])
    for instructionSet in InstructionSet.available {
      let whole = try run([x] + weights, CPUBackend(threads: 1, instructionSet: instructionSet))
      let expected = try ReferenceBackend().evaluate(whole.program, [x] + weights)[0]
      let failure = difference(whole.result, from: expected, .of(.float32, ulps: 64, terms: 1024))
      #expect(failure == nil, "\(m)×\(k)×\(n), \(instructionSet)")
      let changing = try run([x] + weights, CPUBackend(threads: 2, instructionSet: instructionSet), frozen: [])
      let other = difference(changing.result, from: expected, .of(.float32, ulps: 64, terms: 1024))
      #expect(other == nil, "\(m)×\(k)×\(n), \(instructionSet), not frozen")
      for threads in 2...4 {
        let shared = try run([x] + weights, CPUBackend(threads: threads, instructionSet: instructionSet))
        #expect(shared.result == whole.result, "\(m)×\(k)×\(n), \(instructionSet), \(threads) threads")
      }
      let fewer = try run([part] + weights, CPUBackend(threads: 1, instructionSet: instructionSet))
      let first = whole.result.elements(as: Float.self)[..<(rows * n)]
      #expect(fewer.result.elements(as: Float.self)[...] == first, "\(rows) of \(m)×\(k)×\(n), \(instructionSet)")
    }
  }
}
