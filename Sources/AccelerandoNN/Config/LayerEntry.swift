// One item of a list of layers in a recipe. What a layer is stands in its settings; where it stands in the model (its name,
// what it reads, how often it comes) may stand there too, or beside the layer's name, which layers without settings need.

/// A layer as a list has it, before it is made.
struct LayerEntry {
  /// What stands there.
  enum Kind {
    /// A layer or block of a name, with settings.
    case layer(String, settings: Config)
    /// The layer of an id.
    case shared(Config)
  }

  let kind: Kind
  /// The layer's own name.
  private(set) var name: Config?
  /// What the layer reads.
  private(set) var from: Config?
  /// How many such layers follow each other.
  private(set) var repetitions: Config?
  /// What other places call the layer that is shared.
  let id: Config?
  let location: SourceLocation?

  /// Words about a layer's place, which no block and no parameter can be called.
  static let placeKeys = ["name", "from", "repeat", "id", "shares"]

  /// Reads an item: `Flatten`, `{Dense: {units: 3}, id: tied}` or `{shares: tied}`.
  /// - Parameter isPlaced: whether `from`, `repeat` and, beside the layer, `name` may stand there: in recipes.
  init(_ config: Config, isPlaced: Bool) throws {
    location = config.location
    id = config["id"]
    guard case .object(let entries) = config.value else {
      guard case .string(let type) = config.value else { throw Self.refused(config) }
      kind = .layer(type, settings: Config(.object([]), at: config.location))
      return
    }
    let beside = isPlaced ? ["name", "from", "repeat", "id"] : ["id"]
    let own = entries.filter { !beside.contains($0.key) }
    guard own.count == 1 else { throw Self.refused(config) }
    if isPlaced {
      (name, from, repetitions) = (Self.set(config["name"]), Self.set(config["from"]), Self.set(config["repeat"]))
    }
    if own[0].key == "shares" {
      guard id == nil else { throw Self.refused(config) }
      kind = .shared(own[0].value)
    } else {
      let settings = own[0].value
      guard isPlaced, case .object(let inner) = settings.value else {
        kind = .layer(own[0].key, settings: settings.value == .null ? Config(.null, at: location) : settings)
        return
      }
      let placing = ["from", "repeat"]
      kind = .layer(
        own[0].key,
        settings: Config(.object(inner.filter { !placing.contains($0.key) && $0.key != "name" }), at: location))
      try take("name", settings, into: \.name, besides: own[0].key)
      try take("from", settings, into: \.from, besides: own[0].key)
      try take("repeat", settings, into: \.repetitions, besides: own[0].key)
    }
  }

  /// A setting that is there; `null` says nothing.
  private static func set(_ value: Config?) -> Config? { value?.value == .null ? nil : value }

  private mutating func take(
    _ key: String, _ settings: Config, into part: WritableKeyPath<LayerEntry, Config?>, besides layer: String
  ) throws {
    guard let value = Self.set(settings[key]) else { return }
    guard self[keyPath: part] == nil else {
      throw ConfigError(
        "'\(key)' stands beside '\(layer)' and in its settings. Leave one of the two out.", at: value.location)
    }
    self[keyPath: part] = value
  }

  private static func refused(_ config: Config) -> ConfigError {
    ConfigError(
      "a layer is its name, or an object with the name as its only key; received \(config.summary).",
      at: config.location)
  }

  /// The entry's settings with the layer's name among them.
  static func adding(_ name: Config?, to settings: Config) -> Config {
    guard let name else { return settings }
    let entry = Config.Entry("name", name, at: name.location)
    switch settings.value {
    case .null: return Config(.object([entry]), at: settings.location)
    case .object(let entries):
      return Config(.object(entries.filter { $0.key != "name" } + [entry]), at: settings.location)
    default: return settings
    }
  }
}
