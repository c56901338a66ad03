// The first pass over a CSV file: where its rows begin, what kinds of fields each column has, and the numbers. Parts of the
// file are read on all cores. What is no number is read afterwards, when the types of the columns are known.

import AccelerandoCore
import Foundation
import Synchronization

/// What a pass over a CSV file found.
package struct CSVScan: Sendable {
  /// The file.
  package let file: CSVFile
  /// The number of rows.
  package let count: Int
  /// The kinds of fields in each column.
  package let kinds: [CSVFieldKinds]
  /// The number of missing values in each column.
  package let missing: [Int]
  let parts: [Part]
  /// Whether the pass kept the numbers.
  package let keepsNumbers: Bool
  /// Whether quotes may enclose line ends.
  let hasQuotes: Bool

  /// Some rows that follow each other.
  struct Part: Sendable {
    let range: Range<Int>
    var firstRow = 0
    let count: Int
    let kinds: [CSVFieldKinds]
    let missing: [Int]
    /// The offsets of the rows 0, `rowsPerStart`, ….
    let starts: [Int]
    /// The numbers by columns, NaN for what is none; nil where only the rows were looked for.
    let numbers: Numbers?
  }

  /// The numbers of a part. Unchecked because a pointer is not Sendable by itself: they are written by one thread, which
  /// then passes them on.
  final class Numbers: @unchecked Sendable {
    let values: UnsafeMutablePointer<Double>
    /// The distance between columns.
    let capacity: Int

    init(columns: Int, capacity: Int) {
      values = .allocate(capacity: max(columns * capacity, 1))
      self.capacity = capacity
    }

    deinit { values.deallocate() }
  }

  /// Rows between those whose place is remembered: a table of any length costs half a byte for each row.
  static let rowsPerStart = 16

  /// Reads a file once.
  /// - Parameters:
  ///   - file: the file.
  ///   - keepsNumbers: whether to keep the numbers, and not only the places of the rows.
  /// - Throws: `FormatError` with the line of the first row that has another number of fields or a quote that is not closed.
  package init(_ file: CSVFile, keepsNumbers: Bool) throws {
    // Few files have quotes. Only where there is one, the places to cut at take a walk over all of them.
    var results = Self.scan(file, file.plainRanges(), mayHaveQuotes: false, keepsNumbers)
    hasQuotes = results == nil
    if hasQuotes { results = Self.scan(file, file.rangesOutsideQuotes(), mayHaveQuotes: true, keepsNumbers) }
    var (parts, count): ([Part], Int) = ([], 0)
    // The first part that failed has the first wrong row.
    for result in results ?? [] {
      guard var part = try result?.get() else { continue }
      part.firstRow = count
      count += part.count
      parts.append(part)
    }
    self.keepsNumbers = keepsNumbers
    self.file = file
    self.count = count
    self.parts = parts
    kinds = file.names.indices.map { column in
      parts.reduce(into: CSVFieldKinds()) { $0.formUnion($1.kinds[column]) }
    }
    missing = file.names.indices.map { column in parts.reduce(0) { $0 + $1.missing[column] } }
  }

  /// Reads parts on all cores.
  /// - Returns: nil where one of them has a quote and none may have.
  private static func scan(
    _ file: CSVFile, _ ranges: [Range<Int>], mayHaveQuotes: Bool, _ keepsNumbers: Bool
  ) -> [Result<Part, any Error>?]? {
    let results = Mutex([Result<Part, any Error>?](repeating: nil, count: ranges.count))
    let hasQuotes = Atomic(false)
    DispatchQueue.concurrentPerform(iterations: ranges.count) { index in
      if !mayHaveQuotes {
        if hasQuotes.load(ordering: .relaxed) { return }
        if file.hasQuote(ranges[index]) { return hasQuotes.store(true, ordering: .relaxed) }
      }
      let result = Result<Part, any Error> { try file.scan(ranges[index], keepsNumbers: keepsNumbers) }
      results.withLock { $0[index] = result }
    }
    return hasQuotes.load(ordering: .relaxed) ? nil : results.withLock { $0 }
  }

  /// The numbers of a column, of those that the pass kept; NaN for fields that are none.
  package func numbers(of column: Int, as dtype: DType) -> NDArray {
    func collect<Scalar: TensorScalar>(_ convert: (Double) -> Scalar) -> NDArray {
      var array = NDArray(zeros: TensorType(Scalar.dtype, [count]))
      array.withUnsafeMutableBytes { bytes in
        guard let target = bytes.bindMemory(to: Scalar.self).baseAddress else { return }
        for part in parts {
          guard let numbers = part.numbers else { continue }
          let source = numbers.values + column * numbers.capacity
          let place = target + part.firstRow
          for row in 0..<part.count { place[row] = convert(source[row]) }
        }
      }
      return array
    }
    switch dtype {
    case .float32: return collect { Float($0) }
    // The kinds say that every number is one, so that the limits only keep a wrong call from trapping.
    case .int64: return collect { $0.magnitude < 0x1p63 ? Int64($0) : 0 }
    default: return collect { $0 }
    }
  }

  /// The part that a row is in, and the offset of the row or of one at most `rowsPerStart` before it.
  func start(of row: Int) -> (offset: Int, skipped: Int, part: Part)? {
    var (low, high) = (0, parts.count)
    while low < high {
      let middle = (low + high) / 2
      if parts[middle].firstRow + parts[middle].count <= row { low = middle + 1 } else { high = middle }
    }
    guard low < parts.count, row >= parts[low].firstRow else { return nil }
    let local = row - parts[low].firstRow
    return (parts[low].starts[local / Self.rowsPerStart], local % Self.rowsPerStart, parts[low])
  }
}

