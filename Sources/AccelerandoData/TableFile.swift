// A CSV file whose rows are read when they are asked for: tables larger than memory, in any order, as arrays are read. One
// pass finds the types and the places of the rows; the file stays mapped.

import AccelerandoCore
import AccelerandoFormats
import Foundation
import Synchronization

/// A table in a CSV file, which is read by rows.
public struct TableFile: TableSource {
  public let descriptions: [ColumnDescription]
  /// What the pass over the file found.
  package let scan: CSVScan
  private let patterns: [DatePattern?]

  public var name: String { scan.file.name }
  public var count: Int { scan.count }

  /// Opens a file and reads it once, to find types, missing values and the places of the rows.
  /// - Throws: `FormatError` with the line and the column of what cannot be read.
  public init(_ url: URL, options: TableOptions = TableOptions()) throws {
    try self.init(url, options: options, keepsNumbers: false)
  }

  init(_ url: URL, options: TableOptions, keepsNumbers: Bool) throws {
    try self.init(CSVFile(url, options: options.csv), options: options, keepsNumbers: keepsNumbers)
  }

  init(_ file: CSVFile, options: TableOptions, keepsNumbers: Bool) throws {
    let strangers = Set(options.types.keys).union(options.dateFormats.keys).subtracting(file.names)
    if let stranger = strangers.min() {
      throw FormatError(
        file: file.name, reason: "has no column '\(stranger)', whose type is given",
        remedy: "It has: \(file.names.prefix(30).joined(separator: ", "))")
    }
    scan = try CSVScan(file, keepsNumbers: keepsNumbers)
    patterns = try file.names.map { name in try options.dateFormats[name].map { try DatePattern($0) } }
    var descriptions: [ColumnDescription] = []
    for (index, name) in file.names.enumerated() {
      let (kinds, missing) = (scan.kinds[index], scan.missing[index])
      let forced = options.types[name] ?? (options.dateFormats[name] == nil ? nil : .date)
      let type = forced ?? Self.type(of: kinds)
      descriptions.append(
        ColumnDescription(name: name, type: type, dtype: Self.dtype(type, kinds, missing: missing), missing: missing))
    }
    self.descriptions = descriptions
  }

  /// The type that all fields of a column have.
  static func type(of kinds: CSVFieldKinds) -> ColumnType {
    let kinds = kinds.subtracting(.missing)
    if kinds.isEmpty { return .float }
    if kinds.isSubset(of: [.int, .longInt, .wideInt]) { return .int }
    if kinds.isSubset(of: [.int, .longInt, .wideInt, .float]) { return .float }
    if kinds == .bool { return .bool }
    return kinds == .date ? .date : .text
  }

  private static func dtype(_ type: ColumnType, _ kinds: CSVFieldKinds, missing: Int) -> DType? {
    switch type {
    case .int: missing == 0 ? .int64 : kinds.isDisjoint(with: [.longInt, .wideInt]) ? .float32 : .float64
    case .float: .float32
    case .float64, .date: .float64
    case .bool: missing == 0 ? .bool : .float32
    case .text: nil
    }
  }

  /// All rows as a table in memory.
  /// - Throws: `FormatError` with the line and the column of a field that is not of its column's type, or no UTF-8.
  public func table() throws -> Table {
    let builders = descriptions.map { ColumnBuilder($0.dtype, count: count) }
    // What the first pass kept are the numbers of columns that hold nothing else.
    let isKept = descriptions.indices.map { index in
      guard scan.keepsNumbers else { return false }
      switch descriptions[index].type {
      case .int: return scan.kinds[index].isSubset(of: [.int, .longInt, .missing])
      case .float, .float64: return scan.kinds[index].isSubset(of: [.int, .longInt, .wideInt, .float, .missing])
      default: return false
      }
    }
    let isWanted = isKept.map { !$0 }
    if isWanted.contains(true) {
      let failures = Mutex([Int: any Error]())
      DispatchQueue.concurrentPerform(iterations: scan.partCount) { part in
        do {
          let first = scan.rows(ofPart: part).lowerBound
          try scan.visit(part: part, isWanted) { try read($0, into: builders[$0.column], at: first + $0.row) }
        } catch {
          failures.withLock { $0[part] = error }
        }
      }
      if let first = failures.withLock({ failures in failures.min { $0.key < $1.key }?.value }) { throw first }
    }
    let kept = Mutex([NDArray?](repeating: nil, count: descriptions.count))
    DispatchQueue.concurrentPerform(iterations: descriptions.count) { index in
      guard isKept[index], let dtype = descriptions[index].dtype else { return }
      let array = scan.numbers(of: index, as: dtype)
      kept.withLock { $0[index] = array }
    }
    let columns = try kept.withLock { kept in
      try descriptions.enumerated().map { index, column in
        Column(
          name: column.name, type: column.type,
          values: try kept[index].map { .numbers($0) } ?? builders[index].values(), missing: column.missing)
      }
    }
    return try Table(columns, name: name)
  }

