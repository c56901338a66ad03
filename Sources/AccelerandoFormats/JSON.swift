// JSON text, read and written in one place: settings, headers of weights, checkpoints, what commands print. The reader
// takes RFC 8259 and nothing else, knows its place, and compares keys by their bytes; the writer knows that labels may
// hold quotes.

import Foundation

/// A JSON value with its place in the text that it was read from.
package struct JSON: Sendable {
  package enum Value: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that an `Int` holds.
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSON])
    /// Members in order. A text that was read has no key twice.
    case object([Member])
  }

  package struct Member: Sendable {
    package var key: String
    package var value: JSON
    /// The line of the key, from 1.
    package var line: Int

    package init(_ key: String, _ value: JSON, line: Int = 1) {
      self.key = key
      self.value = value
      self.line = line
    }
  }

  package var value: Value
  /// The line, from 1.
  package var line: Int

  package init(_ value: Value, line: Int = 1) {
    self.value = value
    self.line = line
  }

  /// Makes an object.
  package init(_ members: [(String, JSON)]) { self.init(.object(members.map { Member($0, $1) })) }

  /// A number; JSON has no NaN and no infinities, which become null.
  package static func number(_ value: Double) -> JSON { JSON(value.isFinite ? .double(value) : .null) }

  /// How text is laid out.
  package enum Layout {
    /// Over lines, with two spaces of indentation; lists of plain values keep theirs.
    case indented
    /// In one line with spaces: `{"a": 1, "b": 2}`.
    case line
    /// Without any space.
    case compact
  }

  /// The value as text, without a line feed at its end.
  package func text(_ layout: Layout = .line) -> String {
    var text = ""
    write(to: &text, layout, indent: "\n")
    return text
  }

  private func write(to text: inout String, _ layout: Layout, indent: String) {
    func list(_ brackets: (String, String), count: Int, isFlat: Bool, _ item: (Int) -> Void) {
      let (open, between, close) =
        switch layout {
        case .compact: ("", ",", "")
        case .line: ("", ", ", "")
        case .indented: isFlat ? ("", ", ", "") : ("\(indent)  ", ",\(indent)  ", indent)
        }
      text += brackets.0
      for index in 0..<count {
        text += index == 0 ? open : between
        item(index)
      }
      text += count == 0 ? brackets.1 : close + brackets.1
    }
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += String(value)
    case .double(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.quote(value, into: &text)
    case .array(let values):
      list(("[", "]"), count: values.count, isFlat: values.allSatisfy { !$0.isNested }) {
        values[$0].write(to: &text, layout, indent: indent + "  ")
      }
    case .object(let members):
      list(("{", "}"), count: members.count, isFlat: false) { index in
        Self.quote(members[index].key, into: &text)
        text += layout == .compact ? ":" : ": "
        members[index].value.write(to: &text, layout, indent: indent + "  ")
      }
    }
  }

  private var isNested: Bool {
    switch value {
    case .array, .object: true
    default: false
    }
  }

  private static func quote(_ string: String, into text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSON {
  /// The JSON of a value that Swift can encode, with its keys in alphabetical order.
  /// - Parameter snakeCase: whether keys are written `like_this`.
  /// - Throws: what the value throws while it is encoded.
  package init(encoding value: some Encodable, snakeCase: Bool = false) throws {
    // The encoder refuses NaN and infinities, or writes them as a text, which is then found again.
    let mark = "\u{10FFFF}not a number"
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: mark, negativeInfinity: mark, nan: mark)
    if snakeCase { encoder.keyEncodingStrategy = .convertToSnakeCase }
    self = try JSON(parsing: Array(encoder.encode(value))).replacing(mark)
  }

  private func replacing(_ mark: String) -> JSON {
    switch value {
    case .string(let text) where text == mark: JSON(.null)
    case .array(let values): JSON(.array(values.map { $0.replacing(mark) }))
    case .object(let members): JSON(.object(members.map { Member($0.key, $0.value.replacing(mark)) }))
    default: self
    }
  }
}

/// A text in comparisons by its bytes. Swift takes é and e with an accent for the same; names in files are not.
package struct ExactName: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  package static func == (a: ExactName, b: ExactName) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

  package func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
