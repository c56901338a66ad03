// The names that files may use: losses, metrics, optimizers, schedules, initializers, activations. A catalog is a
// value; custom kinds are added to a copy, so there is no global registry.

import AccelerandoCore

/// Something that a catalog can write to a file.
public protocol Configurable: Sendable {
  /// The name in files, as the catalog that reads it knows it.
  var configName: String { get }
  /// The settings, with Keras' names, from which an equal value can be made.
  /// - Throws: `ConfigError` when a part of it cannot be written.
  func config() throws -> Config
}

/// A description of one kind in a catalog: what it is and its settings.
public struct CatalogEntry: Sendable {
  /// The name in files.
  public let name: String
  /// Other names for it.
  public let aliases: [String]
  /// What it is, in a sentence.
  public let summary: String
  /// What can be set, in the order in which it is read.
  public let settings: [Setting]
}

extension CatalogEntry {
  /// The entry as data.
  public var config: Config {
    let settings = settings.map { setting in
      Config([
        "name": Config(.string(setting.key)), "type": Config(.string(setting.kind)),
        "about": setting.about.isEmpty ? Config?.none : Config(.string(setting.about)),
        "required": Config(.bool(setting.isRequired)), "default": setting.isRequired ? nil : setting.fallback,
      ])
    }
    return Config([
      "name": Config(.string(name)),
      "aliases": aliases.isEmpty ? Config?.none : Config(.array(aliases.map { Config(.string($0)) })),
      "summary": Config(.string(summary)), "settings": Config(.array(settings)),
    ])
  }
}

/// A catalog whose kinds can be listed.
public protocol CatalogListing {
  /// What is in the catalog, in one word: `loss`.
  var subject: String { get }
  /// The names to list, in order.
  var names: [String] { get }
  /// Describes the kind of a name, in any spelling.
  /// - Throws: `ConfigError` for an unknown name, with the nearest known one.
  func entry(_ name: String) throws -> CatalogEntry
}

/// The kinds of one thing that files may name, and how each is made of its settings.
public struct Catalog<Item>: CatalogListing, Sendable {
  /// Makes an item of its settings; settings that it does not read are refused afterwards.
  public typealias Maker = @Sendable (ConfigReader) throws -> Item

  /// The kind of item, for messages: `loss`.
  public let subject: String
  /// The names to list, in order.
  public private(set) var names: [String] = []
  private var kinds: [String: Kind] = [:]

  private struct Kind: Sendable {
    let name: String
    let aliases: [String]
    let summary: String
    /// The setting that a number in the place of the settings is: `{l2: 0.01}` says `{l2: {l2: 0.01}}`.
    let number: String?
    let make: Maker

    /// The settings as an object.
    func settings(_ config: Config) -> Config {
      guard let number else { return config }
      switch config.value {
      case .int, .double: return Config(.object([Config.Entry(number, config)]), at: config.location)
      default: return config
      }
    }
  }

  /// Makes an empty catalog.
  public init(_ subject: String) { self.subject = subject }

  /// The catalog with one more kind, or with another in place of the kind of that name.
  /// - Parameters:
  ///   - name: the name, in any spelling: `MeanSquaredError` and `mean_squared_error` are the same.
  ///   - aliases: other names for it.
  ///   - number: the setting that a single number stands for: `{max_norm: 3}` says `{max_norm: {max_value: 3}}`.
  ///   - summary: what it is, in a sentence.
  ///   - make: makes an item of its settings. The settings that it reads are those that are listed.
  public func adding(
    _ name: String, aliases: [String] = [], number: String? = nil, _ summary: String = "", make: @escaping Maker
  ) -> Catalog {
    var result = self
    if kinds[plainName(name)] == nil { result.names.append(name) }
    let kind = Kind(name: name, aliases: aliases, summary: summary, number: number, make: make)
    for name in [name] + aliases { result.kinds[plainName(name)] = kind }
    return result
  }

