// What a run must not do: take memory. Every operation, in every element type, is run until it has warmed up; after that the
// calls of the allocator are counted. The count is that of the calling thread, which does all the work.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import CAllocationCounter
import Testing

@Suite(.enabled(if: allocation_count() >= 0)) struct AllocationTests {
  @Test(arguments: OperationCatalog.entries)
  func noOperationAllocatesInARun(_ entry: CatalogEntry) throws {
    let backend = CPUBackend(threads: 1)
    for dtype in entry.dtypes {
      for seed in 0..<3 as Range<UInt64> {
        guard let example = entry.example(dtype, seed: 40 + seed) else { continue }
        let graph = Graph()
        let operands = example.operands.enumerated().map { graph.input("operand\($0.offset)", $0.element.type) }
        let program = try Program(graph, outputs: graph.add(example.operation, operands))
        let execution = try backend.compile(program).bind(try example.operands.map { try backend.upload($0) })
        for _ in 0..<3 { try execution.run() }
        let before = allocation_count()
        for _ in 0..<4 { try execution.run() }
        let taken = allocation_count() - before
        #expect(taken == 0, "\(dtype.rawValue) \(example.operation): \(taken) allocations in 4 runs")
      }
    }
  }
}
