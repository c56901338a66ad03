// A file comes back sharing exactly what was shared: whole layers, parts of blocks, at any depth.

import AccelerandoCore
import AccelerandoNN
import Testing

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

/// A block whose layers are made from one number: files know nothing of what is inside.
private struct Block: ConfigurableLayer {
  let units: Int
  let first: Dense
  let second: Dense

  init(_ units: Int) {
    self.units = units
    first = Dense(units)
    second = Dense(units)
  }

  init(config: ConfigReader) throws { self.init(try config.int("units")) }
  func config() -> Config { Config(["units": Config(.int(units))]) }
  func forward(_ x: Tensor) -> Tensor { second(first(second(x))) }
}

/// A layer that uses another's parameter.
private struct Tied: ConfigurableLayer {
  let weight: Parameter
  init(_ weight: Parameter) { self.weight = weight }
  init(config: ConfigReader) throws { weight = Parameter(.zeros) }
  func config() -> Config { Config([:]) }
  func forward(_ x: Tensor) -> Tensor { x.matmul(weight[4, 4]) }
}

@Suite struct SharedLayerTests {
  private let types = [TensorType(.float32, [2, 4])]

  private func read(_ layer: any Layer) throws -> any Layer {
    let text = try Config(of: layer).json
    return try LayerCatalog(adding: [Block.self, Tied.self]).layer(Config(json: text, file: "architecture.json"))
  }

  /// Writes and reads a layer and expects the same parameters under the same names, and the same text once more.
  private func expectSame(_ layer: any Layer, parameters: Int, _ comment: Comment) throws {
    let copy = try read(layer)
    let (a, b) = (try Outline(of: layer, inputs: types), try Outline(of: copy, inputs: types))
    #expect(a.parameters == b.parameters, comment)
    #expect(a.parameters.count == parameters, comment)
    #expect(a.output == b.output, comment)
    #expect(try Config(of: copy) == Config(of: layer), comment)
  }

  @Test func layersThatStandTwiceInASequentialComeBackShared() throws {
    let dense = Dense(4)
    let norm = BatchNormalization()
    try expectSame(Sequential([dense, dense]), parameters: 2, "a layer")
    try expectSame(Sequential([dense, norm, dense, norm]), parameters: 6, "a normalization")
    let block = Sequential([dense, ActivationLayer(.relu)])
    try expectSame(Sequential([block, block, Dense(4)]), parameters: 4, "a block")
    try expectSame(Sequential([block, dense]), parameters: 2, "a layer of a block")
    try expectSame(
      Sequential([Sequential([Sequential([dense])]), block, Sequential([dense, norm]), norm]), parameters: 6, "nested")
    try expectSame(Sequential([dense, Dense(4), dense, Dense(4)]), parameters: 6, "some of many")
  }

  @Test func blocksThatShareOnlyAPartComeBackSharingThatPart() throws {
    let (shared, input) = (Dense(4, name: "shared"), Input(shape: [4]))
    let a = Sequential([shared, Dense(4)])
    let b = Sequential([shared, Dense(4)])
    let c = Sequential([Dense(4), shared])
    let model = Functional(inputs: [input], output: Add()([a(input), b(input), c(input)]))
    try expectSame(model, parameters: 8, "the first layer of two blocks, the last of a third")
    let whole = Functional(inputs: [input], output: Add()([a(input), a(b(input))]))
    try expectSame(whole, parameters: 6, "a whole block and a part")
    let inner = Functional(inputs: [input], output: shared(a(input)))
    try expectSame(Sequential([inner, shared, inner]), parameters: 4, "graphs inside")
  }

  @Test func customBlocksComeBackShared() throws {
    let block = Block(4)
    try expectSame(Sequential([block, Dense(4), block]), parameters: 6, "a block")
    try expectSame(Sequential([block, Block(4)]), parameters: 8, "two blocks")
  }

  @Test func whatFilesCannotSayIsRefusedByName() throws {
    let block = Block(4)
    let part = message { _ = try Config(of: Sequential([block, block.first])) }
    #expect(part.contains("'Dense' shares a parameter with one of type 'Block'"), "\(part)")
    let weight = Parameter(.ones)
    let tied = message { _ = try Config(of: Sequential([Tied(weight), Sequential([Tied(weight), Dense(2)])])) }
    #expect(tied == "no error", "two values of one type and parameter are one layer")
    struct Other: ConfigurableLayer {
      let weight: Parameter
      init(_ weight: Parameter) { self.weight = weight }
      init(config: ConfigReader) throws { weight = Parameter(.zeros) }
      func config() -> Config { Config([:]) }
      func forward(_ x: Tensor) -> Tensor { x + weight[4] }
    }
    #expect(message { _ = try Config(of: Sequential([Tied(weight), Other(weight)])) }.contains("shares a parameter"))
  }

