import AccelerandoCore
import Foundation
import Testing

@Suite struct StableHLOTests {
  @Test func everyExampleIsWritten() throws {
    // Where a folder is named, the modules are left there for `check_stablehlo.py`, which asks MLIR's own verifier.
    let folder = ProcessInfo.processInfo.environment["STABLEHLO_DUMP"].map { URL(fileURLWithPath: $0) }
    for example in try stableHLOExamples() {
      let text = try example.program.stableHLO(name: example.name)
      #expect(text.hasPrefix("module @\(example.name) {\n"))
      #expect(!text.contains("erf"), "composites are opened: \(example.name)")
      if let folder { try Data(text.utf8).write(to: folder.appendingPathComponent(example.name + ".mlir")) }
    }
  }
}