extension CSVFile {
  /// The size of a part.
  private static let partSize = 1 << 20

  /// Whether a part has a quote.
  fileprivate func hasQuote(_ range: Range<Int>) -> Bool {
    contents.withUnsafeBytes { bytes in
      bytes.baseAddress.map { memchr($0 + range.lowerBound, Int32(CSVSyntax.quote), range.count) != nil } ?? false
    }
  }

  /// The offset of the next such byte, or the end.
  private func find(_ byte: UInt8, from place: Int, in bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress, place < body.upperBound,
      let found = memchr(base + place, Int32(byte), body.upperBound - place)
    else { return body.upperBound }
    return UnsafeRawPointer(found) - base
  }

  /// The rows of a file without quotes, cut into parts of about a megabyte at line ends.
  fileprivate func plainRanges() -> [Range<Int>] {
    contents.withUnsafeBytes { bytes in
      var ranges: [Range<Int>] = []
      var start = body.lowerBound
      repeat {
        let line = find(syntax.newline, from: start + Self.partSize, in: bytes)
        let end = min(line + 1, body.upperBound)
        ranges.append(start..<end)
        start = end
      } while start < body.upperBound
      return ranges
    }
  }

  /// The rows of any file, cut into parts of a megabyte or more at line ends that no quotes enclose.
  fileprivate func rangesOutsideQuotes() -> [Range<Int>] {
    // A quote in a comment opens nothing, which only a walk over the rows can know.
    guard syntax.comment == nil else { return [body] }
    return contents.withUnsafeBytes { bytes in
      var ranges: [Range<Int>] = []
      var start = body.lowerBound
      // Between these two places nothing is enclosed.
      var (plain, quote) = (start, find(CSVSyntax.quote, from: start, in: bytes))
      while quote < body.upperBound {
        if quote > start + Self.partSize {
          let line = find(syntax.newline, from: max(plain, start + Self.partSize), in: bytes)
          if line < quote {
            ranges.append(start..<line + 1)
            start = line + 1
            continue
          }
        }
        plain = quote + 1
        // Only at the beginning of a field does a quote open anything.
        if quote == body.lowerBound || bytes[quote - 1] == syntax.delimiter || bytes[quote - 1] == syntax.newline {
          var close = find(CSVSyntax.quote, from: plain, in: bytes)
          while close + 1 < body.upperBound, bytes[close + 1] == CSVSyntax.quote {
            close = find(CSVSyntax.quote, from: close + 2, in: bytes)
          }
          plain = min(close + 1, body.upperBound)
        }
        quote = find(CSVSyntax.quote, from: plain, in: bytes)
      }
      ranges.append(start..<body.upperBound)
      return ranges
    }
  }

