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

/// The kinds of one thing that files may name, and how each is made of its settings.
public struct Catalog<Item>: Sendable {
  /// Makes an item of its settings; settings that it does not read are refused afterwards.
  public typealias Maker = @Sendable (ConfigReader) throws -> Item

  /// The kind of item, for messages: `loss`.
  public let subject: String
  /// The names that are offered to people, in order.
  public private(set) var names: [String] = []
  private var makers: [String: Maker] = [:]

  /// Makes an empty catalog.
  public init(_ subject: String) { self.subject = subject }

  /// The catalog with one more kind, or with another in place of the kind of that name.
  /// - Parameters:
  ///   - name: the name, in any spelling: `MeanSquaredError` and `mean_squared_error` are the same.
  ///   - aliases: other names for it.
  ///   - make: makes an item of its settings.
  public func adding(_ name: String, aliases: [String] = [], make: @escaping Maker) -> Catalog {
    var result = self
    if makers[Self.key(name)] == nil { result.names.append(name) }
    for name in [name] + aliases { result.makers[Self.key(name)] = make }
    return result
  }

  /// The item with a name and its default settings.
  /// - Throws: `ConfigError` for an unknown name, with the nearest known one.
  public func named(_ name: String) throws -> Item { try make(Config(.string(name))) }

  /// Reads an item: `huber`, `{"name": "huber", "delta": 2}` or `{"huber": {"delta": 2}}`.
  /// - Throws: `ConfigError` for an unknown name or settings that are missing, wrong or unknown.
  public func make(_ config: Config) throws -> Item {
    let (name, settings) = try parts(config)
    guard let maker = makers[Self.key(name)] else {
      let nearest = nearestWord(to: name, among: names).map { " Did you mean '\($0)'?" } ?? ""
      throw ConfigError(
        "there is no \(subject) '\(name)'.\(nearest) Known: \(names.joined(separator: ", ")).", at: config.location)
    }
    let reader = try ConfigReader(settings, subject: "\(subject) '\(name)'")
    let item = try maker(reader)
    try reader.finish()
    return item
  }

  /// Reads an item whose name is known, and leaves it to the caller to refuse settings that nobody read.
  func read(_ name: String, _ settings: ConfigReader) throws -> Item {
    guard let maker = makers[Self.key(name)] else { throw ConfigError("there is no \(subject) '\(name)'.") }
    return try maker(settings)
  }

  /// Writes an item in the form that `make(_:)` reads.
  /// - Throws: `ConfigError` when the item, or a part of it, says nothing about its settings.
  public func config(of item: Item) throws -> Config {
    guard let item = item as? any Configurable else {
      throw ConfigError(
        "\(article) \(subject) of type '\(type(of: item))' cannot be written: it does not conform to Configurable.")
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

  private static func key(_ name: String) -> String {
    String(name.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " })
  }
}
