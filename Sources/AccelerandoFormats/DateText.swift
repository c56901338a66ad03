// Dates in tables are read as seconds since 1970, the one form that is a number. Forms that mean two things, such as
// 01/02/2020, are read only by a pattern.

import Foundation

/// Dates in the forms that cannot be mistaken: those of ISO 8601, also with `/`, and days with a month in letters or with
/// points, `31.12.2020`. A time may follow; without a zone it is taken as UTC.
enum DateText {
  /// Seconds since 1970, or nil for what is no such date.
  static func seconds(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
    if let seconds = iso(bytes) { return seconds }
    for pattern in otherForms {
      if let seconds = pattern.seconds(bytes) { return seconds }
    }
    return nil
  }

  private static let otherForms = [
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y",
  ].compactMap { try? DatePattern($0) }

  /// `2020-12-31`, `2020/12/31 23:59`, `2020-12-31T23:59:59.5+01:00`.
  private static func iso(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
    var reader = DateReader(bytes)
    guard let year = reader.number(4...4), let separator = reader.next(), separator == 0x2D || separator == 0x2F,
      let month = reader.number(1...2), reader.take(separator), let day = reader.number(1...2),
      var seconds = DateReader.seconds(year, month, day)
    else { return nil }
    if reader.isAtEnd { return seconds }
    guard reader.take(0x54) || reader.take(0x20), let time = reader.time() else { return nil }
    seconds += time
    if reader.isAtEnd { return seconds }
    _ = reader.take(0x20)
    guard let zone = reader.zone(), reader.isAtEnd else { return nil }
    return seconds - zone
  }
}

/// A form of dates, by strptime's marks: `%d/%m/%Y %H:%M`.
///
/// Known are `%Y` and `%y` (years), `%m`, `%b`, `%B` (months, the latter in English), `%d`, `%H`, `%I` with `%p`, `%M`, `%S`, `%f`
/// (digits of a fraction), `%z` (the zone) and `%s` (seconds since 1970).
package struct DatePattern: Sendable, Hashable {
  private enum Part: Hashable { case mark(UInt8), byte(UInt8) }
  private let parts: [Part]
  /// The pattern as it was written.
  package let text: String

  /// - Throws: `FormatError` for a mark that is not known.
  package init(_ text: String) throws {
    self.text = text
    var parts: [Part] = []
    var isMark = false
    for byte in text.utf8 {
      if isMark {
        guard "YymbBdHIpMSfzs%".utf8.contains(byte) else {
          throw FormatError(
            file: "date format '\(text)'", reason: "%\(Character(Unicode.Scalar(byte))) is not known",
            remedy: "Known: %Y %y %m %b %B %d %H %I %p %M %S %f %z %s")
        }
        parts.append(byte == 0x25 ? .byte(byte) : .mark(byte))
        isMark = false
      } else if byte == 0x25 {
        isMark = true
      } else {
        parts.append(.byte(byte))
      }
    }
    self.parts = parts
  }

  /// Seconds since 1970, or nil for text of another form or a day that does not exist.
  package func seconds(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
    var reader = DateReader(bytes)
    var (year, month, day, hour, minute) = (1970, 1, 1, 0, 0)
    var (seconds, zone) = (0.0, 0.0)
    var isAfternoon: Bool?
    for part in parts {
      switch part {
      case .byte(let byte): guard reader.take(byte) else { return nil }
      case .mark(let mark):
        switch Character(Unicode.Scalar(mark)) {
        case "b", "B":
          guard let found = reader.month() else { return nil }
          month = found
        case "p":
          guard let found = reader.afternoon() else { return nil }
          isAfternoon = found
        case "z":
          guard let found = reader.zone() else { return nil }
          zone = found
        case "f":
          guard let found = reader.fraction() else { return nil }
          seconds += found
        case "s":
          guard let found = reader.number(1...15) else { return nil }
          return reader.isAtEnd ? Double(found) : nil
        case let letter:
          guard let found = reader.number(letter == "Y" ? 4...4 : 1...2) else { return nil }
          switch letter {
          case "Y": year = found
          // As POSIX has it.
          case "y": year = found + (found < 69 ? 2000 : 1900)
          case "m": month = found
          case "d": day = found
          case "H": hour = found
          case "I": hour = found % 12
          case "M": minute = found
          default: seconds += Double(found)
          }
        }
      }
    }
    if isAfternoon == true, hour < 12 { hour += 12 }
    guard reader.isAtEnd, hour < 24, minute < 60, seconds < 62, let start = DateReader.seconds(year, month, day) else {
      return nil
    }
    return start + Double(hour * 3600 + minute * 60) + seconds - zone
  }
}

