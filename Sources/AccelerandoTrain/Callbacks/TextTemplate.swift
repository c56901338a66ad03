// A text with fields that numbers are filled into, in the language of Python's `str.format`, which is what paths of
// checkpoints are written in: `model-{epoch:02d}-{val_loss:.4f}`.

import Foundation

/// A text with fields like `{epoch:02d}`.
struct TextTemplate {
  /// What is filled in.
  enum Number {
    case whole(Int)
    case real(Double)
  }

  /// Why a text is no template.
  struct Mistake: Error {
    let reason: String
  }

  private enum Part {
    case text(String)
    case field(name: String, spec: NumberFormat)
  }

  private let parts: [Part]

  /// Reads a template. `{{` and `}}` stand for braces.
  /// - Throws: `Mistake` for braces without partners and formats that are none.
  init(_ text: String) throws {
    var parts: [Part] = []
    var literal = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      if character == "{" || character == "}", rest.first == character {
        literal.append(character)
        rest.removeFirst()
        continue
      }
      if character == "}" { throw Mistake(reason: "'}' stands alone; write }} for a brace") }
      guard character == "{" else {
        literal.append(character)
        continue
      }
      guard let close = rest.firstIndex(of: "}") else {
        throw Mistake(reason: "'{' has no '}'; write {{ for a brace")
      }
      let field = rest[..<close]
      rest = rest[rest.index(after: close)...]
      let colon = field.firstIndex(of: ":")
      let name = String(field[..<(colon ?? field.endIndex)])
      let spec = colon.map { String(field[field.index(after: $0)...]) } ?? ""
      guard !name.isEmpty else { throw Mistake(reason: "'{\(field)}' has no name") }
      guard let format = NumberFormat(spec) else {
        throw Mistake(
          reason: "'{\(field)}' needs a format like 02d, .4f, 8.3f, .2e or .1%; received '\(spec)'")
      }
      if !literal.isEmpty { parts.append(.text(literal)) }
      literal = ""
      parts.append(.field(name: name, spec: format))
    }
    if !literal.isEmpty { parts.append(.text(literal)) }
    self.parts = parts
  }

  /// The names of the fields.
  var names: [String] {
    parts.compactMap { part in
      if case .field(let name, _) = part { name } else { nil }
    }
  }

  /// The text before the first field.
  var beginning: String {
    if case .text(let text)? = parts.first { text } else { "" }
  }

  /// Whether there are fields.
  var hasFields: Bool { !names.isEmpty }

  /// Checks the formats of fields that have whole numbers, and of those that have not.
  /// - Throws: `Mistake` for the first format that does not fit.
  func check(isWhole: (String) -> Bool) throws {
    for case .field(let name, let spec) in parts where !isWhole(name) && spec.isForWholeNumbers {
      throw Mistake(
        reason: "'\(name)' is no whole number and cannot be written as '\(spec.text)'; use a format like .4f")
    }
  }

  /// The text with numbers filled in; nil where a number is missing.
  func filled(_ number: (String) -> Number?) -> String? {
    var result = ""
    for part in parts {
      switch part {
      case .text(let text): result += text
      case .field(let name, let spec):
        guard let value = number(name) else { return nil }
        result += spec.text(of: value)
      }
    }
    return result
  }
}

/// How a number is written: Python's `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
struct NumberFormat {
  /// The format as it was written.
  let text: String
  private var fill: Character = " "
  private var alignment: Character?
  private var sign: Character = "-"
  private var isAlternate = false
  private var width = 0
  private var grouping: Character?
  private var precision: Int?
  private var type: Character?

  /// Widths and precisions beyond the longest file names are invalid.
  private static let most = 255