  /// The catalog with more settings for every kind.
  /// - Parameter change: reads them, and makes the item that they ask for of the one without.
  func changing(_ change: @escaping @Sendable (Item, ConfigReader) throws -> Item) -> Catalog {
    var result = self
    result.kinds = kinds.mapValues { kind in
      Kind(name: kind.name, aliases: kind.aliases, summary: kind.summary, number: kind.number) {
        try change(kind.make($0), $0)
      }
    }
    return result
  }

  /// The item with a name and its default settings.
  /// - Throws: `ConfigError` for an unknown name, with the nearest known one.
  public func named(_ name: String) throws -> Item { try make(Config(.string(name))) }

  /// Reads an item: `huber`, `{"name": "huber", "delta": 2}` or `{"huber": {"delta": 2}}`.
  /// - Throws: `ConfigError` for an unknown name or settings that are missing, wrong or unknown.
  public func make(_ config: Config) throws -> Item {
    let (name, settings) = try parts(config)
    let kind = try kind(name, at: config.location)
    let reader = try ConfigReader(kind.settings(settings), subject: "\(subject) '\(name)'")
    let item = try kind.make(reader)
    try reader.finish()
    return item
  }

  /// Reads an item whose name is known, and leaves it to the caller to refuse settings that nobody read.
  func read(_ name: String, _ settings: ConfigReader) throws -> Item { try kind(name, at: nil).make(settings) }

  private func kind(_ name: String, at location: SourceLocation?) throws -> Kind {
    if let kind = kinds[plainName(name)] { return kind }
    throw ConfigError(
      "there is no \(subject) '\(name)'.\(advice(for: name, in: subject, among: names)) "
        + "Known: \(names.joined(separator: ", ")).", at: location)
  }

  public func entry(_ name: String) throws -> CatalogEntry {
    let kind = try kind(name, at: nil)
    let reader = ConfigReader(describing: "\(subject) '\(kind.name)'")
    // Made-up settings need not make sense together; what was asked for is known by then.
    _ = try? kind.make(reader)
    return CatalogEntry(name: kind.name, aliases: kind.aliases, summary: kind.summary, settings: reader.settings)
  }

  /// Refuses an item with invalid settings, with the same message as for a file with these settings.
  /// Items of one's own types, which the catalog does not make, are left alone.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  public func check(_ item: Item) throws {
    guard let configurable = item as? any Configurable, let kind = kinds[plainName(configurable.configName)] else {
      return
    }
    if let sample = try? kind.make(ConfigReader(describing: subject)), type(of: sample as Any) != type(of: item as Any)
    {
      return
    }
    _ = try make(try config(of: item))
  }

  /// Writes an item in the form that `make(_:)` reads.
  /// - Throws: `ConfigError` when the item, or a part of it, says nothing about its settings.
  public func config(of item: Item) throws -> Config {
    guard let item = item as? any Configurable else {
      // An existential's own type is its protocol; what people know is the type inside.
      throw ConfigError(
        "\(article) \(subject) of type '\(type(of: item as Any))' cannot be written: it does not conform to "
          + "Configurable.")
    }
    let name = Config(.string(item.configName))
    guard case .object(let entries) = try item.config().value, !entries.isEmpty else { return name }
    return Config(.object([Config.Entry("name", name)] + entries))
  }

  private func parts(_ config: Config) throws -> (name: String, settings: Config) {
    switch config.value {
    case .string(let name): return (name, Config(.null, at: config.location))
    case .object(let entries):
      if let entry = entries.first(where: { $0.key == "name" }), case .string(let name) = entry.value.value {
        return (name, Config(.object(entries.filter { $0.key != "name" }), at: config.location))
      }
      // Keras' own form, as written by its `get_config`.
      if let entry = entries.first(where: { $0.key == "class_name" }), case .string(let name) = entry.value.value {
        return (name, config["config"] ?? Config(.null, at: config.location))
      }
      if entries.count == 1 { return (entries[0].key, entries[0].value) }
    default: break
    }
    throw ConfigError(
      "needs the name of \(article) \(subject), or an object with a 'name' and settings; received \(config.summary).",
      at: config.location)
  }

  private var article: String { "aeiou".contains(subject.prefix(1)) ? "an" : "a" }
}
