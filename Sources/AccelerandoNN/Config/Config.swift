// A model, an optimizer or a recipe as data: the contents of YAML and JSON files. The tree keeps the order of keys and
// the position in the file, so that errors can say where the mistake is.

/// A tree of settings.
public struct Config: Sendable {
  /// What a node of the tree holds.
  public enum Value: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([Config])
    /// Settings by key, in order; keys are unique.
    case object([Entry])
  }

  /// One setting.
  public struct Entry: Hashable, Sendable {
    /// The setting's name.
    public var key: String
    /// The setting's value.
    public var value: Config
    /// The position of the key.
    public var location: SourceLocation?

    /// Makes a setting.
    public init(_ key: String, _ value: Config, at location: SourceLocation? = nil) {
      self.key = key
      self.value = value
      self.location = location
    }

    public static func == (a: Entry, b: Entry) -> Bool { a.key == b.key && a.value == b.value }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(key)
      hasher.combine(value)
    }
  }

  /// The node's value.
  public var value: Value
  /// The node's position in a file, if it comes from one.
  public var location: SourceLocation?

  /// Makes a node.
  public init(_ value: Value, at location: SourceLocation? = nil) {
    self.value = value
    self.location = location
  }

  /// Makes an object of settings; nil ones are omitted.
  public init(_ entries: KeyValuePairs<String, Config?>) {
    self.init(.object(entries.compactMap { key, value in value.map { Entry(key, $0) } }))
  }

  /// The setting of a key, if the node is an object that has it.
  public subscript(_ key: String) -> Config? {
    guard case .object(let entries) = value else { return nil }
    return entries.first { $0.key == key }?.value
  }

  /// A list of whole numbers.
  public static func ints(_ values: [Int]) -> Config { Config(.array(values.map { Config(.int($0)) })) }

  /// A description of the value: `the number 3`, `the text "abc"`.
  public var summary: String {
    switch value {
    case .null: "nothing"
    case .bool(let value): "\(value)"
    case .int(let value): "the number \(value)"
    case .double(let value): "the number \(value)"
    case .string(let value): "the text \"\(value.prefix(60))\""
    case .array(let values): "a list of \(values.count)"
    case .object(let entries):
      "an object with \(entries.isEmpty ? "no keys" : entries.map(\.key).joined(separator: ", "))"
    }
  }
}

/// Two configurations are equal when their values are, whatever their positions. The order of keys matters.
extension Config: Hashable {
  public static func == (a: Config, b: Config) -> Bool { a.value == b.value }
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

/// A position in a text.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
  /// The file's name, or another name of the text.
  public var file: String
  /// The line, from 1.
  public var line: Int

  /// Makes a place.
  public init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  public var description: String { "\(file):\(line)" }
}

extension Config: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self.init(.string(value)) }
  public init(integerLiteral value: Int) { self.init(.int(value)) }
  public init(floatLiteral value: Double) { self.init(.double(value)) }
  public init(booleanLiteral value: Bool) { self.init(.bool(value)) }
  public init(arrayLiteral elements: Config...) { self.init(.array(elements)) }
  public init(nilLiteral: ()) { self.init(.null) }
}

/// An invalid setting: what was expected and what was received, with the position.
public struct ConfigError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong and what would be right.
  public let message: String
  /// The position in the file.
  public let location: SourceLocation?

  /// Makes an error.
  public init(_ message: String, at location: SourceLocation? = nil) {
    self.message = message
    self.location = location
  }

  public var description: String { location.map { "\($0): \(message)" } ?? message }
}