/// A cursor over the text of a date.
private struct DateReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var place = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { place == bytes.count }

  mutating func next() -> UInt8? {
    guard place < bytes.count else { return nil }
    defer { place += 1 }
    return bytes[place]
  }

  mutating func take(_ byte: UInt8) -> Bool {
    guard place < bytes.count, bytes[place] == byte else { return false }
    place += 1
    return true
  }

  /// A number of so many digits.
  mutating func number(_ digits: ClosedRange<Int>) -> Int? {
    var (value, count) = (0, 0)
    while count < digits.upperBound, place < bytes.count, bytes[place] >= 48, bytes[place] <= 57 {
      value = value * 10 + Int(bytes[place] - 48)
      (place, count) = (place + 1, count + 1)
    }
    return count >= digits.lowerBound ? value : nil
  }

  /// The digits of a fraction.
  mutating func fraction() -> Double? {
    let start = place
    guard let digits = number(1...9) else { return nil }
    let value = Double(digits) / [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9][place - start]
    while place < bytes.count, bytes[place] >= 48, bytes[place] <= 57 { place += 1 }
    return value
  }

  /// `23:59`, `23:59:59` or `23:59:59.5` in seconds.
  mutating func time() -> Double? {
    guard let hour = number(1...2), hour < 24, take(0x3A), let minute = number(2...2), minute < 60 else { return nil }
    var seconds = Double(hour * 3600 + minute * 60)
    guard take(0x3A) else { return seconds }
    guard let second = number(2...2), second < 61 else { return nil }
    seconds += Double(second)
    guard take(0x2E) || take(0x2C) else { return seconds }
    guard let fraction = fraction() else { return nil }
    return seconds + fraction
  }

  /// `Z`, `+01`, `+0100` or `+01:00` in seconds.
  mutating func zone() -> Double? {
    if take(0x5A) { return 0 }
    let isWest = take(0x2D)
    guard isWest || take(0x2B), let hours = number(2...2), hours < 24 else { return nil }
    let hasColon = take(0x3A)
    let minutes = isAtEnd && !hasColon ? 0 : number(2...2)
    guard let minutes, minutes < 60 else { return nil }
    return Double(hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
  }

  /// The name of a month in English, whole or its first three letters.
  mutating func month() -> Int? {
    guard let word = word() else { return nil }
    return Self.months.firstIndex { $0 == word || $0.prefix(3) == word }.map { $0 + 1 }
  }

  /// `AM` or `PM`.
  mutating func afternoon() -> Bool? {
    switch word() {
    case "am": false
    case "pm": true
    default: nil
    }
  }

  private mutating func word() -> String? {
    let start = place
    while place < bytes.count, (65...90).contains(bytes[place] & 0xDF) { place += 1 }
    return start == place ? nil : String(decoding: bytes[start..<place], as: UTF8.self).lowercased()
  }

  private static let months = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
  ]

  /// Seconds since 1970 of the beginning of a day of the Gregorian calendar; nil for one that does not exist.
  static func seconds(_ year: Int, _ month: Int, _ day: Int) -> Double? {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...12).contains(month), day >= 1, day <= lengths[month - 1] else { return nil }
    // Years are counted from March, so that the leap day is their last.
    let shifted = month > 2 ? year : year - 1
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return Double(days) * 86_400
  }
}
