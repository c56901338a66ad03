// XLA's CPU plugins against the oracle: every operation in every element type, random programs with their gradients, state
// that is updated in place, and what every backend promises.

import AccelerandoCore
import AccelerandoTestSupport
import AccelerandoXLA
import Testing

/// What `Docs/Accelerators.md` lists as different on XLA.
private func differsByDesign(_ example: Example) -> Bool {
  let dtype = example.operands.first?.dtype ?? .float32
  switch example.operation {
  case let binary as Binary: return binary.function == .power && dtype.isInteger
  case let reduce as AllReduce: return (reduce.function == .and || reduce.function == .or) && dtype.isInteger
  case let scatter as Scatter: return scatter.dimensions.scatterToOperand.isEmpty
  case let reduce as Reduce:
    return reduce.function == .min && dtype.byteCount == 2 && dtype.isFloating
      && example.operands[0].elements(as: Double.self).contains { $0.isNaN }
  default: return false
  }
}

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct ConformanceTests {
  @Test(arguments: OperationCatalog.entries)
  func everyOperationAgreesWithTheOracle(_ entry: CatalogEntry) {
    for (number, backend) in TestPlugins.backends.enumerated() {
      // XLA fuses across operations and rounds where it likes.
      let failures = conformance(of: backend, to: entry, rounds: number == 0 ? 3 : 1, slack: 8, skips: differsByDesign)
      #expect(failures == [], "\(backend.client.plugin.path)")
    }
  }

  @Test(arguments: OperationCatalog.entries)
  func everyGradientAgreesWithTheOracle(_ entry: CatalogEntry) {
    #expect(gradientConformance(of: TestPlugins.backends[0], to: entry) == [])
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
