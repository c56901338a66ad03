// The one place that knows where fields and rows end.

import Foundation

/// A field of a row, by its offsets in the file, without its quotes.
struct CSVField {
  var start: Int
  var end: Int
  var isQuoted = false
  /// Whether quotes inside are written twice.
  var hasDoubledQuotes = false
}

/// What is wrong with a row.
enum CSVFault: Error {
  /// A quote at this offset is never closed.
  case openQuote(Int)
  /// Text follows a closing quote at this offset.
  case textAfterQuote(Int)

  func error(_ contents: FileContents, _ newline: UInt8, at offset: Int) -> FormatError {
    switch self {
    case .openQuote(let start):
      CSVFile.error(
        contents, newline, at: start, "a quote opens here and is never closed",
        remedy: "Close it; a quote inside a quoted field is written twice")
    case .textAfterQuote(let place):
      CSVFile.error(
        contents, newline, at: place, "text follows the closing quote of a field",
        remedy: "A quote inside a quoted field is written twice")
    }
  }
}

/// Walks over the rows of a part of a file, which begins with a row.
struct CSVCursor {
  private let base: UnsafePointer<UInt8>
  let limit: UnsafePointer<UInt8>
  let syntax: CSVSyntax
  /// The next byte.
  var place: UnsafePointer<UInt8>
  /// The last field with quotes written once.
  private var scratch: [UInt8] = []

  /// nil for a file without bytes.
  init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ syntax: CSVSyntax) {
    guard let start = bytes.bindMemory(to: UInt8.self).baseAddress, range.upperBound <= bytes.count else { return nil }
    base = start
    place = start + range.lowerBound
    limit = start + range.upperBound
    self.syntax = syntax
  }

  /// The offset of the next byte in the file.
  var offset: Int { place - base }

  /// Goes to the next row that is neither blank nor a comment; false at the end.
  @inline(__always)
  mutating func beginRow() -> Bool {
    guard place < limit else { return false }
    let first = place.pointee
    if first != syntax.newline && first != 13 && first != syntax.comment ?? syntax.newline { return true }
    return skipEmptyLines()
  }

  private mutating func skipEmptyLines() -> Bool {
    while place < limit {
      if place.pointee == syntax.newline {
        place += 1
      } else if place.pointee == 13, place + 1 == limit || place[1] == syntax.newline {
        place += 1
      } else if let comment = syntax.comment, place.pointee == comment {
        skipLine()
      } else {
        return true
      }
    }
    return false
  }

  /// Goes behind the next line feed, whatever it belongs to.
  mutating func skipLine() {
    guard let found = memchr(place, Int32(syntax.newline), limit - place) else {
      place = limit
      return
    }
    place = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) + 1
  }

  /// Whether a field may end at a place.
  @inline(__always)
  func isEnd(_ end: UnsafePointer<UInt8>) -> Bool {
    guard end < limit else { return true }
    let byte = end.pointee
    return byte == syntax.delimiter || byte == syntax.newline
      || (byte == 13 && (end + 1 == limit || end[1] == syntax.newline))
  }

  /// Goes behind a field.
  mutating func field() throws(CSVFault) -> CSVField {
    if place < limit, place.pointee == CSVSyntax.quote { return try quotedField() }
    let start = place
    while place < limit, place.pointee != syntax.delimiter, place.pointee != syntax.newline { place += 1 }
    var end = place
    // The carriage return of a line end is no part of the field.
    if end > start, end[-1] == 13, end == limit || end.pointee == syntax.newline { end -= 1 }
    return CSVField(start: start - base, end: end - base)
  }

  private mutating func quotedField() throws(CSVFault) -> CSVField {
    let open = place
    place += 1
    var hasDoubledQuotes = false
    while true {
      guard let found = memchr(place, Int32(CSVSyntax.quote), limit - place) else {
        throw .openQuote(open - base)
      }
      let close = UnsafePointer(found.assumingMemoryBound(to: UInt8.self))
      place = close + 1
      guard place < limit, place.pointee == CSVSyntax.quote else {
        guard isEnd(place) else { throw .textAfterQuote(place - base) }
        return CSVField(
          start: open + 1 - base, end: close - base, isQuoted: true, hasDoubledQuotes: hasDoubledQuotes)
      }
      hasDoubledQuotes = true
      place += 1
    }
  }

  /// Behind a field: goes to the next one of the same row; false where there is none.
  @inline(__always)
  mutating func nextField() -> Bool {
    guard place < limit, place.pointee == syntax.delimiter else { return false }
    place += 1
    return true
  }

  /// Behind the last field of a row: goes to the next line.
  @inline(__always)
  mutating func endRow() {
    if place < limit, place.pointee == 13, syntax.newline != 13 { place += 1 }
    if place < limit, place.pointee == syntax.newline { place += 1 }
  }

  /// Calls `body` with the bytes of a field, doubled quotes once.
  mutating func withBytes<Result>(
    of field: CSVField, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    let raw = UnsafeBufferPointer(start: base + field.start, count: field.end - field.start)
    guard field.hasDoubledQuotes else { return try body(raw) }
    scratch.removeAll(keepingCapacity: true)
    var isSecond = false
    for byte in raw {
      isSecond = byte == CSVSyntax.quote && !isSecond
      if byte != CSVSyntax.quote || isSecond { scratch.append(byte) }
    }
    return try scratch.withUnsafeBufferPointer(body)
  }
}
