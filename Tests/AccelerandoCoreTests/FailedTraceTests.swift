// A trace goes on after an operation was refused, so that the first error is the one that is reported. What stands in for the
// results must be as many as were asked for, of whatever operation.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct FailedTraceTests {
  @Test(arguments: OperationCatalog.entries)
  func anOperationSaysHowManyResultsItHas(_ entry: CatalogEntry) throws {
    for dtype in entry.dtypes {
      guard let example = entry.example(dtype, seed: 3) else { continue }
      let results = try example.operation.infer(example.operands.map(\.type))
      #expect(example.operation.resultCount(operandCount: example.operands.count) == results.count)
    }
  }

  @Test(arguments: OperationCatalog.entries)
  func aRefusedOperationGivesAsManyResultsAsAnAcceptedOne(_ entry: CatalogEntry) throws {
    guard let dtype = entry.dtypes.first, let example = entry.example(dtype, seed: 5), !example.operands.isEmpty else {
      return
    }
    let expected = try example.operation.infer(example.operands.map(\.type)).count
    // Operands that no operation takes: of another trace.
    let stranger = Graph().input("stranger", TensorType(.float32, [3]))
    let graph = Graph()
    let refused = graph.add(example.operation, example.operands.map { _ in stranger })
    #expect(refused.count == expected && graph.firstError != nil)
  }

  @Test func aLoopOfManyCarriedValuesIsRefusedWithoutATrap() {
    let types = (1...7).map { TensorType(.float32, [$0]) }
    let text = message {
      _ = try Program.trace(types) { x in
        // The body forgets a value and changes the type of another.
        let carried = whileLoop(
          x, condition: { $0[0].sum().less(than: $0[0].scalar(3)) }, body: { Array($0.dropLast()) })
        return [carried[6] + carried[5].sum(), carried[3]]
      }
    }
    #expect(text.contains("while") && text.contains("keeps the carried values' types"))
  }

  @Test func aRefusedBranchGivesTheResultsThatItsFirstBranchHas() {
    let type = TensorType(.float32, [2])
    let text = message {
      _ = try Program.trace([TensorType(.int32, []), type]) { x in
        let results = switchCase(
          x[0], on: [x[1]], branches: [{ [$0[0], $0[0], $0[0], $0[0].sum()] }, { [$0[0]] }])
        return [results[3] + results[0]]
      }
    }
    #expect(text.contains("branch 1"))
  }

  @Test func anInlinedProgramKeepsTheLayerThatTracesIt() throws {
    let type = TensorType(.float32, [2])
    let inner = Graph()
    let x = inner.input("x", type)
    inner.path = ["inside"]
    let part = try Program(inner, outputs: [x.tanh()])
    let graph = Graph()
    let y = graph.input("y", type)
    graph.path = ["outside"]
    let result = part.inlined(on: [y], in: graph)[0].sigmoid()
    #expect(graph.path == ["outside"])
    let program = try Program(graph, outputs: [result])
    #expect(program.instructions.map(\.path) == [["outside", "inside"], ["outside"]])
    // A transform of the whole program leaves paths as they are.
    #expect(try program.simplified().instructions.map(\.path) == [["outside", "inside"], ["outside"]])
  }
}
