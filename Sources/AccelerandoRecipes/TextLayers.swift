// Layers that read text stand in a recipe's list like all others, but are no part of the model, whose inputs are numbers. They
// are taken out of the list here, before the model is read; the data stage runs them.

import AccelerandoData
import AccelerandoNN

/// A layer of a recipe that turns columns of text, or of whole numbers that stand for things, into an input of the model.
struct TextLayer: Sendable {
  /// The input of the model that it makes; nil for the only one, where none has a name.
  let input: String?
  /// The inputs that it reads, by the names that the recipe declares; empty for the only one.
  let reads: [String]
  /// The layer, with its settings.
  let encoder: any TextEncoder
  /// The line that describes it.
  let location: SourceLocation?
}

/// Takes the layers that read text out of a recipe.
struct TextLayerList {
  /// The layers, in order.
  private(set) var layers: [TextLayer] = []
  /// The recipe without them: inputs are what they make, layers read that.
  private(set) var recipe: Config

  /// What a name in the recipe is replaced by.
  private var replaced: [String: String] = [:]
  private let catalog: Catalog<any TextEncoder>

  /// - Throws: `ConfigError` with the line for a layer that reads something else than inputs, or has wrong settings.
  init(_ recipe: Config, catalog: Catalog<any TextEncoder>) throws {
    self.recipe = recipe
    self.catalog = catalog
    guard case .array(let entries)? = recipe["layers"]?.value,
      entries.contains(where: { Self.kind($0, catalog) != nil })
    else { return }
    let declared = Self.inputNames(recipe)
    var kept: [Config] = []
    // What the next layer reads where it says nothing; nil for the layer before it.
    var before: String?
    var isFirst = true
    for (place, entry) in entries.enumerated() {
      if let kind = Self.kind(entry, catalog) {
        before = try take(entry, kind, declared, isFirst: isFirst, follows: place > 0 && !kept.isEmpty)
      } else {
        kept.append(renamed(entry, from: before))
        before = nil
      }
      isFirst = false
    }
    if let before, layers.count == entries.count {
      throw ConfigError(
        "a recipe needs a layer that is trained; '\(before)' is only prepared.", at: recipe["layers"]?.location)
    }
    set("layers", Config(.array(kept), at: recipe["layers"]?.location))
    if !declared.isEmpty { set("inputs", inputs(declared, kept)) }
    if let outputs = recipe["outputs"] { set("outputs", renamedNames(outputs)) }
  }

  /// The layer's kind and settings, if the entry is one that reads text.
  private static func kind(
    _ entry: Config, _ catalog: Catalog<any TextEncoder>
  ) -> (name: String, settings: Config, beside: [Config.Entry])? {
    switch entry.value {
    case .string(let name):
      guard (try? catalog.entry(name)) != nil else { return nil }
      return (name, Config(.null, at: entry.location), [])
    case .object(let entries):
      guard let own = entries.first(where: { (try? catalog.entry($0.key)) != nil }) else { return nil }
      return (own.key, own.value, entries.filter { $0.key != own.key })
    default: return nil
    }
  }

  /// The names of the inputs that the recipe declares.
  private static func inputNames(_ recipe: Config) -> [String] {
    switch recipe["inputs"]?.value {
    case .array(let values)?:
      return values.compactMap { if case .string(let name) = $0.value { name } else { nil } }
    case .object(let entries)?: return entries.map(\.key)
    default: return []
    }
  }

