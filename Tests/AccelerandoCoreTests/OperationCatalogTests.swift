// The promise that "not implemented" cannot reach a user: every operation is in the list, has examples, and its gradient
// and its rule in the oracle are checked on them.

import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

@Suite struct OperationCatalogTests {
  @Test func everyOperationOfTheSourcesIsInTheList() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Sources/AccelerandoCore")
    let listed = Set(allOperations.map { "\($0)" })
    var found = Set<String>()
    for folder in ["Operations", "Composites"] {
      let directory = sources.appendingPathComponent(folder)
      for file in try FileManager.default.contentsOfDirectory(atPath: directory.path) where file.hasSuffix(".swift") {
        let text = try String(contentsOf: directory.appendingPathComponent(file), encoding: .utf8)
        for match in text.matches(of: /struct (\w+): (?:Operation|Composite)\b/) { found.insert(String(match.1)) }
      }
    }
    #expect(found.subtracting(listed).isEmpty, "missing in allOperations")
    #expect(listed.subtracting(found).isEmpty, "listed and not found in the sources")
  }

  @Test func everyOperationHasExamples() {
    for operation in allOperations {
      let entries = OperationCatalog.entries.filter { $0.operation == operation }
      #expect(!entries.isEmpty, "\(operation) has no entry in the catalog")
    }
    #expect(Set(OperationCatalog.entries.map(\.name)).count == OperationCatalog.entries.count)
  }

  @Test(arguments: OperationCatalog.entries)
  func examplesFitTheirTypeRuleAndTheOracleKnowsThem(_ entry: CatalogEntry) {
    for dtype in entry.dtypes {
      let examples = (0..<4 as Range<UInt64>).compactMap { entry.example(dtype, seed: $0) }
      #expect(examples.count == 4, "\(dtype)")
    }
    #expect(conformance(of: ReferenceBackend(), to: entry, rounds: 3) == [])
  }

  @Test(arguments: OperationCatalog.entries)
  func gradientsAgreeWithFiniteDifferences(_ entry: CatalogEntry) {
    #expect(checkGradients(of: entry) == [])
  }
}
