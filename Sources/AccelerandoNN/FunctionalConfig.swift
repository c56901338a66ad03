// Graphs of layers in files: nodes in order, each with its layer and the numbers of its operands. A node that shares an
// earlier node's parameters says so instead of repeating the layer.

import AccelerandoCore

extension Functional: ConfigurableLayer {
  public init(config: ConfigReader) throws {
    let inputs = try config.array("inputs").map { value in
      let reader = try ConfigReader(value, subject: "an input")
      let spec = InputSpec(
        shape: try reader.ints("shape"), dtype: try reader.choice("dtype", default: DType.float32),
        name: try reader.optionalString("name"))
      try reader.finish()
      return spec
    }
    var layers: [any Layer] = []
    var sources: [[Int]] = []
    for value in try config.array("nodes") {
      let reader = try ConfigReader(value, subject: "a node", layerCatalog: config.layerCatalog)
      if let shared = try reader.optionalInt("shares") {
        guard layers.indices.contains(shared) else {
          throw ConfigError("'shares' needs the number of an earlier node; received \(shared).", at: value.location)
        }
        layers.append(layers[shared])
      } else {
        layers.append(try reader.layer("layer"))
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
    self.init(
      layers: layers, sources: sources, inputs: inputs, output: output, name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    var firstUse: [ParameterKey: Int] = [:]
    let nodes = try zip(layers, sources).enumerated().map { index, node -> Config in
      let operands = Config.Entry("inputs", .ints(node.1))
      let parameter = ParameterNames(of: node.0).ordered.first?.key
      if let parameter, let shared = firstUse[parameter] {
        return Config(.object([Config.Entry("shares", Config(.int(shared))), operands]))
      }
      if let parameter { firstUse[parameter] = index }
      return Config(.object([Config.Entry("layer", try Config(of: node.0)), operands]))
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
