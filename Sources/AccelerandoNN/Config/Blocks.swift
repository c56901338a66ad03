// Named parts of a model that recipes use several times, with parameters. A block is no new kind of layer: each use becomes
// a Sequential or a Functional of its own, with its own weights.

/// A block as a recipe defines it.
struct Block {
  let name: String
  /// The parameters, with the values that hold where a use says nothing; nil for those that a use has to give.
  private let parameters: [(name: String, fallback: Config?)]
  private let inputs: Config?
  private let layers: Config
  private let outputs: Config?

  /// Blocks inside blocks: more would be a mistake, and take more stack than there is.
  private static let deepest = 32

  static let kind = "blocks by name, {name: {parameters: …, inputs: …, layers: […], outputs: …}}"

  /// Reads the definitions of blocks.
  /// - Throws: `ConfigError` for names that layers have, and parameters that are not used or not declared.
  static func list(_ config: Config, catalog: LayerCatalog) throws -> [String: Block] {
    guard case .object(let entries) = config.value else {
      throw ConfigError("'blocks' needs \(kind); received \(config.summary).", at: config.location)
    }
    var blocks: [String: Block] = [:]
    for entry in entries {
      let location = entry.location ?? entry.value.location
      guard !entry.key.isEmpty, !LayerEntry.placeKeys.contains(entry.key) else {
        throw ConfigError("a block cannot be called '\(entry.key)'. Give it another name.", at: location)
      }
      if let layer = catalog.names.first(where: { sameName($0, entry.key) }) {
        throw ConfigError("there is a layer '\(layer)'; the block '\(entry.key)' needs another name.", at: location)
      }
      blocks[entry.key] = try Block(entry.key, entry.value)
    }
    return blocks
  }

  private init(_ name: String, _ config: Config) throws {
    let reader = try ConfigReader(config, subject: "the block '\(name)'")
    self.name = name
    parameters = try reader.value("parameters").map { try Self.parameters($0, of: name) } ?? []
    inputs = reader.value("inputs")
    layers = try reader.required("layers", kind: "a list of layers")
    outputs = reader.value("outputs")
    try reader.finish()
    guard case .array(let listed) = layers.value, !listed.isEmpty else {
      throw ConfigError("the block '\(name)' needs a list of layers; received \(layers.summary).", at: layers.location)
    }
    var used: Set<String> = []
    let known = parameters.map(\.name)
    for part in [inputs, layers, outputs] {
      try part.map {
        try Self.visit($0) { word, location in
          guard known.contains(word) else {
            let nearest = nearestWord(to: word, among: known).map { " Did you mean '$\($0)'?" } ?? ""
            throw ConfigError(
              "the block '\(name)' has no parameter '\(word)'.\(nearest) "
                + (known.isEmpty ? "It has none." : "It has: \(known.joined(separator: ", "))."), at: location)
          }
          used.insert(word)
        }
      }
    }
    if let unused = known.first(where: { !used.contains($0) }) {
      throw ConfigError(
        "the block '\(name)' does not use its parameter '\(unused)'. Write '$\(unused)' where its value belongs, or remove "
          + "it.", at: reader.value("parameters")?.location)
    }
  }

  /// `[filters, stride]`, or `{filters: 64, stride: }`: those without a value have to be given.
  private static func parameters(_ config: Config, of block: String) throws -> [(name: String, fallback: Config?)] {
    let listed: [(name: String, fallback: Config?, location: SourceLocation?)]
    switch config.value {
    case .array(let values):
      listed = try values.map { value in
        guard case .string(let name) = value.value else {
          throw ConfigError(
            "the parameters of the block '\(block)' need names; received \(value.summary).", at: value.location)
        }
        return (name, nil, value.location)
      }
    case .object(let entries):
      listed = entries.map { ($0.key, $0.value.value == .null ? nil : $0.value, $0.location) }
    default:
      throw ConfigError(
        "the parameters of the block '\(block)' need names, [filters], or values, {filters: 64}; received "
          + "\(config.summary).", at: config.location)
    }
    var known: Set<String> = []
    for parameter in listed {
      guard !parameter.name.isEmpty, !LayerEntry.placeKeys.contains(parameter.name),
        known.insert(parameter.name).inserted
      else {
        throw ConfigError(
          "the block '\(block)' cannot have a parameter '\(parameter.name)'"
            + (known.contains(parameter.name) ? " twice." : ". Give it another name."), at: parameter.location)
      }
    }
    return listed.map { ($0.name, $0.fallback) }
  }

  // MARK: Use

  /// Makes the layer of one use.
  /// - Parameter settings: the parameters' values, and the name of the layer.
  func layer(_ settings: Config, catalog: LayerCatalog, reading: LayerReading) throws -> any Layer {
    if reading.openBlocks.contains(name) {
      let path = reading.openBlocks.drop { $0 != name } + [name]
      throw ConfigError("a block cannot contain itself: \(path.joined(separator: " › ")).", at: settings.location)
    }
    guard reading.openBlocks.count < Self.deepest else {
      throw ConfigError("blocks are nested more than \(Self.deepest) deep.", at: settings.location)
    }
    let reader = try ConfigReader(
      settings, subject: "the block '\(name)'", layerCatalog: catalog, reading: reading)
    var values: [String: Config] = [:]
    for (name, fallback) in parameters {
      values[name] = try fallback.map { reader.value(name) ?? $0 } ?? reader.required(name)
    }
    let own = try reader.optionalString("name")
    try reader.finish()
    return try reading.inBlock(name) {
      do {
        let inputs = try inputs.map { try GraphInput.list(Self.filled($0, values)) }
        var graph = try GraphReader(inputs: inputs, catalog: catalog, reading: reading)
        guard case .array(let entries) = Self.filled(layers, values).value else { return Sequential([], name: own) }
        return try graph.read(entries, outputs: outputs.map { Self.filled($0, values) }).layer(name: own)
      } catch let error as ConfigError {
        guard let use = settings.location, use != error.location else { throw error }
        throw ConfigError("\(error.message) The block '\(name)' is used at \(use).", at: error.location)
      }
    }
  }

  /// The parameter that a text stands for.
  private static func parameter(_ config: Config) -> String? {
    guard case .string(let text) = config.value, text.hasPrefix("$") else { return nil }
    return String(text.dropFirst())
  }

  /// Calls `note` with the parameters that a tree reads.
  private static func visit(_ config: Config, _ note: (String, SourceLocation?) throws -> Void) rethrows {
    if let name = parameter(config) { try note(name, config.location) }
    switch config.value {
    case .array(let values): for value in values { try visit(value, note) }
    case .object(let entries): for entry in entries { try visit(entry.value, note) }
    default: break
    }
  }

  /// A tree with values in place of parameters. A value stands at the line of the block: the use is told besides.
  private static func filled(_ config: Config, _ values: [String: Config]) -> Config {
    if let name = parameter(config), let value = values[name] { return Config(value.value, at: config.location) }
    switch config.value {
    case .array(let items): return Config(.array(items.map { filled($0, values) }), at: config.location)
    case .object(let entries):
      return Config(
        .object(entries.map { Config.Entry($0.key, filled($0.value, values), at: $0.location) }), at: config.location)
    default: return config
    }
  }
}
