// Graphs of layers by name, as recipes describe them: a list in which each layer reads the one before, or what its `from`
// names. Names are resolved here, once; the result is the flat list of numbers that `Functional` computes with.

/// What a list of layers describes.
struct LayerGraph {
  /// The layers, operands before users.
  let layers: [any Layer]
  /// For each layer, the numbers of the values that it reads, as `Functional` counts them.
  let sources: [[Int]]
  /// The outputs.
  let outputs: [(name: String?, value: Int)]
  let inputs: [GraphInput]
  /// Whether each layer reads the one before, and nothing has a name that users see.
  let isChain: Bool

  /// The graph as one layer.
  func layer(name: String?) -> any Layer { isChain ? Sequential(layers, name: name) : functional(name: name) }

  func functional(name: String?) -> Functional {
    Functional(
      layers: layers, sources: sources,
      inputs: inputs.map { Functional.InputSpec(shape: $0.shape, dtype: $0.dtype ?? .float32, name: $0.name) },
      outputs: outputs, name: name)
  }
}

/// Reads a list of layers.
struct GraphReader {
  /// A value in the graph: an input, or an output of a node.
  private enum Source: Hashable {
    case input(Int)
    case output(node: Int, index: Int)
  }

  /// A call of a layer.
  private struct Node {
    let layer: any Layer
    let name: String?
    let entry: LayerEntry
    var sources: [Source] = []

    /// The node in messages.
    var label: String {
      if let name { return "'\(name)'" }
      return entry.location.map { "the \(layer.typeName) of line \($0.line)" } ?? "a \(layer.typeName)"
    }

    var outputNames: [String] { (layer as? any MultiOutputLayer)?.outputNames ?? [] }
  }

  private let inputs: [GraphInput]
  private let declaresInputs: Bool
  private let catalog: LayerCatalog
  private let reading: LayerReading
  private var nodes: [Node] = []
  /// What a name stands for, and its line.
  private var names: [String: (source: Source, location: SourceLocation?)] = [:]
  /// The names in the order of the list, for messages.
  private var ordered: [String] = []
  /// The names that blocks without one may not be given.
  private var taken: Set<String> = []
  private var blockCounts: [String: Int] = [:]

  /// - Parameter inputs: the inputs as declared; nil for one without a declaration.
  init(inputs: [GraphInput]?, catalog: LayerCatalog, reading: LayerReading) throws {
    declaresInputs = inputs != nil
    (self.inputs, self.catalog, self.reading) = (inputs ?? [.only], catalog, reading)
    for (index, input) in self.inputs.enumerated() {
      try register(input.name, .input(index), at: input.location)
    }
  }

  /// Reads layers that follow each other, and nothing else.
  static func chain(_ configs: [Config], catalog: LayerCatalog, reading: LayerReading) throws -> [any Layer] {
    var reader = try GraphReader(inputs: [], catalog: catalog, reading: reading)
    let entries = try configs.map { try LayerEntry($0, isPlaced: true) }
    if let from = entries.compactMap(\.from).first {
      throw ConfigError(
        "the layers of this list follow each other and take no 'from'. Describe a graph as a block, or as a Functional with "
          + "'layers'.", at: from.location)
    }
    try reader.addNodes(entries)
    return reader.nodes.map(\.layer)
  }

  /// Reads layers that may name what they read.
  /// - Parameters:
  ///   - configs: the list.
  ///   - outputs: the names of the outputs; nil for the last layer.
  mutating func read(_ configs: [Config], outputs: Config?) throws -> LayerGraph {
    let entries = try configs.map { try LayerEntry($0, isPlaced: true) }
    let ends = try addNodes(entries)
    try connect(entries, ends)
    let results = try results(outputs)
    let order = try sorted()
    try checkAllAreRead(results.map(\.source))
    reading.reorderPlaces(by: order)
    var numbers: [Int: Int] = [:]
    var count = inputs.count
    for node in order {
      numbers[node] = count
      count += max(nodes[node].layer.outputCount, 1)
    }
    func number(_ source: Source) -> Int {
      switch source {
      case .input(let index): index
      case .output(let node, let index): (numbers[node] ?? 0) + index
      }
    }
    let isChain = !declaresInputs && outputs == nil && entries.allSatisfy { $0.from == nil }
    return LayerGraph(
      layers: order.map { nodes[$0].layer }, sources: order.map { nodes[$0].sources.map(number) },
      outputs: results.map { ($0.name, number($0.source)) }, inputs: inputs, isChain: isChain)
  }

  // MARK: Layers

  /// Makes the layers.
  /// - Returns: for each entry, the number of its last node.
  @discardableResult
  private mutating func addNodes(_ entries: [LayerEntry]) throws -> [Int] {
    for case .string(let name)? in entries.map(\.name?.value) { taken.insert(name) }
    var ends: [Int] = []
    for entry in entries {
      try add(entry)
      ends.append(nodes.count - 1)
    }
    return ends
  }

