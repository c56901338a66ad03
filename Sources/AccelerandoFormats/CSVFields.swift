// What the text of a field means: a number, a truth value, a date, nothing, or just text. Types of columns are unions of
// these.

import Foundation

/// The kinds of fields that a column was seen to have.
package struct CSVFieldKinds: OptionSet, Sendable, Hashable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let missing = CSVFieldKinds(rawValue: 1)
  /// A whole number that a Float holds exactly.
  package static let int = CSVFieldKinds(rawValue: 2)
  /// A whole number that a Double holds exactly, and a Float does not.
  package static let longInt = CSVFieldKinds(rawValue: 128)
  /// A whole number that only an `Int64` holds.
  package static let wideInt = CSVFieldKinds(rawValue: 4)
  package static let float = CSVFieldKinds(rawValue: 8)
  package static let bool = CSVFieldKinds(rawValue: 16)
  package static let date = CSVFieldKinds(rawValue: 32)
  package static let text = CSVFieldKinds(rawValue: 64)
}

/// Reads the meaning of fields.
package struct CSVFieldReader: Sendable {
  let decimal: DecimalNumber
  /// The words for missing values, by their length.
  private let missing: [[[UInt8]]]

  init(decimal: UInt8, missing: [String]) {
    self.decimal = DecimalNumber(separator: decimal)
    let words = missing.map { Array($0.utf8) }.filter { !$0.isEmpty }
    var byLength = [[[UInt8]]](repeating: [], count: (words.map(\.count).max() ?? 0) + 1)
    for word in words { byLength[word.count].append(word) }
    self.missing = byLength
  }

  /// The bytes without spaces at their ends.
  private func trimmed(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    var (first, last) = (0, bytes.count)
    while first < last, bytes[first] == 32 || bytes[first] == 9 { first += 1 }
    while last > first, bytes[last - 1] == 32 || bytes[last - 1] == 9 { last -= 1 }
    return UnsafeBufferPointer(rebasing: bytes[first..<last])
  }

  /// Whether the bytes stand for a missing value.
  package func isMissing(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let bytes = trimmed(bytes)
    guard bytes.count > 0 else { return true }
    guard bytes.count < missing.count else { return false }
    return missing[bytes.count].contains { $0.elementsEqual(bytes) }
  }

  /// The number that the bytes say, and whether it is written as a whole one.
  package func number(_ bytes: UnsafeBufferPointer<UInt8>) -> (value: Double, isInteger: Bool)? {
    let bytes = trimmed(bytes)
    guard let start = bytes.baseAddress, bytes.count > 0 else { return nil }
    if let number = decimal.read(start, start + bytes.count), number.end == start + bytes.count {
      return (number.value, number.isInteger)
    }
    guard bytes.count <= 9 else { return nil }
    switch String(decoding: bytes, as: UTF8.self).lowercased() {
    case "inf", "+inf", "infinity", "+infinity": return (.infinity, false)
    case "-inf", "-infinity": return (-.infinity, false)
    case "nan", "-nan", "+nan": return (.nan, false)
    default: return nil
    }
  }

  /// The whole number that the bytes say.
  package func integer(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
    Int64(String(decoding: trimmed(bytes), as: UTF8.self))
  }

  /// The truth value that the bytes say: `true` or `false`, also with a capital or in capitals.
  package func bool(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool? {
    let bytes = trimmed(bytes)
    guard bytes.count == 4 || bytes.count == 5 else { return nil }
    switch String(decoding: bytes, as: UTF8.self) {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: return nil
    }
  }

  /// The date that the bytes say, in seconds since 1970.
  package func date(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
    let bytes = trimmed(bytes)
    // Every form of a date has a digit, and at least eight characters.
    guard bytes.count >= 8, bytes.count <= 40, bytes.contains(where: { $0 >= 48 && $0 <= 57 }) else { return nil }
    return DateText.seconds(bytes)
  }

  /// The kind of a number without fraction and exponent.
  @inline(__always)
  static func kind(ofInteger value: Double) -> CSVFieldKinds {
    if value.magnitude <= 0x1p24 { return .int }
    return value.magnitude <= 0x1p53 ? .longInt : value.magnitude < 0x1p63 ? .wideInt : .float
  }

  /// What the bytes are, and the number if they are one.
  package func kind(_ bytes: UnsafeBufferPointer<UInt8>) -> (kind: CSVFieldKinds, value: Double) {
    if isMissing(bytes) { return (.missing, .nan) }
    if let (value, isInteger) = number(bytes) {
      return (isInteger ? Self.kind(ofInteger: value) : .float, value)
    }
    if bool(bytes) != nil { return (.bool, .nan) }
    return (date(bytes) == nil ? .text : .date, .nan)
  }
}
