// Recipes are YAML: its events become our own tree of settings, with lines for errors, by the rules of YAML 1.2: `no` and
// `on` are words, `1e-3` is a number.

import AccelerandoFormats
import AccelerandoNN

extension Config {
  /// Reads YAML.
  /// - Parameters:
  ///   - text: the YAML text, one document.
  ///   - file: the name of the text in errors.
  /// - Throws: `ConfigError` with the line.
  public init(yaml text: String, file: String) throws {
    var builder = YAMLBuilder(try YAMLEventReader(text, file: file), file: file)
    self = try builder.document()
  }
}

/// Builds a tree of settings.
private struct YAMLBuilder {
  /// A tree may not have more nodes than this: aliases can make a small file stand for an enormous one.
  private static let mostNodes = 100_000
  private static let deepest = 256
  private static let schema = "tag:yaml.org,2002:"

  private let events: YAMLEventReader
  private let file: String
  private var anchors: [String: (node: Config, count: Int)] = [:]
  private var count = 0
  private var depth = 0

  init(_ events: YAMLEventReader, file: String) {
    self.events = events
    self.file = file
  }

  mutating func document() throws -> Config {
    _ = try events.next()
    guard case .documentStart = try events.next().kind else {
      return Config(.null, at: SourceLocation(file: file, line: 1))
    }
    let root = try node(try events.next())
    _ = try events.next()
    let end = try events.next()
    guard case .streamEnd = end.kind else {
      throw error("needs one document; there is another one here, after '---'.", end)
    }
    return root
  }

  private func error(_ message: String, _ event: YAMLEvent) -> ConfigError {
    ConfigError(message, at: SourceLocation(file: file, line: event.line))
  }

  private mutating func add(_ nodes: Int, _ event: YAMLEvent) throws {
    count += nodes
    guard count <= Self.mostNodes else {
      throw error("the file expands to more than \(Self.mostNodes) settings; are there aliases of aliases?", event)
    }
  }

  /// The node that begins with an event.
  private mutating func node(_ event: YAMLEvent) throws -> Config {
    if case .alias(let name) = event.kind {
      guard let anchored = anchors[name] else { throw error("there is no '&\(name)' before '*\(name)'.", event) }
      try add(anchored.count, event)
      return anchored.node
    }
    let before = count
    try add(1, event)
    guard depth < Self.deepest else { throw error("is nested more than \(Self.deepest) deep.", event) }
    depth += 1
    let value = try value(event)
    depth -= 1
    let node = Config(value, at: SourceLocation(file: file, line: event.line))
    if let anchor = event.anchor { anchors[anchor] = (node, count - before) }
    return node
  }

  private mutating func value(_ event: YAMLEvent) throws -> Config.Value {
    switch event.kind {
    case .scalar(let text, let isPlain): return try scalar(text, isPlain: isPlain, event)
    case .sequenceStart:
      try check(event, "seq", of: "a list")
      var items: [Config] = []
      while let item = try next() { items.append(try node(item)) }
      return .array(items)
    case .mappingStart:
      try check(event, "map", of: "an object")
      var entries: [Config.Entry] = []
      var keys: Set<ExactName> = []
      while let key = try next() {
        let name = try name(key)
        guard keys.insert(ExactName(name)).inserted else {
          throw error("the setting '\(name)' stands here twice.", key)
        }
        let value = try node(try events.next())
        entries.append(Config.Entry(name, value, at: SourceLocation(file: file, line: key.line)))
      }
      return .object(entries)
    default: throw error("this is not YAML: a value is missing.", event)
    }
  }

  /// The next event inside a list or an object; nil at its end.
  private func next() throws -> YAMLEvent? {
    let event = try events.next()
    if case .end = event.kind { return nil }
    return event
  }

  /// The name that a key is, however it looks.
  private mutating func name(_ key: YAMLEvent) throws -> String {
    switch key.kind {
    case .scalar(let text, _):
      if let anchor = key.anchor { anchors[anchor] = (Config(.string(text)), 1) }
      return text
    case .alias(let name):
      guard let anchored = anchors[name] else { throw error("there is no '&\(name)' before '*\(name)'.", key) }
      if case .string(let text) = anchored.node.value { return text }
    default: break
    }
    throw error("a setting needs a plain name; received a list, an object or an alias of something else.", key)
  }

  private func check(_ event: YAMLEvent, _ tag: String, of what: String) throws {
    guard let found = event.tag, found != "!", found != Self.schema + tag else { return }
    throw error("\(what) cannot have the tag '\(found.replacing(Self.schema, with: "!!"))'.", event)
  }

  /// What a scalar stands for: quoted ones are text, plain ones what they look like, tagged ones what the tag says.
  private func scalar(_ text: String, isPlain: Bool, _ event: YAMLEvent) throws -> Config.Value {
    guard let tag = event.tag else { return isPlain ? YAMLScalar.value(text) : .string(text) }
    let value = YAMLScalar.value(text)
    switch (tag.replacing(Self.schema, with: "!!"), value) {
    case ("!", _), ("!!str", _): return .string(text)
    case ("!!int", .int), ("!!float", .double), ("!!bool", .bool), ("!!null", .null): return value
    case ("!!float", .int(let number)): return .double(Double(number))
    case (let name, _): throw error("'\(text)' cannot have the tag '\(name)'.", event)
    }
  }
}

/// Plain scalars by the core schema of YAML 1.2.2, section 10.3.2.
enum YAMLScalar {
  static func value(_ text: String) -> Config.Value {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case ".nan", ".NaN", ".NAN": return .double(.nan)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .double(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .double(-.infinity)
    default: return number(text) ?? .string(text)
    }
  }

  /// A number; one that no `Int` holds becomes a `Double`.
  private static func number(_ text: String) -> Config.Value? {
    let bytes = Array(text.utf8)
    for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
      let digits = text.dropFirst(2)
      guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
      if let number = Int(digits, radix: radix) { return .int(number) }
      let values = digits.map { $0.isASCII ? $0.hexDigitValue.flatMap { $0 < radix ? $0 : nil } : nil }
      guard values.allSatisfy({ $0 != nil }) else { return nil }
      return .double(values.reduce(0.0) { $0 * Double(radix) + Double($1 ?? 0) })
    }
    guard isDecimal(bytes) else { return nil }
    if let number = Int(text) { return .int(number) }
    return Double(text).map { .double($0) }
  }

  /// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, which whole numbers fit too.
  private static func isDecimal(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    func take(_ set: String) -> Bool {
      guard let first = rest.first, set.utf8.contains(first) else { return false }
      rest.removeFirst()
      return true
    }
    func digits() -> Int {
      let found = rest.prefix { (0x30...0x39).contains($0) }.count
      rest.removeFirst(found)
      return found
    }
    _ = take("+-")
    let whole = digits()
    let hasPoint = take(".")
    let fraction = hasPoint ? digits() : 0
    guard whole + fraction > 0 else { return false }
    if take("eE") {
      _ = take("+-")
      guard digits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
