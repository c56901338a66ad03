// Graphs of layers in files: nodes in order, each with its layer and the indices of its operands.

import AccelerandoCore

extension Functional: ConfigurableLayer {
  public static var summary: String {
    "A graph of layers, as one layer: nodes in order, with the numbers of their inputs."
  }

  public init(config: ConfigReader) throws {
    let inputs = try config.array("inputs", kind: "a list of inputs, {shape: …, dtype: …, name: …}").map { value in
      let reader = try ConfigReader(value, subject: "an input")
      let spec = InputSpec(
        shape: try reader.ints("shape"), dtype: try reader.choice("dtype", default: DType.float32),
        name: try reader.optionalString("name"))
      try reader.finish()
      return spec
    }
    let name = try config.optionalString("name")
    var layers: [any Layer] = []
    var sources: [[Int]] = []
    var names = NamedPlaces()
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
      guard operands.allSatisfy({ (0..<inputs.count + sources.count).contains($0) }) else {
        throw ConfigError("'inputs' needs numbers of earlier nodes; received \(operands).", at: value.location)
      }
      sources.append(operands)
      try reader.finish()
    }
    let output = try config.int("output")
    guard (0..<inputs.count + layers.count).contains(output) else {
      throw ConfigError("'output' needs the number of a node; received \(output).", at: config.config.location)
    }
    self.init(layers: layers, sources: sources, inputs: inputs, output: output, name: name)
  }

  public func config() throws -> Config {
    let nodes = try zip(layers, sources).map { layer, operands in
      Config(["layer": try Config(of: layer), "inputs": .ints(operands)])
    }
    let specs = inputs.map { input in
      Config([
        "shape": .ints(input.shape), "dtype": Config(.string(input.dtype.rawValue)),
        "name": input.name.map { Config(.string($0)) },
      ])
    }
    return Config([
      "name": name.map { Config(.string($0)) }, "inputs": Config(.array(specs)), "nodes": Config(.array(nodes)),
      "output": Config(.int(output)),
    ])
  }
}
