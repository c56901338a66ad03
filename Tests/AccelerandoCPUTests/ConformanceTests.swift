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
