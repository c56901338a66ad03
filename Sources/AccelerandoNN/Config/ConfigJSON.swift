// Configurations as JSON text, both ways. The reader knows the line it is in, keeps the order of keys and refuses what
// JSON refuses; a file that was cut off or nested to exhaust the stack is an error like any other.

extension Config {
  /// Reads JSON.
  /// - Parameters:
  ///   - text: the JSON text.
  ///   - file: the name of the text in errors.
  /// - Throws: `ConfigError` with the line.
  public init(json text: String, file: String) throws {
    var parser = JSONParser(bytes: Array(text.utf8), file: file)
    self = try parser.parseDocument()
  }

  /// The configuration as JSON text with two spaces of indentation.
  public var json: String {
    var text = ""
    write(to: &text, indent: "")
    return text + "\n"
  }

  private func write(to text: inout String, indent: String) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += String(value)
    // JSON has no infinities; text is what a reader of numbers will refuse with a clear error.
    case .double(let value): text += value.isFinite ? "\(value)" : "\"\(value)\""
    case .string(let value): text += Self.quoted(value)
    case .array(let values):
      let isFlat = values.allSatisfy { !$0.isNested }
      text += "["
      for (index, value) in values.enumerated() {
        text += index > 0 ? "," : ""
        text += isFlat ? (index > 0 ? " " : "") : "\n\(indent)  "
        value.write(to: &text, indent: indent + "  ")
      }
      text += isFlat ? "]" : "\n\(indent)]"
    case .object(let entries):
      text += "{"
      for (index, entry) in entries.enumerated() {
        text += (index > 0 ? "," : "") + "\n\(indent)  " + Self.quoted(entry.key) + ": "
        entry.value.write(to: &text, indent: indent + "  ")
      }
      text += entries.isEmpty ? "}" : "\n\(indent)}"
    }
  }

  private var isNested: Bool {
    switch value {
    case .array, .object: true
    default: false
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  let file: String
  var position = 0
  var line = 1
  var depth = 0

  init(bytes: [UInt8], file: String) {
    self.bytes = bytes
    self.file = file
  }

  var location: SourceLocation { SourceLocation(file: file, line: line) }

  func error(_ message: String) -> ConfigError { ConfigError("\(message) (at byte \(position))", at: location) }

  func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      if byte == 0x0A { line += 1 }
      position += 1
    }
  }

  mutating func parseDocument() throws -> Config {
    let value = try parseValue()
    skipSpace()
    guard peek() == nil else { throw error("needs the end of the text after the first value") }
    return value
  }

  mutating func parseValue() throws -> Config {
    skipSpace()
    guard let byte = peek() else { throw error("the text ends where a value is needed") }
    let start = location
    switch byte {
    case UInt8(ascii: "{"): return try nested { try $0.parseObject(start) }
    case UInt8(ascii: "["): return try nested { try $0.parseArray(start) }
    case UInt8(ascii: "\""): return Config(.string(try parseString()), at: start)
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try parseNumber()
    }
  }

  mutating func nested(_ parse: (inout JSONParser) throws -> Config) throws -> Config {
    guard depth < 256 else { throw error("is nested more than 256 deep") }
    depth += 1
    defer { depth -= 1 }
    return try parse(&self)
  }

  mutating func word(_ word: String, _ value: Config.Value) throws -> Config {
    guard bytes[position...].starts(with: word.utf8) else { throw error("needs a value; unknown word") }
    position += word.utf8.count
    return Config(value, at: location)
  }

  mutating func parseObject(_ start: SourceLocation) throws -> Config {
    position += 1
    var entries: [Config.Entry] = []
    var keys: Set<String> = []
    skipSpace()
    if peek() == UInt8(ascii: "}") {
      position += 1
      return Config(.object([]), at: start)
    }
    while true {
      skipSpace()
      guard peek() == UInt8(ascii: "\"") else { throw error("needs a key in quotes") }
      let place = location
      let key = try parseString()
      guard keys.insert(key).inserted else { throw error("the key '\(key)' comes twice") }
      skipSpace()
      guard peek() == UInt8(ascii: ":") else { throw error("needs ':' after the key '\(key)'") }
      position += 1
      entries.append(Config.Entry(key, try parseValue(), at: place))
      if try !continues(until: UInt8(ascii: "}")) { return Config(.object(entries), at: start) }
    }
  }

  mutating func parseArray(_ start: SourceLocation) throws -> Config {
    position += 1
    var values: [Config] = []
    skipSpace()
    if peek() == UInt8(ascii: "]") {
      position += 1
      return Config(.array([]), at: start)
    }
    while true {
      values.append(try parseValue())
      if try !continues(until: UInt8(ascii: "]")) { return Config(.array(values), at: start) }
    }
  }

  mutating func continues(until end: UInt8) throws -> Bool {
    skipSpace()
    guard let byte = peek(), byte == end || byte == UInt8(ascii: ",") else {
      throw error("needs ',' or '\(Character(UnicodeScalar(end)))'")
    }
    position += 1
    return byte != end
  }

  mutating func parseString() throws -> String {
    position += 1
    var result: [UInt8] = []
    while let byte = peek() {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: result, as: UTF8.self) else { throw error("the text is not UTF-8") }
        return text
      case UInt8(ascii: "\\"): try parseEscape(into: &result)
      case 0..<0x20: throw error("a control character inside a text")
      default: result.append(byte)
      }
    }
    throw error("the text ends inside quotes")
  }

  mutating func parseEscape(into result: inout [UInt8]) throws {
    guard let byte = peek() else { throw error("the text ends inside quotes") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var code = try parseHex()
      if (0xD800..<0xDC00).contains(code), bytes[position...].starts(with: "\\u".utf8) {
        position += 2
        let low = try parseHex()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half of a character") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else { throw error("half of a character") }
      result += Array(String(Character(scalar)).utf8)
    default: throw error("an unknown escape")
    }
  }

  mutating func parseHex() throws -> UInt32 {
    guard position + 4 <= bytes.count,
      let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("needs four hexadecimal digits") }
    position += 4
    return code
  }

  mutating func parseNumber() throws -> Config {
    let start = position
    while let byte = peek(), (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let number = Int(text), !text.hasPrefix("+") { return Config(.int(number), at: location) }
    if let number = Double(text), number.isFinite, !text.hasPrefix("+"), !text.hasPrefix(".") {
      return Config(.double(number), at: location)
    }
    position = start
    throw error("needs a value")
  }
}
