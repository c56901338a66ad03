// The CPU engine against the oracle: each operation on random examples, on one thread and on several.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ConformanceTests {
  @Test(arguments: OperationCatalog.entries)
  func everyOperationAgreesWithTheOracle(_ entry: CatalogEntry) {
    #expect(conformance(of: CPUBackend(threads: 3), to: entry) == [])
  }
}