  /// Takes a layer out.
  /// - Returns: the input that stands for it.
  private mutating func take(
    _ entry: Config, _ kind: (name: String, settings: Config, beside: [Config.Entry]), _ declared: [String],
    isFirst: Bool, follows: Bool
  ) throws -> String? {
    var settings: [Config.Entry] = []
    switch kind.settings.value {
    case .object(let entries): settings = entries
    case .null: break
    default:
      throw ConfigError(
        "\(kind.name) needs settings; received \(kind.settings.summary).", at: kind.settings.location ?? entry.location)
    }
    if let stranger = kind.beside.first(where: { !["name", "from"].contains($0.key) }) {
      throw ConfigError(
        "'\(stranger.key)' does not go with \(kind.name), which is no part of the model that is trained.",
        at: stranger.location ?? entry.location)
    }
    func placed(_ key: String) -> Config? {
      (kind.beside + settings).first { $0.key == key && $0.value.value != .null }?.value
    }
    let name = try placed("name").map(Self.word)
    let from = try placed("from").map(Self.words)
    let reads = from ?? (isFirst && declared.count == 1 ? declared : [])
    if let stranger = reads.first(where: { !declared.contains($0) }) {
      throw ConfigError(
        "\(kind.name) reads '\(stranger)', which is no input. Text becomes numbers before the model: a layer that reads text "
          + "reads inputs"
          + (declared.isEmpty ? ", which 'inputs' declares." : ": \(declared.joined(separator: ", "))."),
        at: entry.location)
    }
    guard !reads.isEmpty || (isFirst && declared.isEmpty) else {
      throw ConfigError(
        "\(kind.name) needs to read an input: text becomes numbers before the model. "
          + (declared.count > 1 ? "Say which with 'from'." : "Put it in front of the other layers."), at: entry.location
      )
    }
    let own = settings.filter { !["name", "from"].contains($0.key) }
    let encoder = try catalog.make(
      Config(
        .object([Config.Entry(kind.name, Config(.object(own), at: kind.settings.location ?? entry.location))]),
        at: entry.location))
    if let count = encoder.inputCount, max(reads.count, 1) != count {
      throw ConfigError("\(kind.name) reads \(count) input; received \(reads.count).", at: entry.location)
    }
    // The only reader of an input takes its name.
    var input = name
    if input == nil, reads.count == 1, !layers.contains(where: { $0.input == reads[0] }) { input = reads[0] }
    if input == nil, !reads.isEmpty {
      input = (reads + [snakeCase(kind.name)]).joined(separator: "_")
    }
    if let input, layers.contains(where: { $0.input == input }) {
      throw ConfigError("two layers make the input '\(input)'. Give one of them a 'name'.", at: entry.location)
    }
    layers.append(
      TextLayer(input: declared.isEmpty ? nil : input, reads: reads, encoder: encoder, location: entry.location))
    if let name, !declared.isEmpty { replaced[name] = input }
    return declared.isEmpty ? nil : input
  }

  /// A layer that reads what stands for the layers that were taken out.
  private func renamed(_ entry: Config, from before: String?) -> Config {
    guard case .object(var entries) = entry.value else {
      guard let before, case .string(let name) = entry.value else { return entry }
      return Config(
        .object([
          Config.Entry(name, Config(.object([Config.Entry("from", Config(.string(before)))]), at: entry.location))
        ]),
        at: entry.location)
    }
    var says = false
    for place in entries.indices {
      if entries[place].key == "from" {
        says = true
        entries[place].value = renamedNames(entries[place].value)
      } else if case .object(var inner) = entries[place].value.value,
        let own = inner.firstIndex(where: { $0.key == "from" })
      {
        says = true
        inner[own].value = renamedNames(inner[own].value)
        entries[place].value.value = .object(inner)
      }
    }
    if !says, let before { entries.append(Config.Entry("from", Config(.string(before)))) }
    return Config(.object(entries), at: entry.location)
  }

  private func renamedNames(_ names: Config) -> Config {
    switch names.value {
    case .string(let name): return Config(.string(replaced[name] ?? name), at: names.location)
    case .array(let values): return Config(.array(values.map(renamedNames)), at: names.location)
    default: return names
    }
  }

  /// The inputs of the model: those that are made by layers, and those that other layers read.
  private func inputs(_ declared: [String], _ kept: [Config]) -> Config {
    let made = layers.compactMap(\.input)
    let read = Set(layers.flatMap(\.reads))
    var entries: [Config.Entry] = []
    if case .object(let all)? = recipe["inputs"]?.value {
      entries = all.filter { !read.contains($0.key) }
    } else {
      entries = declared.filter { !read.contains($0) }.map { Config.Entry($0, Config(.null)) }
    }
    for name in made {
      entries.append(Config.Entry(name, Config(.null), at: layers.first { $0.input == name }?.location))
    }
    return Config(.object(entries), at: recipe["inputs"]?.location)
  }

  private mutating func set(_ key: String, _ value: Config) {
    guard case .object(var entries) = recipe.value else { return }
    if let place = entries.firstIndex(where: { $0.key == key }) { entries[place].value = value }
    recipe.value = .object(entries)
  }

  private static func word(_ config: Config) throws -> String {
    if case .string(let text) = config.value { return text }
    throw ConfigError("'name' needs a text; received \(config.summary).", at: config.location)
  }

  private static func words(_ config: Config) throws -> [String] {
    if case .array(let values) = config.value { return try values.map(word) }
    return [try word(config)]
  }
}
