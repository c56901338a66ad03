// Reads settings with types, and notices the ones that nobody asked for: a misspelt key must not silently do nothing.

import AccelerandoCore

/// Reads the settings of one object. After reading, `finish()` refuses keys that were never read.
public final class ConfigReader {
  /// The object that is read.
  public let config: Config
  /// What the settings are of, for errors: `Dense`.
  public let subject: String
  /// The layers that the settings may name.
  public let layerCatalog: LayerCatalog
  private let entries: [Config.Entry]
  private var known: [String] = []

  /// Prepares to read an object; nothing (`null`) counts as an object without keys.
  /// - Throws: `ConfigError` when it is no object.
  public init(_ config: Config, subject: String, layerCatalog: LayerCatalog = LayerCatalog()) throws {
    self.config = config
    self.subject = subject
    self.layerCatalog = layerCatalog
    switch config.value {
    case .object(let entries): self.entries = entries
    case .null: entries = []
    default:
      throw ConfigError("\(subject) needs an object of settings; received \(config.summary).", at: config.location)
    }
  }

  /// The setting as it stands; nil if there is none, or if it is `null`.
  public func value(_ key: String) -> Config? {
    if !known.contains(key) { known.append(key) }
    guard let value = entries.first(where: { $0.key == key })?.value, value.value != .null else { return nil }
    return value
  }

  /// Whether the key is there.
  public func has(_ key: String) -> Bool { value(key) != nil }

  /// A setting that has to be there.
  /// - Throws: `ConfigError` when it is not.
  public func required(_ key: String) throws -> Config {
    if let value = value(key) { return value }
    throw missing(key)
  }

  /// What to throw for a setting that has to be there and is not: it may just be misspelt.
  private func missing(_ key: String) -> ConfigError {
    let others = entries.filter { !known.contains($0.key) }
    guard let near = nearestWord(to: key, among: others.map(\.key)), let entry = others.first(where: { $0.key == near })
    else {
      return ConfigError("\(subject) needs the setting '\(key)'.", at: config.location)
    }
    return ConfigError(
      "\(subject) needs the setting '\(key)'; did you mean it by '\(near)'?",
      at: entry.location ?? entry.value.location)
  }

  /// Refuses settings that were never asked for.
  /// - Throws: `ConfigError` naming the first unknown key and the nearest known one.
  public func finish() throws {
    for entry in entries where !known.contains(entry.key) {
      let nearest = nearestWord(to: entry.key, among: known).map { "; did you mean '\($0)'?" } ?? "."
      let list = known.isEmpty ? "It has no settings." : "Known: \(known.joined(separator: ", "))."
      throw ConfigError(
        "\(subject) has no setting '\(entry.key)'\(nearest) \(list)", at: entry.location ?? entry.value.location)
    }
  }

  func complaint(_ key: String, _ expected: String, _ received: Config) -> ConfigError {
    ConfigError(
      "\(subject): '\(key)' needs \(expected); received \(received.summary).",
      at: received.location ?? config.location)
  }

  // MARK: Typed settings

  /// A whole number.
  public func int(_ key: String) throws -> Int { try int(key, required(key)) }
  /// A whole number, or `fallback` where it is not set.
  public func int(_ key: String, default fallback: Int) throws -> Int { try optionalInt(key) ?? fallback }
  /// A whole number, if it is set.
  public func optionalInt(_ key: String) throws -> Int? { try value(key).map { try int(key, $0) } }

  /// A whole number of at most 32 bits: no axis is longer.
  private func int(_ key: String, _ value: Config, limit: Int = Int(UInt32.max)) throws -> Int {
    let number: Int?
    switch value.value {
    case .int(let integer): number = integer
    case .double(let real): number = Int(exactly: real)
    default: number = nil
    }
    guard let number else { throw complaint(key, "a whole number", value) }
    guard number.magnitude <= limit else { throw complaint(key, "a whole number of at most \(limit)", value) }
    return number
  }

  /// A number.
  public func double(_ key: String) throws -> Double { try double(key, required(key)) }
  /// A number, or `fallback` where it is not set.
  public func double(_ key: String, default fallback: Double) throws -> Double { try optionalDouble(key) ?? fallback }
  /// A number, if it is set.
  public func optionalDouble(_ key: String) throws -> Double? { try value(key).map { try double(key, $0) } }

  private func double(_ key: String, _ value: Config) throws -> Double {
    switch value.value {
    case .int(let number): return Double(number)
    case .double(let number): return number
    default: throw complaint(key, "a number", value)
    }
  }

  /// True or false, or `fallback` where it is not set.
  public func bool(_ key: String, default fallback: Bool) throws -> Bool {
    guard let value = value(key) else { return fallback }
    if case .bool(let flag) = value.value { return flag }
    throw complaint(key, "true or false", value)
  }

  /// A text.
  public func string(_ key: String) throws -> String { try string(key, required(key)) }
  /// A text, or `fallback` where it is not set.
  public func string(_ key: String, default fallback: String) throws -> String { try optionalString(key) ?? fallback }
  /// A text, if it is set.
  public func optionalString(_ key: String) throws -> String? { try value(key).map { try string(key, $0) } }

  private func string(_ key: String, _ value: Config) throws -> String {
    if case .string(let text) = value.value { return text }
    throw complaint(key, "a text", value)
  }

  /// A list.
  public func array(_ key: String) throws -> [Config] {
    let value = try required(key)
    if case .array(let values) = value.value { return values }
    throw complaint(key, "a list", value)
  }

  /// A list of whole numbers.
  public func ints(_ key: String) throws -> [Int] {
    try array(key).map { try int(key, $0) }
  }

  /// A list of numbers.
  public func doubles(_ key: String) throws -> [Double] {
    try array(key).map { try double(key, $0) }
  }

  /// A size for each of `count` axes: a list of so many, or one number for all. Sizes have 31 bits, so that the product
  /// of two cannot overflow.
  public func sizes(_ key: String, count: Int, default fallback: [Int]? = nil) throws -> [Int] {
    guard let value = value(key) else {
      if let fallback { return fallback }
      throw missing(key)
    }
    let limit = Int(Int32.max)
    if case .int = value.value { return [Int](repeating: try int(key, value, limit: limit), count: count) }
    guard case .array(let values) = value.value, values.count == count else {
      throw complaint(key, "a whole number or a list of \(count)", value)
    }
    return try values.map { try int(key, $0, limit: limit) }
  }

  /// One of the words that the cases of an enumeration are written as.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Choice? = nil
  ) throws -> Choice where Choice.RawValue == String {
    guard let value = value(key) else {
      if let fallback { return fallback }
      throw missing(key)
    }
    let words = Choice.allCases.map(\.rawValue)
    guard case .string(let word) = value.value else {
      throw complaint(key, "one of \(words.joined(separator: ", "))", value)
    }
    if let choice = Choice(rawValue: word) ?? Choice(rawValue: word.lowercased()) { return choice }
    let nearest = nearestWord(to: word, among: words).map { " Did you mean '\($0)'?" } ?? ""
    throw ConfigError(
      "\(subject): '\(key)' needs one of \(words.joined(separator: ", ")); received \(value.summary).\(nearest)",
      at: value.location ?? config.location)
  }
}
