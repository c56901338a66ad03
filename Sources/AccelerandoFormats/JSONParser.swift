// The reader of JSON text. A file that was cut off, or nested to exhaust the stack, is an error like any other.

import Foundation

/// Text that is not JSON.
package struct JSONError: Error, Hashable, Sendable {
  /// What is wrong.
  package let message: String
  /// The byte, from 0.
  package let offset: Int
  /// The line, from 1.
  package let line: Int
}

extension JSON {
  /// Reads JSON text in UTF-8.
  /// - Throws: `JSONError` with the place.
  package init(parsing bytes: [UInt8]) throws {
    var parser = JSONParser(bytes: bytes)
    self = try parser.parseDocument()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0
  var line = 1
  var depth = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  func error(_ message: String) -> JSONError { JSONError(message: message, offset: position, line: line) }

  func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      if byte == 0x0A { line += 1 }
      position += 1
    }
  }

  mutating func parseDocument() throws -> JSON {
    let value = try parseValue()
    skipSpace()
    guard peek() == nil else { throw error("needs the end of the text after the first value") }
    return value
  }

  mutating func parseValue() throws -> JSON {
    skipSpace()
    guard let byte = peek() else { throw error("the text ends where a value is needed") }
    let start = line
    switch byte {
    case UInt8(ascii: "{"): return try nested { try $0.parseObject(start) }
    case UInt8(ascii: "["): return try nested { try $0.parseArray(start) }
    case UInt8(ascii: "\""): return JSON(.string(try parseString()), line: start)
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try parseNumber()
    }
  }

  mutating func nested(_ parse: (inout JSONParser) throws -> JSON) throws -> JSON {
    guard depth < 256 else { throw error("is nested more than 256 deep") }
    depth += 1
    defer { depth -= 1 }
    return try parse(&self)
  }

  mutating func word(_ word: String, _ value: JSON.Value) throws -> JSON {
    guard bytes[position...].starts(with: word.utf8) else { throw error("needs a value; unknown word") }
    position += word.utf8.count
    return JSON(value, line: line)
  }

  mutating func parseObject(_ start: Int) throws -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var keys: Set<ExactName> = []
    skipSpace()
    if peek() == UInt8(ascii: "}") {
      position += 1
      return JSON(.object([]), line: start)
    }
    while true {
      skipSpace()
      guard peek() == UInt8(ascii: "\"") else { throw error("needs a key in quotes") }
      let place = line
      let key = try parseString()
      guard keys.insert(ExactName(key)).inserted else { throw error("the key '\(key)' comes twice") }
      skipSpace()
      guard peek() == UInt8(ascii: ":") else { throw error("needs ':' after the key '\(key)'") }
      position += 1
      members.append(JSON.Member(key, try parseValue(), line: place))
      if try !continues(until: UInt8(ascii: "}")) { return JSON(.object(members), line: start) }
    }
  }

  mutating func parseArray(_ start: Int) throws -> JSON {
    position += 1
    var values: [JSON] = []
    skipSpace()
    if peek() == UInt8(ascii: "]") {
      position += 1
      return JSON(.array([]), line: start)
    }
    while true {
      values.append(try parseValue())
      if try !continues(until: UInt8(ascii: "]")) { return JSON(.array(values), line: start) }
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
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4,
      digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }),
      let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("needs four hexadecimal digits") }
    position += 4
    return code
  }

  /// A number: `-`, digits without a needless zero before them, a fraction, an exponent.
  mutating func parseNumber() throws -> JSON {
    let start = position
    func digits(_ parser: inout JSONParser) -> Int {
      let first = parser.position
      while let byte = parser.peek(), (0x30...0x39).contains(byte) { parser.position += 1 }
      return parser.position - first
    }
    func refuse(_ parser: inout JSONParser) -> JSONError {
      parser.position = start
      return parser.error("needs a value")
    }
    if peek() == UInt8(ascii: "-") { position += 1 }
    let leading = peek()
    let count = digits(&self)
    guard count > 0, count == 1 || leading != UInt8(ascii: "0") else { throw refuse(&self) }
    var isWhole = true
    if peek() == UInt8(ascii: ".") {
      position += 1
      isWhole = false
      guard digits(&self) > 0 else { throw refuse(&self) }
    }
    if let byte = peek(), byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      position += 1
      isWhole = false
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      guard digits(&self) > 0 else { throw refuse(&self) }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    // −0 is no whole number: an Int would lose its sign.
    if isWhole, text != "-0", let number = Int(text) { return JSON(.int(number), line: line) }
    guard let number = Double(text), number.isFinite else { throw refuse(&self) }
    return JSON(.double(number), line: line)
  }
}
