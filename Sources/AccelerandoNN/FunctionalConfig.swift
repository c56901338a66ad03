// Graphs of layers in files: nodes in order, each with its layer and the indices of its operands.

import AccelerandoCore

extension Functional: ConfigurableLayer {
  public static var summary: String {
    "A graph of layers, as one layer: 'layers' by name, as in a block, with 'inputs' and 'outputs'; or, as files of models "
      + "have it, 'nodes' in order, with the numbers of their inputs."
  }

  public init(config: ConfigReader) throws {
    if config.value("layers", kind: "a list of layers", about: "The layers; each reads the one before, or 'from'")
      != nil
    {
      let inputs = try config.value("inputs").map(GraphInput.list)
      var graph = try GraphReader(inputs: inputs, catalog: config.layerCatalog, reading: config.reading)
      let (layers, outputs) = (try config.array("layers"), config.value("outputs"))
      self = try graph.read(layers, outputs: outputs).functional(name: try config.optionalString("name"))
      return
    }
    let inputs = try config.array(
      "inputs", kind: "a list of inputs, {shape: …, dtype: …, name: …}; beside 'layers', as in a block"
    ).map { value in
      let reader = try ConfigReader(value, subject: "an input")
      let spec = InputSpec(
        shape: reader.has("shape") ? try reader.ints("shape") : nil,
        dtype: try reader.choice("dtype", default: DType.float32), name: try reader.optionalString("name"))
      try reader.finish()
      return spec
    }
    let name = try config.optionalString("name")
    var layers: [any Layer] = []
    var sources: [[Int]] = []
    var names = NamedPlaces()
    var count = inputs.count
    for value in try config.array(
      "nodes", kind: "a list of nodes, {layer: …, inputs: [numbers of inputs or earlier nodes]}")
    {
      let reader = try ConfigReader(
        value, subject: "a node", layerCatalog: config.layerCatalog, reading: config.reading)
      // Files of earlier versions share by the number of a node.
      if let shared = try reader.optionalInt("shares") {
        guard layers.indices.contains(shared) else {
          throw ConfigError("'shares' needs the number of an earlier node; received \(shared).", at: value.location)
        }
        layers.append(layers[shared])
      } else {
        let layer = try reader.layer("layer")
        try names.note(layer, value["layer"] ?? value)
        layers.append(layer)
      }
      let operands = try reader.ints("inputs")
      guard operands.allSatisfy({ (0..<count).contains($0) }) else {
        throw ConfigError("'inputs' needs numbers of earlier nodes; received \(operands).", at: value.location)
      }
      sources.append(operands)
      count += max(layers[layers.count - 1].outputCount, 1)
      try reader.finish()
    }
    self.init(
      layers: layers, sources: sources, inputs: inputs, outputs: try Self.outputs(config, among: count), name: name)
  }

  /// The outputs: `output: 7`, the number of a value, or `outputs: [{name: digit, value: 7}, …]`.
  private static func outputs(_ config: ConfigReader, among count: Int) throws -> [(name: String?, value: Int)] {
    func checked(_ value: Int, _ location: SourceLocation?) throws -> Int {
      guard (0..<count).contains(value) else {
        throw ConfigError("'output' needs the number of a node; received \(value).", at: location)
      }
      return value
    }
    let single = try config.optionalInt("output")
    guard let listed = config.value("outputs", kind: "a list of outputs, {name: …, value: …}") else {
      return [(nil, try checked(try single ?? config.int("output"), config.config.location))]
    }
    guard single == nil, case .array(let entries) = listed.value else {
      throw config.refused("outputs", "a list of outputs, {name: …, value: …}, and no 'output' beside it")
    }
    return try entries.map { entry in
      let reader = try ConfigReader(entry, subject: "an output")
      let name = try reader.optionalString("name")
      let value = try checked(try reader.int("value"), entry.location)
      try reader.finish()
      return (name, value)
    }
  }

  public func config() throws -> Config {
    let nodes = try zip(layers, sources).map { layer, operands in
      Config(["layer": try Config(of: layer), "inputs": .ints(operands)])
    }
    let specs = inputs.map { input in
      Config([
        "shape": input.shape.map { .ints($0) }, "dtype": Config(.string(input.dtype.rawValue)),
        "name": input.name.map { Config(.string($0)) },
      ])
    }
    var result = [
      Config.Entry("inputs", Config(.array(specs))), Config.Entry("nodes", Config(.array(nodes))),
    ]
    if let name { result.insert(Config.Entry("name", Config(.string(name))), at: 0) }
    if hasOrdinaryOutput {
      result.append(Config.Entry("output", Config(.int(outputs[0].value))))
    } else {
      let listed = outputs.map { Config(["name": Config(.string($0.name)), "value": Config(.int($0.value))]) }
      result.append(Config.Entry("outputs", Config(.array(listed))))
    }
    return Config(.object(result))
  }
}
