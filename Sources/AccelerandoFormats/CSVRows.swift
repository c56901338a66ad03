// The second way into a CSV file: chosen fields of chosen rows, for columns of text and dates, and for tables that are larger
// than memory.

import Foundation

/// A field of a CSV file while it is visited.
package struct CSVVisit {
  /// The row among those that are visited, from 0.
  package let row: Int
  /// The column.
  package let column: Int
  /// The text, without quotes.
  package let bytes: UnsafeBufferPointer<UInt8>
  /// Where it is in the file.
  package let offset: Int
}

extension CSVScan {
  /// The number of parts that can be visited at the same time.
  package var partCount: Int { parts.count }

  /// The rows of a part.
  package func rows(ofPart part: Int) -> Range<Int> {
    parts[part].firstRow..<parts[part].firstRow + parts[part].count
  }

  /// Visits fields of all rows of a part, in order.
  /// - Parameters:
  ///   - part: the part.
  ///   - isWanted: for each column, whether its fields are visited.
  ///   - body: is called for each field; rows are numbered from 0 in the part.
  package func visit(part: Int, _ isWanted: [Bool], _ body: (CSVVisit) throws -> Void) throws {
    try file.visit(parts[part].range, firstRow: 0, skipping: 0, count: parts[part].count, hasQuotes, isWanted, body)
  }

  /// Visits fields of chosen rows.
  /// - Parameters:
  ///   - rows: the rows, in any order.
  ///   - isWanted: for each column, whether its fields are visited.
  ///   - body: is called for each field; rows are numbered by their places in `rows`.
  /// - Throws: `FormatError` for a row that does not exist.
  package func visit(rows: [Int], _ isWanted: [Bool], _ body: (CSVVisit) throws -> Void) throws {
    for (place, row) in rows.enumerated() {
      guard row >= 0, let start = start(of: row) else {
        throw FormatError(file: file.name, reason: "has no row \(row); it has \(count)")
      }
      try file.visit(
        start.offset..<start.part.range.upperBound, firstRow: place, skipping: start.skipped, count: 1, hasQuotes,
        isWanted, body)
    }
  }
}

extension CSVFile {
  /// Visits fields of `count` rows from the beginning of `range` on.
  fileprivate func visit(
    _ range: Range<Int>, firstRow: Int, skipping skipped: Int, count: Int, _ hasQuotes: Bool, _ isWanted: [Bool],
    _ body: (CSVVisit) throws -> Void
  ) throws {
    try contents.withUnsafeBytes { bytes in
      guard var cursor = CSVCursor(bytes, range, syntax) else { return }
      var row = -skipped
      while row < count, cursor.beginRow() {
        if row < 0, !hasQuotes {
          cursor.skipLine()
          row += 1
          continue
        }
        var column = 0
        repeat {
          let start = cursor.offset
          let field: CSVField
          do throws(CSVFault) { field = try cursor.field() } catch {
            throw error.error(contents, syntax.newline, at: start)
          }
          // The file had this many columns when it was read first.
          guard column < isWanted.count else { break }
          if row >= 0, isWanted[column] {
            try cursor.withBytes(of: field) {
              try body(CSVVisit(row: firstRow + row, column: column, bytes: $0, offset: field.start))
            }
          }
          column += 1
        } while cursor.nextField()
        cursor.endRow()
        row += 1
      }
    }
  }

  /// A field as text.
  /// - Throws: `FormatError` with the line when it is not UTF-8.
  package func text(_ visit: CSVVisit) throws -> String {
    try Self.text(visit.bytes, contents, syntax.newline, at: visit.offset)
  }
}