  @Test func filesOfEarlierVersionsAreRead() throws {
    let text = """
      {"Functional": {"inputs": [{"shape": [4], "dtype": "float32"}], "nodes": [
        {"layer": {"Dense": {"units": 4}}, "inputs": [0]}, {"layer": {"Dense": {"units": 4}}, "inputs": [1]},
        {"shares": 0, "inputs": [2]}], "output": 3}}
      """
    let layer = try LayerCatalog().layer(Config(json: text, file: "old.json"))
    #expect(try Outline(of: layer, inputs: types).parameters.count == 4)
  }

  @Test func recipesShareByIdsOfTheirOwn() throws {
    func layer(_ json: String) throws -> any Layer {
      try LayerCatalog().layer(Config(json: "{\"Sequential\": {\"layers\": [\(json)]}}", file: "r"))
    }
    let tied = try layer(#"{"Dense": {"units": 4}, "id": "a"}, "Flatten", {"shares": "a"}"#)
    #expect(try Outline(of: tied, inputs: types).parameters.count == 2)
    #expect(message { _ = try layer(#"{"shares": "b"}"#) }.contains("No earlier layer has an id"))
    let unknown = message { _ = try layer(#"{"Dense": {"units": 4}, "id": 1}, {"shares": 2}"#) }
    #expect(unknown.contains("received the number 2. Known: 1"))
    let twice = message {
      _ = try layer("{\"Dense\": {\"units\": 4}, \"id\": 1},\n{\"Dense\": {\"units\": 4}, \"id\": 1}")
    }
    #expect(twice.contains("two layers have the id 1, as at r:1"), "\(twice)")
  }

  // MARK: Names

  @Test func twoLayersOfOneNameAreRefusedWithBothPlaces() throws {
    func problem(_ layer: any Layer) -> String { message { _ = try Outline(of: layer, inputs: types) } }
    let text = problem(Sequential([Dense(3, name: "a"), Dense(4), BatchNormalization(name: "a")]))
    #expect(text.contains("two layers called 'a': its layer 1, Dense, and its layer 3, BatchNormalization"), "\(text)")
    #expect(problem(Sequential([Dense(3, name: "a"), Dense(3, name: "a")])).contains("two layers called 'a'"))
    #expect(problem(Sequential([Dropout(0.1, name: "d"), Dropout(0.2, name: "d")])).contains("two layers called 'd'"))
    let input = Input(shape: [4])
    let graph = Functional(inputs: [input], output: Add()([Dense(2, name: "x")(input), Dense(2, name: "x")(input)]))
    #expect(problem(graph).contains("two layers called 'x'"))
    // One layer in two places is one layer, and blocks have names of their own.
    let dense = Dense(4, name: "a")
    #expect(problem(Sequential([dense, dense])) == "no error")
    #expect(problem(Sequential([Sequential([dense]), Sequential([Dense(4, name: "a")]), dense])) == "no error")
  }

  @Test func filesSayWhereBothNamesStand() {
    func problem(_ json: String) -> String {
      message { _ = try LayerCatalog().layer(Config(json: json, file: "r.json")) }
    }
    let layers = problem(
      "{\"Sequential\": {\"layers\": [\n{\"Flatten\": {\"name\": \"f\"}},\n\"Flatten\",\n{\"Flatten\": {\"name\": \"f\"}}]}}"
    )
    #expect(layers == "r.json:4: two layers are called 'f'. The first is at r.json:2. Give one of them another name.")
    let nodes = problem(
      """
      {"Functional": {"inputs": [{"shape": [4]}], "output": 2, "nodes": [
      {"layer": {"Dense": {"units": 1, "name": "n"}}, "inputs": [0]},
      {"layer": {"Dense": {"units": 1, "name": "n"}}, "inputs": [1]}]}}
      """)
    #expect(nodes.contains("r.json:3: two layers are called 'n'. The first is at r.json:2"))
  }
}