  /// Reads a format; nil if it is none.
  init?(_ text: String) {
    self.text = text
    var rest = Array(text)[...]
    func take(_ allowed: String) -> Character? {
      guard let first = rest.first, allowed.contains(first) else { return nil }
      return rest.removeFirst()
    }
    func number() -> Int? {
      var digits = ""
      while let digit = take("0123456789") { digits.append(digit) }
      guard let value = Int(digits), value <= Self.most else { return nil }
      return value
    }
    if rest.count >= 2, "<>=^".contains(rest[rest.startIndex + 1]) {
      fill = rest.removeFirst()
      alignment = rest.removeFirst()
    } else {
      alignment = take("<>=^")
    }
    sign = take("+- ") ?? "-"
    isAlternate = take("#") != nil
    if rest.first == "0" {
      rest.removeFirst()
      if alignment == nil { (fill, alignment) = ("0", "=") }
    }
    if let first = rest.first, first.isNumber {
      guard let value = number() else { return nil }
      width = value
    }
    grouping = take(",_")
    if take(".") != nil {
      guard let value = number() else { return nil }
      precision = value
    }
    type = take("bdoxXeEfFgGn%")
    guard rest.isEmpty else { return nil }
    // As in Python, whole numbers have no precision.
    if isForWholeNumbers, precision != nil { return nil }
  }

  /// Whether only whole numbers can be written so.
  var isForWholeNumbers: Bool { type.map { "bdoxX".contains($0) } ?? false }

  func text(of number: TextTemplate.Number) -> String {
    var digits: String
    let isNegative: Bool
    switch number {
    case .whole(let value) where type == nil && precision == nil || type == "n" || isForWholeNumbers:
      isNegative = value < 0
      digits = whole(value.magnitude)
    case .whole(let value):
      isNegative = value < 0
      digits = real(Double(value.magnitude))
    case .real(let value):
      isNegative = value.sign == .minus && !value.isNaN
      digits = real(value.magnitude)
    }
    if let grouping { digits = Self.grouped(digits, by: grouping) }
    let mark = isNegative ? "-" : sign == "-" ? "" : String(sign)
    let padding = max(0, width - digits.count - mark.count)
    func fills(_ count: Int) -> String { String(repeating: fill, count: count) }
    switch alignment {
    case "<": return mark + digits + fills(padding)
    case "^": return fills(padding / 2) + mark + digits + fills(padding - padding / 2)
    case "=": return mark + fills(padding) + digits
    default: return fills(padding) + mark + digits
    }
  }

  private func whole(_ value: UInt) -> String {
    switch type {
    case "b": (isAlternate ? "0b" : "") + String(value, radix: 2)
    case "o": (isAlternate ? "0o" : "") + String(value, radix: 8)
    case "x": (isAlternate ? "0x" : "") + String(value, radix: 16)
    case "X": (isAlternate ? "0X" : "") + String(value, radix: 16, uppercase: true)
    default: String(value)
    }
  }

  private func real(_ value: Double) -> String {
    let flag = isAlternate ? "#" : ""
    switch type {
    case nil:
      guard let precision else { return value.isNaN ? "nan" : "\(value)" }
      // As 'g', with a digit after the point at least.
      let text = String(format: "%.\(max(precision, 1))g", value)
      return value.isFinite && !text.contains(where: { ".e".contains($0) }) ? text + ".0" : text
    case "%": return String(format: "%\(flag).\(precision ?? 6)f", value * 100) + "%"
    case "n": return String(format: "%\(flag).\(precision ?? 6)g", value)
    case let type?: return String(format: "%\(flag).\(precision ?? 6)\(type)", value)
    }
  }

  /// Groups of three digits before the point.
  private static func grouped(_ digits: String, by separator: Character) -> String {
    let end = digits.firstIndex { !$0.isNumber } ?? digits.endIndex
    var result = ""
    for (place, digit) in digits[..<end].enumerated() {
      if place > 0, (digits.distance(from: digits.startIndex, to: end) - place) % 3 == 0 { result.append(separator) }
      result.append(digit)
    }
    return result + digits[end...]
  }
}
