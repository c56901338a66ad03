// XLA's CPU plugins against the oracle: every operation in every element type, random programs with their gradients, state
// that is updated in place, and what every backend promises.

import AccelerandoCore
import AccelerandoTestSupport
import AccelerandoXLA
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct ConformanceTests {
  @Test(arguments: OperationCatalog.entries)
  func everyOperationAgreesWithTheOracle(_ entry: CatalogEntry) {
    for backend in TestPlugins.backends {
      #expect(conformance(of: backend, to: entry, rounds: 3) == [], "\(backend.client.plugin.path)")
    }
  }

  @Test(arguments: [false, true])
  func randomProgramsAgreeWithTheOracle(differentiates: Bool) throws {
    for backend in TestPlugins.backends {
      for seed in 0..<25 as Range<UInt64> {
        let example = try ProgramExample(seed: seed, differentiates: differentiates)
        let failure = compareRuns(example, on: backend, runs: 1)
        #expect(failure == nil, "seed \(seed)")
      }
    }
  }

  @Test(arguments: [false, true])
  func stateUpdatedInPlaceAgreesWithTheOracle(differentiates: Bool) throws {
    for backend in TestPlugins.backends {
      for seed in 1000..<1025 as Range<UInt64> {
        let example = try ProgramExample(seed: seed, differentiates: differentiates, updatesInputs: true)
        let failure = compareRuns(example, on: backend)
        #expect(failure == nil, "seed \(seed)")
      }
    }
  }

  @Test(arguments: BackendPromise.all)
  func pluginsKeepWhatBackendsPromise(_ promise: BackendPromise) throws {
    for backend in TestPlugins.backends { #expect(try promise.check(backend) == nil) }
  }
}