  private mutating func add(_ entry: LayerEntry) throws {
    let count = try Self.count(entry)
    var given: String?
    if let name = entry.name {
      guard case .string(let text) = name.value, !text.isEmpty else {
        throw ConfigError("'name' needs a text; received \(name.summary).", at: name.location)
      }
      given = text
    }
    for repetition in 1...count {
      let part = entry.repetitions == nil ? given : given.map { "\($0)_\(repetition)" }
      let own = part ?? blockName(entry)
      let layer = try catalog.layer(entry, name: own.map { Config(.string($0), at: entry.name?.location) }, reading)
      nodes.append(Node(layer: layer, name: own, entry: entry))
      if let part { try register(part, .output(node: nodes.count - 1, index: 0), at: entry.name?.location) }
    }
    if entry.repetitions != nil, let given {
      try register(given, .output(node: nodes.count - 1, index: 0), at: entry.name?.location)
    }
  }

  /// How many layers an entry stands for.
  private static func count(_ entry: LayerEntry) throws -> Int {
    guard let value = entry.repetitions else { return 1 }
    if let id = entry.id {
      throw ConfigError(
        "'id' is for one layer that stands in several places; with 'repeat' there are several layers, each with its own "
          + "weights.", at: id.location)
    }
    let range = 1...LayerReading.mostLayers
    guard case .int(let count) = value.value, range.contains(count) else {
      throw ConfigError("'repeat' needs \(range.words); received \(value.summary).", at: value.location)
    }
    return count
  }

  /// The name of a block that was given none: the block's, and a number behind it from the second on.
  private mutating func blockName(_ entry: LayerEntry) -> String? {
    guard case .layer(let type, _) = entry.kind, reading.blocks[type] != nil else { return nil }
    while true {
      let name = numbered(type, &blockCounts)
      if taken.insert(name).inserted { return name }
    }
  }

  private mutating func register(_ name: String, _ source: Source, at location: SourceLocation?) throws {
    if let other = names[name] {
      let thing = if case .input = other.source { "an input is" } else { "two layers are" }
      let first = other.location.map { " The first is at \($0)." } ?? ""
      throw ConfigError("\(thing) called '\(name)'.\(first) Give one of them another name.", at: location)
    }
    names[name] = (source, location)
    ordered.append(name)
    taken.insert(name)
  }

  // MARK: Connections

  private mutating func connect(_ entries: [LayerEntry], _ ends: [Int]) throws {
    var begin = 0
    for (index, entry) in entries.enumerated() {
      let sources: [Source]
      if let from = entry.from {
        sources = try Self.words(from, "'from'").map { try resolved($0.text, "'from'", at: $0.location) }
      } else if index > 0 {
        sources = [try whole(.output(node: ends[index - 1], index: 0), at: entry.location)]
      } else if inputs.count == 1 {
        sources = [.input(0)]
      } else {
        throw ConfigError(
          "the first layer has none before it, and there are the inputs \(inputs.map(\.name).joined(separator: ", ")): say "
            + "what it reads, as in 'from: \(inputs[0].name)'.", at: entry.location)
      }
      let layer = nodes[begin].layer
      if ends[index] > begin, layer.outputCount != 1 {
        throw ConfigError(
          "'repeat' needs a layer with one output, which the next one reads; \(layer.typeName) has \(layer.outputCount).",
          at: entry.repetitions?.location)
      }
      for node in begin...max(begin, ends[index]) {
        nodes[node].sources = node == begin ? sources : [.output(node: node - 1, index: 0)] + sources.dropFirst()
      }
      begin = ends[index] + 1
    }
  }

  /// One name, or a list of names.
  private static func words(_ config: Config, _ key: String) throws -> [(text: String, location: SourceLocation?)] {
    let values: [Config]
    if case .array(let listed) = config.value { values = listed } else { values = [config] }
    let refused = ConfigError(
      "\(key) needs the name of a layer or an input, or a list of names; received \(config.summary).",
      at: config.location)
    guard !values.isEmpty else { throw refused }
    return try values.map { value in
      guard case .string(let text) = value.value else { throw refused }
      return (text, value.location ?? config.location)
    }
  }

  /// What a name stands for: an input, a layer, or with `layer.output` one of a layer's outputs.
  private func resolved(_ text: String, _ key: String, at location: SourceLocation?) throws -> Source {
    if let known = names[text] { return try whole(known.source, at: location) }
    if let dot = text.lastIndex(of: "."), case .output(let node, _)? = names[String(text[..<dot])]?.source {
      let output = String(text[text.index(after: dot)...])
      let outputs = nodes[node].outputNames
      if let index = outputs.firstIndex(of: output) { return .output(node: node, index: index) }
      throw ConfigError(
        "\(nodes[node].label) has no output '\(output)'. "
          + (outputs.isEmpty ? "It has one, without a name." : "It has: \(outputs.joined(separator: ", "))."),
        at: location)
    }
    let nearest = nearestWord(to: text, among: ordered).map { " Did you mean '\($0)'?" } ?? ""
    let shown = ordered.prefix(20).joined(separator: ", ") + (ordered.count > 20 ? ", …" : "")
    throw ConfigError(
      "\(key) names '\(text)', and no layer or input here has this name.\(nearest) Known: \(shown). A layer gets one by "
        + "'name'.", at: location)
  }

