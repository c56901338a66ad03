// Samples as a source has read them, before columns become inputs and targets.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats

/// Rows of a table, and perhaps an input that is read when a batch needs it, such as images in files.
struct RawSamples: Sendable {
  /// The columns.
  let table: any TableSource
  /// The rows of the table that belong to these samples.
  private(set) var rows: [Int]
  /// Whether these are all rows of the table, in order.
  private var isWhole = true
  /// The input that is no column; nil where there is none.
  var picture: PictureInput?

  /// Takes all rows of a table.
  init(_ table: any TableSource, picture: PictureInput? = nil) {
    self.table = table
    self.picture = picture
    rows = Array(0..<table.count)
  }

  /// The same source with other rows.
  func with(rows: [Int]) -> RawSamples {
    var result = self
    result.rows = rows
    result.isWhole = false
    return result
  }

  /// Some columns of all rows, in memory.
  func columns(_ names: [String]) throws -> Table {
    // A table that is in memory whole need not be copied.
    guard isWhole, let table = table as? Table else { return try table.rows(rows, columns: names) }
    return try Table(names.map(table.column), name: table.name)
  }
}

/// An input that is made of each row's file when a batch needs it.
struct PictureInput: Sendable {
  /// The type of one sample.
  let type: TensorType
  /// A text that differs where the samples do.
  let identity: String
  /// Reads the samples of some rows, in this order, as an array with an axis of the samples in front. It is called from other
  /// threads.
  let read: @Sendable ([Int]) throws -> NDArray
}
