// What a CSV file does not say: its delimiter, whether its first row is a header, whether it is text at all. The first rows
// answer.

import Foundation

extension CSVFile {
  /// A row of the beginning, as text.
  struct SampleRow {
    let fields: [String]
    let offset: Int
    let end: Int
  }

  /// Refuses what is no text of bytes.
  static func checkText(_ contents: FileContents) throws {
    guard contents.count > 0 else {
      throw FormatError(file: contents.name, reason: "is empty", remedy: "Check that it is the right file")
    }
    let (isWide, hasZeros) = contents.withUnsafeBytes { bytes in
      (bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]), bytes.prefix(4096).contains(0))
    }
    if isWide {
      throw FormatError(
        file: contents.name, line: 1, reason: "is text in UTF-16; it must be UTF-8",
        remedy: "Convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW")
    }
    if hasZeros {
      throw FormatError.wrongKind(contents, expected: "a CSV file", remedy: "CSV files are text in UTF-8")
    }
  }

  /// Rows end with a line feed, unless the file has none.
  static func newline(_ contents: FileContents) -> UInt8 {
    contents.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, memchr(base, 10, bytes.count) == nil else { return 10 }
      return memchr(base, 13, bytes.count) == nil ? 10 : 13
    }
  }

  /// The delimiter of a first line `sep=;`, and where the next line begins.
  static func toldDelimiter(_ contents: FileContents, from start: Int, newline: UInt8) -> (UInt8, Int)? {
    contents.withUnsafeBytes { bytes in
      let line = bytes[start...].prefix(7)
      guard line.count >= 6, line.starts(with: Array("sep=".utf8)) else { return nil }
      var end = start + 5
      if bytes[end] == 13, newline == 10, end + 1 < bytes.count { end += 1 }
      return bytes[end] == newline ? (bytes[start + 4], end + 1) : nil
    }
  }

  /// The candidate that cuts the first rows into equally many fields, and into most; a comma where none does.
  static func likelyDelimiter(_ contents: FileContents, from start: Int, _ syntax: CSVSyntax) -> UInt8 {
    var best = (delimiter: UInt8(ascii: ","), fields: 1, share: 0.0)
    for candidate in [",", ";", "\t", "|"].compactMap({ Character($0).asciiValue }) {
      var syntax = syntax
      syntax.delimiter = candidate
      guard let counts = try? firstRows(contents, from: start, syntax, limit: 50).map(\.fields.count), !counts.isEmpty
      else { continue }
      let sizes = Dictionary(grouping: counts, by: { $0 }).mapValues(\.count)
      guard let usual = sizes.filter({ $0.key > 1 }).max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else {
        continue
      }
      let share = Double(usual.value) / Double(counts.count)
      if share > best.share || (share == best.share && usual.key > best.fields) { best = (candidate, usual.key, share) }
    }
    return best.delimiter
  }

  /// The first rows; of a large file, those in its first quarter megabyte.
  static func firstRows(
    _ contents: FileContents, from start: Int, _ syntax: CSVSyntax, limit: Int
  ) throws -> [SampleRow] {
    try contents.withUnsafeBytes { bytes in
      guard var cursor = CSVCursor(bytes, start..<bytes.count, syntax) else { return [] }
      var rows: [SampleRow] = []
      while rows.count < limit, rows.isEmpty || cursor.offset < start + 1 << 18, cursor.beginRow() {
        let offset = cursor.offset
        var fields: [String] = []
        repeat {
          let place = cursor.offset
          do {
            let field = try cursor.field()
            fields.append(
              try cursor.withBytes(of: field) { try Self.text($0, contents, syntax.newline, at: field.start) })
          } catch let fault as CSVFault {
            throw fault.error(contents, syntax.newline, at: place)
          }
        } while cursor.nextField()
        cursor.endRow()
        rows.append(SampleRow(fields: fields, offset: offset, end: cursor.offset))
      }
      return rows
    }
  }

  /// Bytes as text.
  /// - Throws: `FormatError` with the line when they are not UTF-8.
  static func text(
    _ bytes: UnsafeBufferPointer<UInt8>, _ contents: FileContents, _ newline: UInt8, at offset: Int
  ) throws -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let shown = String(decoding: bytes.prefix(40), as: UTF8.self)
    throw error(
      contents, newline, at: offset, "'\(shown)' is not UTF-8",
      remedy: "Convert the file, for example from Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW")
  }

  /// Whether the first row differs from those below it as names do from values.
  static func looksLikeHeader(_ rows: [[String]], _ fields: CSVFieldReader) -> Bool {
    func kinds(_ row: [String]) -> [CSVFieldKinds] {
      row.map { text in
        var text = text
        return text.withUTF8 { fields.kind($0).kind }
      }
    }
    let first = kinds(rows[0])
    var votes = 0
    let rest = rows.dropFirst().map(kinds)
    for (column, kind) in first.enumerated() where kind != .missing {
      if kind != .text {
        votes -= 1
        continue
      }
      let below = rest.reduce(into: CSVFieldKinds()) { if column < $1.count { $0.formUnion($1[column]) } }
      if !below.isEmpty, !below.contains(.text), below != .missing { votes += 1 }
    }
    return votes >= 0 && first.contains(.text)
  }

  /// Names of columns, each once: a second `a` is called `a.1`, one without a name `column_3`.
  static func distinctNames(_ fields: [String], in contents: FileContents, at offset: Int) throws -> [String] {
    var taken: Set<String> = []
    return fields.enumerated().map { index, field in
      let trimmed = field.trimmingCharacters(in: .whitespaces)
      let plain = trimmed.isEmpty ? "column_\(index + 1)" : trimmed
      var name = plain
      var number = 1
      while !taken.insert(name).inserted {
        name = "\(plain).\(number)"
        number += 1
      }
      return name
    }
  }
}