  public func rows(_ rows: [Int], columns names: [String]? = nil) throws -> Table {
    try checkRows(rows)
    let places = try names?.map { name in
      guard let place = descriptions.firstIndex(where: { $0.name == name }) else { throw missingColumn(name) }
      return place
    }
    let chosen = places ?? Array(descriptions.indices)
    var isWanted = [Bool](repeating: false, count: descriptions.count)
    for place in chosen { isWanted[place] = true }
    let builders = descriptions.enumerated().map { ColumnBuilder($1.dtype, count: isWanted[$0] ? rows.count : 0) }
    try scan.visit(rows: rows, isWanted) { try read($0, into: builders[$0.column], at: $0.row) }
    return try Table(
      chosen.map { place in
        let values = try builders[place].values()
        return Column(
          name: descriptions[place].name, type: descriptions[place].type, values: values,
          missing: builders[place].missing)
      }, name: name)
  }

  /// Reads one field into its column.
  private func read(_ visit: CSVVisit, into builder: ColumnBuilder, at row: Int) throws {
    let (fields, type) = (scan.file.fields, descriptions[visit.column].type)
    if fields.isMissing(visit.bytes) { return builder.setMissing(row) }
    switch type {
    case .text: builder.set(try scan.file.text(visit), at: row)
    case .int:
      if let value = fields.integer(visit.bytes) { return builder.set(value, at: row) }
      throw wrong(visit, "a whole number")
    case .float, .float64:
      if let number = fields.number(visit.bytes) { return builder.set(number.value, at: row) }
      throw wrong(visit, "a number")
    case .bool:
      if let truth = fields.bool(visit.bytes) { return builder.set(truth ? 1.0 : 0.0, at: row) }
      if let number = fields.number(visit.bytes)?.value, number == 0 || number == 1 {
        return builder.set(number, at: row)
      }
      throw wrong(visit, "true or false")
    case .date:
      let pattern = patterns[visit.column]
      if let seconds = pattern.map({ $0.seconds(visit.bytes) }) ?? fields.date(visit.bytes) {
        return builder.set(seconds, at: row)
      }
      throw wrong(visit, pattern.map { "a date of the form \($0.text)" } ?? "a date")
    }
  }

  private func wrong(_ visit: CSVVisit, _ expected: String) -> FormatError {
    let column = descriptions[visit.column]
    let shown = String(decoding: visit.bytes.prefix(60), as: UTF8.self)
    let remedy =
      column.type == .date
      ? "Dates are read as 2020-12-31, 2020-12-31 23:59:59 or 31.12.2020; say another form by strptime's marks, as in %d/%m/%Y"
      : "Correct the field, name it as a missing value, or read the column as text"
    return scan.file.error(
      at: visit.offset, "column '\(column.name)' should hold \(expected); received '\(shown)'", remedy: remedy)
  }
}

/// A column while it is read. Unchecked because it is filled by several threads, each of which writes rows of its own.
private final class ColumnBuilder: @unchecked Sendable {
  private let dtype: DType?
  private let count: Int
  private let numbers: UnsafeMutablePointer<Double>?
  private let integers: UnsafeMutablePointer<Int64>?
  private let text: UnsafeMutablePointer<String?>?
  private let missingCount = Atomic(0)

  var missing: Int { missingCount.load(ordering: .relaxed) }

  init(_ dtype: DType?, count: Int) {
    self.dtype = dtype
    self.count = count
    (numbers, integers, text) = (
      dtype == nil || dtype == .int64 ? nil : .allocate(capacity: max(count, 1)),
      dtype == .int64 ? .allocate(capacity: max(count, 1)) : nil,
      dtype == nil ? .allocate(capacity: max(count, 1)) : nil
    )
    numbers?.initialize(repeating: .nan, count: count)
    integers?.initialize(repeating: 0, count: count)
    text?.initialize(repeating: nil, count: count)
  }

  deinit {
    numbers?.deallocate()
    integers?.deallocate()
    text?.deinitialize(count: count)
    text?.deallocate()
  }

  func setMissing(_ row: Int) { missingCount.add(1, ordering: .relaxed) }
  func set(_ value: String, at row: Int) { text?[row] = value }
  func set(_ value: Double, at row: Int) { numbers?[row] = value }
  func set(_ value: Int64, at row: Int) {
    integers?[row] = value
    numbers?[row] = Double(value)
  }

  func values() throws -> Column.Values {
    if let text { return .text(Array(UnsafeBufferPointer(start: text, count: count))) }
    if let integers { return .numbers(NDArray(Array(UnsafeBufferPointer(start: integers, count: count)))) }
    let array = NDArray(Array(UnsafeBufferPointer(start: numbers, count: numbers == nil ? 0 : count)))
    return .numbers(array.converted(to: dtype ?? .float64))
  }
}
