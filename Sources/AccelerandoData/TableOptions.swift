// How a table is read. Types are found by looking at all rows; what was found wrong is said here.

import AccelerandoFormats

/// How a table in a CSV file is read.
public struct TableOptions: Sendable, Hashable {
  /// How the file is written.
  public var csv: CSVOptions
  /// The types of columns by name, instead of those that their fields suggest.
  public var types: [String: ColumnType]
  /// The forms of dates by the column's name, with strptime's marks: `%d/%m/%Y`. Such a column is one of dates.
  public var dateFormats: [String: String]

  /// Makes options.
  public init(
    csv: CSVOptions = CSVOptions(), types: [String: ColumnType] = [:], dateFormats: [String: String] = [:]
  ) {
    self.csv = csv
    self.types = types
    self.dateFormats = dateFormats
  }
}