  /// The only output of a layer.
  private func whole(_ source: Source, at location: SourceLocation?) throws -> Source {
    guard case .output(let node, _) = source, nodes[node].outputNames.count > 1 else { return source }
    let (outputs, name) = (nodes[node].outputNames, nodes[node].name)
    throw ConfigError(
      "\(nodes[node].label) has the outputs \(outputs.joined(separator: ", ")): "
        + (name == nil ? "give it a name, and " : "")
        + "say which one is read, as in '\(name ?? "name").\(outputs[0])'.",
      at: location)
  }

  private func results(_ config: Config?) throws -> [(name: String?, source: Source)] {
    guard let config else {
      guard let last = nodes.indices.last else { return [] }
      return [(nil, try whole(.output(node: last, index: 0), at: nodes[last].entry.location))]
    }
    var results: [(name: String?, source: Source)] = []
    var known: Set<String> = []
    func add(_ name: String, _ text: String, _ location: SourceLocation?) throws {
      guard !name.isEmpty else { throw ConfigError("an output needs a name.", at: location) }
      guard known.insert(name).inserted else {
        throw ConfigError(
          "two outputs are called '\(name)'. Give them names: outputs: {a: layer, b: layer}.", at: location)
      }
      results.append((name, try resolved(text, "'outputs'", at: location)))
    }
    if case .object(let entries) = config.value {
      guard !entries.isEmpty else { throw ConfigError("'outputs' needs at least one output.", at: config.location) }
      for entry in entries {
        guard case .string(let text) = entry.value.value else {
          throw ConfigError(
            "the output '\(entry.key)' needs the name of a layer; received \(entry.value.summary).",
            at: entry.value.location)
        }
        try add(entry.key, text, entry.location ?? entry.value.location)
      }
    } else {
      for word in try Self.words(config, "'outputs'") {
        try add(word.text.replacing(".", with: "_"), word.text, word.location)
      }
    }
    return results
  }

  // MARK: Order

  /// The nodes, each after those that it reads; in the order of the list where that is one.
  private func sorted() throws -> [Int] {
    enum State { case new, open, done }
    var states = [State](repeating: .new, count: nodes.count)
    var order: [Int] = []
    for start in nodes.indices where states[start] == .new {
      var stack = [(node: start, next: 0)]
      states[start] = .open
      while let (node, next) = stack.last {
        guard next < nodes[node].sources.count else {
          states[node] = .done
          order.append(node)
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        guard case .output(let source, _) = nodes[node].sources[next] else { continue }
        switch states[source] {
        case .done: break
        case .open: throw circle(stack.map(\.node).drop { $0 != source })
        case .new:
          states[source] = .open
          stack.append((source, 0))
        }
      }
    }
    return order
  }

  /// What to throw for nodes of which each reads the next, and the last the first.
  private func circle(_ circle: ArraySlice<Int>) -> ConfigError {
    let labels = circle.map { nodes[$0].label }
    let steps = zip(labels, labels.dropFirst() + labels.prefix(1)).map { "\($0) reads \($1)" }
    let shown = steps.count > 8 ? steps.prefix(7) + ["…"] + steps.suffix(1) : steps[...]
    let place = circle.compactMap { nodes[$0].entry.from?.location }.max { $0.line < $1.line }
    return ConfigError(
      "layers read each other in a circle: \(shown.joined(separator: ", ")). Let one of them read something else.",
      at: place)
  }

  private func checkAllAreRead(_ results: [Source]) throws {
    var readInputs = [Bool](repeating: false, count: inputs.count)
    var readNodes = [Bool](repeating: false, count: nodes.count)
    var pending = results
    while let source = pending.popLast() {
      switch source {
      case .input(let index): readInputs[index] = true
      case .output(let node, _):
        if !readNodes[node] { pending += nodes[node].sources }
        readNodes[node] = true
      }
    }
    // Of layers that only read each other, the last is the one to connect.
    if let node = readNodes.lastIndex(of: false) {
      throw ConfigError(
        "the result of \(nodes[node].label) is not used. Let a layer read it with 'from', list it under 'outputs', or remove "
          + "it.", at: nodes[node].entry.location)
    }
    if let input = readInputs.firstIndex(of: false) {
      throw ConfigError(
        "no layer reads the input '\(inputs[input].name)'. Let one read it with 'from: \(inputs[input].name)', or remove it.",
        at: inputs[input].location ?? nodes.first?.entry.location)
    }
  }
}
