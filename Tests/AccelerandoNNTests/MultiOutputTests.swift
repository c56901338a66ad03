// Layers with several outputs: alone, in graphs, in graphs inside graphs, in files.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Testing

/// The halves of the last axis, and their sum.
private struct Halves: MultiOutputLayer, ConfigurableLayer {
  var name: String?
  var outputNames: [String] { ["low", "high", "sum"] }

  init(name: String? = nil) { self.name = name }
  init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }

  func outputs(of inputs: [Tensor]) -> [Tensor] {
    let x = inputs[0]
    let half = x.dim(-1) / 2
    let (low, high) = (x.sliced(axis: 1, 0..<half), x.sliced(axis: 1, half..<2 * half))
    return [low, high, low + high]
  }
}

/// A layer whose formula and names disagree.
private struct Wrong: MultiOutputLayer {
  var outputNames: [String] { ["a", "b"] }
  func outputs(of inputs: [Tensor]) -> [Tensor] { inputs }
}

private func results(_ layer: any Layer, _ values: [Float], _ shape: [Int]) throws -> [[Float]] {
  let graph = Graph()
  let x = graph.input("x", TensorType(.float32, shape))
  let scope = Scope(graph: graph, names: ParameterNames(of: layer), values: [:])
  let outputs = scope.run { layer.applied(to: [x]) }
  if let error = graph.firstError { throw error }
  let program = try Program(graph, outputs: outputs)
  let backend = ReferenceBackend()
  let execution = try backend.compile(program).bind([try backend.upload(try NDArray(values, shape: shape))])
  try execution.run()
  return try execution.outputs.map { try $0.read().elements(as: Float.self) }
}

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

@Suite struct MultiOutputTests {
  @Test func aLayerGivesAllItsOutputsAndTheFirstInTheShortForm() throws {
    #expect(try results(Halves(), [1, 2, 3, 4], [1, 4]) == [[1, 2], [3, 4], [4, 6]])
  }

  @Test func graphsUseEveryOutputOfALayerAndHaveSeveralThemselves() throws {
    let x = Input(shape: [4])
    let parts = Halves(name: "halves").applied(to: [x])
    let doubled = Rescaling(2)(parts[1])
    let inner = Functional(inputs: [x], outputs: ["difference": parts[2] - parts[0], "doubled": doubled, "again": x])
    #expect(inner.outputNames == ["difference", "doubled", "again"])
    #expect(inner.layers.count == 3)
    #expect(try results(inner, [1, 2, 3, 4], [1, 4]) == [[3, 4], [6, 8], [1, 2, 3, 4]])
    let y = Input(shape: [4])
    let outer = inner.applied(to: [y])
    let whole = Functional(inputs: [y], outputs: [outer[1], outer[0] * outer[1]])
    #expect(whole.outputNames == ["functional_doubled", "multiply"])
    #expect(try results(whole, [1, 2, 3, 4], [1, 4]) == [[6, 8], [18, 32]])
  }

  @Test func graphsWithSeveralOutputsGoThroughFiles() throws {
    let x = Input(shape: [4], name: "x")
    let parts = Halves().applied(to: [x])
    let catalog = LayerCatalog(adding: [Halves.self])
    let graphs = [
      Functional(inputs: [x], outputs: ["b": parts[1], "sum": parts[2]]),
      Functional(inputs: [x], outputs: ["only": parts[1]]), Functional(inputs: [x], output: parts[2]),
    ]
    for graph in graphs {
      let text = try Config(of: graph).json
      let read = try #require(try catalog.layer(try Config(json: text, file: "graph")) as? Functional)
      #expect(read.outputs == graph.outputs)
      #expect(try results(read, [1, 2, 3, 4], [1, 4]) == (try results(graph, [1, 2, 3, 4], [1, 4])))
    }
    #expect(try Config(of: graphs[2]).json.contains("\"output\""))
    let named = try Config(of: graphs[1]).json
    #expect(!named.contains("\"output\":"), "\(named)")
  }

  @Test func mistakesAreNamed() throws {
    let x = Input(shape: [4])
    let parts = Halves().applied(to: [x])
    let shape = [TensorType(.float32, [1, 4])]
    #expect(
      message { _ = try Outline(of: Functional(inputs: [x], outputs: [parts[0], parts[0]]), inputs: shape) }
        .contains("two outputs have the name 'halves'"))
    #expect(message { _ = try Outline(of: Functional(inputs: [x], outputs: []), inputs: shape) }.contains("no output"))
    #expect(message { _ = try Outline(of: Wrong(), inputs: shape) }.contains("its formula gave 1"))
    #expect(
      message { _ = try Outline(of: Sequential([Halves(name: "h"), Flatten()]), inputs: shape) }
        .contains("takes layers with one output; 'h' has 3"))
    let catalog = LayerCatalog()
    let graph = #"{"Functional": {"inputs": [{"shape": [2]}], "nodes": [{"layer": "Flatten", "inputs": [0]}], "#
    #expect(
      message {
        _ = try catalog.layer(try Config(json: graph + #""outputs": [{"name": "a", "value": 2}]}}"#, file: "graph"))
      }
      .contains("needs the number of a node; received 2"))
  }

  @Test func theOutlineHasTheTypesAndNamesOfAllOutputs() throws {
    let x = Input(shape: [6])
    let model = Functional(
      inputs: [x], outputs: ["digit": Dense(10)(x), "parity": Dense(1, activation: .sigmoid)(x)])
    let outline = try Outline(of: model, inputs: [TensorType(.float32, [3, 6])])
    #expect(outline.outputNames == ["digit", "parity"])
    #expect(outline.outputs.map(\.shape) == [[3, 10], [3, 1]])
    #expect(try Outline(of: Dense(2), inputs: [TensorType(.float32, [3, 6])]).outputNames == ["output"])
  }
}
