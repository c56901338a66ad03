// Named columns of equal length: what a CSV file is, and what everything that knows columns by name works on.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Rows that can be asked for by number, in memory or in a file.
public protocol TableSource: Sendable {
  /// What errors call the table: the path of its file.
  var name: String { get }
  /// The number of rows.
  var count: Int { get }
  /// The columns, in order.
  var descriptions: [ColumnDescription] { get }
  /// Chosen rows as a table, in the order in which they are named.
  /// - Parameters:
  ///   - rows: the numbers of the rows, from 0; the same row may occur several times.
  ///   - columns: the names of the columns; all for nil.
  /// - Throws: `FormatError` for rows and columns that do not exist, and for fields that cannot be read.
  func rows(_ rows: [Int], columns: [String]?) throws -> Table
}

extension TableSource {
  /// What is known of a column.
  /// - Throws: `FormatError` with the names of all columns when there is none of this name.
  public func description(of name: String) throws -> ColumnDescription {
    guard let found = descriptions.first(where: { $0.name == name }) else { throw missingColumn(name) }
    return found
  }

  func missingColumn(_ column: String) -> FormatError {
    let names = descriptions.map { "'\($0.name)'" }
    let shown = names.prefix(30).joined(separator: ", ") + (names.count > 30 ? ", … (\(names.count) columns)" : "")
    let twin = descriptions.first { $0.name.lowercased() == column.lowercased() }
    return FormatError(
      file: name, reason: "has no column '\(column)'; it has \(shown)",
      remedy: twin.map { "Did you mean '\($0.name)'" } ?? "Name one of these columns")
  }

  func checkRows(_ rows: [Int]) throws {
    if let stranger = rows.first(where: { $0 < 0 || $0 >= count }) {
      throw FormatError(file: name, reason: "has no row \(stranger); it has the rows 0 to \(count - 1)")
    }
  }
}

/// A table in memory.
public struct Table: TableSource {
  public let name: String
  /// The columns, in order.
  public let columns: [Column]
  public let count: Int

  public var descriptions: [ColumnDescription] { columns.map(\.description) }

  /// Makes a table of columns.
  /// - Throws: `FormatError` when two have the same name, or columns differ in length.
  public init(_ columns: [Column], name: String = "table") throws {
    let count = columns.first?.count ?? 0
    var names: Set<String> = []
    for column in columns {
      guard column.count == count else {
        throw FormatError(
          file: name,
          reason: "column '\(column.name)' has \(column.count) rows, the first column '\(columns[0].name)' has \(count)"
        )
      }
      guard names.insert(column.name).inserted else {
        throw FormatError(file: name, reason: "has two columns '\(column.name)'")
      }
    }
    self.name = name
    self.columns = columns
    self.count = count
  }

  /// Reads a CSV file, whole.
  /// - Throws: `FormatError` with the line and the column of what cannot be read.
  public init(contentsOf url: URL, options: TableOptions = TableOptions()) throws {
    self = try TableFile(url, options: options, keepsNumbers: true).table()
  }

  /// Reads a CSV file that is already open.
  public init(_ contents: FileContents, options: TableOptions = TableOptions()) throws {
    self = try TableFile(CSVFile(contents, options: options.csv), options: options, keepsNumbers: true).table()
  }

  /// The column of a name.
  /// - Throws: `FormatError` with the names of all columns when there is none.
  public func column(_ name: String) throws -> Column {
    guard let column = columns.first(where: { $0.name == name }) else { throw missingColumn(name) }
    return column
  }

  public func rows(_ rows: [Int], columns names: [String]? = nil) throws -> Table {
    try checkRows(rows)
    let chosen = try names?.map(column) ?? columns
    return try Table(chosen.map { $0.rows(rows) }, name: name)
  }
}

/// Opens tables, in memory where they fit.
public enum Tables {
  /// Opens a CSV file: read whole where it is smaller than a part of the memory, and by rows otherwise.
  /// - Parameters:
  ///   - url: the file.
  ///   - options: how it is read.
  ///   - limit: the size in bytes from which a file stays where it is; a quarter of the machine's memory for nil.
  /// - Throws: `FormatError` with the line and the column of what cannot be read.
  public static func open(
    _ url: URL, options: TableOptions = TableOptions(), limit: Int? = nil
  ) throws -> any TableSource {
    let file = try CSVFile(url, options: options.csv)
    let limit = limit ?? Int(clamping: ProcessInfo.processInfo.physicalMemory / 4)
    let isSmall = file.byteCount < limit
    let table = try TableFile(file, options: options, keepsNumbers: isSmall)
    return isSmall ? try table.table() : table
  }
}