  /// Reads one part.
  fileprivate func scan(_ range: Range<Int>, keepsNumbers: Bool) throws -> CSVScan.Part {
    try contents.withUnsafeBytes { bytes in
      guard var cursor = CSVCursor(bytes, range, syntax) else {
        return CSVScan.Part(
          range: range, count: 0, kinds: names.map { _ in [] }, missing: names.map { _ in 0 }, starts: [], numbers: nil)
      }
      let columns = names.count
      // There is at most one row for each line.
      let capacity = UnsafeRawBufferPointer(rebasing: bytes[range]).reduce(1) { $0 &+ ($1 == syntax.newline ? 1 : 0) }
      let numbers = keepsNumbers ? CSVScan.Numbers(columns: columns, capacity: capacity) : nil
      let values = numbers?.values
      let limit = cursor.limit
      let decimal = fields.decimal
      var (row, starts): (Int, [Int]) = (0, [])
      let kinds = UnsafeMutablePointer<CSVFieldKinds>.allocate(capacity: columns)
      kinds.initialize(repeating: [], count: columns)
      let missing = UnsafeMutablePointer<Int>.allocate(capacity: columns)
      missing.initialize(repeating: 0, count: columns)
      defer {
        kinds.deallocate()
        missing.deallocate()
      }
      let delimiter = syntax.delimiter
      while cursor.beginRow() {
        let rowStart = cursor.offset
        if row % CSVScan.rowsPerStart == 0 { starts.append(rowStart) }
        var column = 0
        while true {
          // Plain numbers first. A column of text is not tried as numbers again and again.
          var place = cursor.place
          var isBehindRow = false
          while column < columns, !kinds[column].contains(.text), let number = decimal.read(place, limit),
            cursor.isEnd(number.end)
          {
            values?[column &* capacity &+ row] = number.value
            kinds[column].formUnion(number.isInteger ? CSVFieldReader.kind(ofInteger: number.value) : .float)
            column &+= 1
            place = number.end
            isBehindRow = place == limit || place.pointee != delimiter
            if isBehindRow { break }
            place += 1
          }
          cursor.place = place
          if isBehindRow { break }
          guard column < columns else { throw ragged(rowStart) }
          do throws(CSVFault) {
            let field = try cursor.field()
            let isText = kinds[column].contains(.text)
            let (kind, value) = cursor.withBytes(of: field) {
              isText ? (fields.isMissing($0) ? .missing : .text, .nan) : fields.kind($0)
            }
            kinds[column].formUnion(kind)
            if kind == .missing { missing[column] += 1 }
            if !isText { values?[column * capacity + row] = value }
          } catch {
            throw error.error(contents, syntax.newline, at: rowStart)
          }
          column += 1
          if !cursor.nextField() { break }
        }
        guard column == columns else { throw ragged(rowStart) }
        cursor.endRow()
        row += 1
      }
      return CSVScan.Part(
        range: range, count: row, kinds: (0..<columns).map { kinds[$0] }, missing: (0..<columns).map { missing[$0] },
        starts: starts, numbers: numbers)
    }
  }

  /// The error of a row with another number of fields.
  private func ragged(_ offset: Int) -> FormatError {
    let count = contents.withUnsafeBytes { bytes -> Int in
      guard var cursor = CSVCursor(bytes, offset..<body.upperBound, syntax), cursor.beginRow() else { return 0 }
      var count = 0
      repeat {
        count += 1
        guard (try? cursor.field()) != nil else { break }
      } while cursor.nextField()
      return count
    }
    let delimiter = syntax.delimiter == 9 ? "a tab" : "'\(delimiter)'"
    return error(
      at: offset,
      "the row has \(count) field\(count == 1 ? "" : "s"); \(hasHeader ? "the header" : "the first row") has \(names.count)",
      remedy: "Rows must be equally long (the delimiter is \(delimiter)); a field that holds the delimiter needs quotes"
    )
  }
}
