// What is in a table, and what in it makes models that look better than they are: rows twice, names of rows as features, columns
// that say the same.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Tables in CSV files.
enum TableInspection: InspectableData {
  static func isAt(_ url: URL) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) && !isDirectory.boolValue
  }

  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary {
    let file = try CSVFile(url, options: settings.table.csv)
    let opened = try TableFile(file, options: settings.table, keepsNumbers: true)
    let table = try opened.table()
    var summary = DataSummary(source: url.path, kind: "CSV", count: table.count, things: "rows")
    let delimiter = file.delimiter == "\t" ? "a tab" : "'\(file.delimiter)'"
    summary.facts = [
      ("columns", "\(table.columns.count)"), ("delimiter", delimiter),
      ("header", file.hasHeader ? "the first row" : "none; columns are called by their number"),
    ]
    try describe(table, into: &summary, settings)
    for (column, kinds) in zip(table.columns, opened.scan.kinds) where column.type == .text {
      let numbers: CSVFieldKinds = [.int, .longInt, .wideInt, .float]
      if !kinds.isDisjoint(with: numbers) || kinds.contains(.date) {
        let (share, example) = Self.strangers(in: column, of: file)
        if share < 0.1, let example {
          summary.suspicions.append(
            "'\(column.name)' is text because of \(percent(share)) of its values, such as '\(example)'; the others are numbers "
              + "or dates. Correct them, or name them as missing values.")
        }
      }
    }
    if let other = settings.validation {
      try compare(table, with: Table(contentsOf: other, options: settings.table), at: other.path, into: &summary)
    }
    return summary
  }

  /// Says how many rows are in two tables that should share none.
  private static func compare(
    _ table: Table, with other: Table, at path: String, into summary: inout DataSummary
  ) throws {
    summary.facts.append(("validation", "\(other.count) rows in \(path)"))
    // The same columns in another order, and other types where values are missing, make no other rows.
    let columns = try table.columns.map { try other.column($0.name) }
    let known = Set(hashes(of: table.columns, count: table.count))
    let count = hashes(of: columns, count: other.count).count { known.contains($0) }
    if count > 0 {
      summary.suspicions.append(
        "\(count) of the \(other.count) rows of \(path) are also here: what is measured on them is not new.")
    }
  }

  /// Describes columns, and says what is suspicious of them.
  static func describe(_ table: Table, into summary: inout DataSummary, _ settings: InspectionSettings) throws {
    var tallies: [Tally] = []
    for column in table.columns {
      let tally = Tally(column)
      tallies.append(tally)
      summary.columns.append(tally.summary)
    }
    let target = try settings.target.map { try table.column($0).name }
    func isClass(_ column: Column, _ tally: Tally) -> Bool {
      // Few values that each come often. Numbers are classes where they count from 0, as in the last column of many tables.
      guard (2...20).contains(tally.counts.count), tally.counts.count * 5 <= table.count else { return false }
      return column.type == .text || column.type == .bool
        || (column.type == .int && tally.isConsecutive && tally.summary.minimum == "0"
          && column.name == table.columns.last?.name)
    }
    let classes = zip(table.columns, tallies).filter { column, tally in
      target.map { $0 == column.name } ?? isClass(column, tally)
    }.prefix(5)
    for (column, tally) in classes {
      summary.balances.append(ClassBalance(name: column.name, counts: tally.counts))
    }
    suspect(table, tallies, target: target, into: &summary)
  }

  private static func suspect(_ table: Table, _ tallies: [Tally], target: String?, into summary: inout DataSummary) {
    guard table.count > 0 else { return }
    for (column, tally) in zip(table.columns, tallies) {
      let present = column.count - column.missing
      if present == 0 {
        summary.suspicions.append("'\(column.name)' has no values: leave the column out.")
      } else if tally.distinct == 1, table.count > 1 {
        let value = tally.summary.minimum ?? ""
        summary.suspicions.append(
          "'\(column.name)' is always '\(value)'\(column.missing > 0 ? " or missing" : ""): a model learns nothing from it."
        )
      } else if tally.distinct == present, column.missing == 0, table.count >= 20, column.name != target,
        column.type == .text || (column.type == .int && tally.isConsecutive)
      {
        summary.suspicions.append(
          "'\(column.name)' is different in every row, as a name or a number of the row is: leave it out of the features."
        )
      } else if Double(column.missing) > 0.5 * Double(column.count) {
        summary.suspicions.append(
          "'\(column.name)' is missing in \(percent(Double(column.missing) / Double(column.count))) of the rows.")
      }
      if column.name == target {
        for (name, count) in tally.counts.sorted(by: { $0.key < $1.key }) where count < 2 && tally.counts.count < 50 {
          summary.suspicions.append(
            "The class '\(name)' of '\(column.name)' has one row: no split can have it in each part.")
        }
        if column.missing > 0 {
          summary.suspicions.append("The target '\(column.name)' is missing in \(column.missing) rows: leave them out.")
        }
      }
    }
    var first: [Int: Int] = [:]
    for (index, column) in table.columns.enumerated() where tallies[index].distinct > 1 {
      let digest = tallies[index].digest
      if let twin = first[digest], table.columns[twin].strings == column.strings {
        summary.suspicions.append("'\(column.name)' is a copy of '\(table.columns[twin].name)'.")
      } else {
        first[digest] = index
      }
    }
    let hashes = Self.hashes(of: table.columns, count: table.count)
    let twice = hashes.count - Set(hashes).count
    if twice > 0 {
      summary.suspicions.append(
        "\(twice) row\(twice == 1 ? " is" : "s are") equal to an earlier one: a split may put one into training and its copy into "
          + "validation.")
    }
  }

  /// A digest of each row.
  private static func hashes(of columns: [Column], count: Int) -> [Int] {
    var hashers = [Hasher](repeating: Hasher(), count: count)
    for column in columns {
      switch column.values {
      case .text(let text): for (row, value) in text.enumerated() { hashers[row].combine(value) }
      case .numbers(let array):
        for (row, value) in array.elements(as: Double.self).enumerated() {
          hashers[row].combine(value.isNaN ? 0 : value.bitPattern)
        }
      }
    }
    return hashers.map { $0.finalize() }
  }

  /// Of a column of text that also has numbers or dates: the share of other values, and one of them.
  private static func strangers(in column: Column, of file: CSVFile) -> (share: Double, example: String?) {
    var (count, total, example): (Int, Int, String?) = (0, 0, nil)
    for value in column.text ?? [] {
      guard var value else { continue }
      total += 1
      let isText = value.withUTF8 { file.fields.number($0) == nil && file.fields.date($0) == nil }
      if isText {
        count += 1
        example = example ?? value
      }
    }
    return (total == 0 ? 1 : Double(count) / Double(total), example)
  }

  private static func percent(_ share: Double) -> String {
    share > 0 && share < 0.001 ? "less than 0.1 %" : String(format: "%.1f %%", 100 * share)
  }
}

/// What is counted in one column.
private struct Tally {
  var summary: ColumnSummary
  /// The number of different values.
  let distinct: Int
  /// The values and how often they are there, unless they are too many to be classes.
  let counts: [String: Int]
  /// Whether whole numbers are 0, 1, 2, … or the like, in any order.
  let isConsecutive: Bool
  /// Equal for equal columns.
  let digest: Int

  init(_ column: Column) {
    summary = ColumnSummary(name: column.name, type: column.type.rawValue)
    summary.missing = column.missing
    var hasher = Hasher()
    switch column.values {
    case .text(let text):
      var counts: [String: Int] = [:]
      for value in text {
        hasher.combine(value)
        if let value { counts[value, default: 0] += 1 }
      }
      (distinct, isConsecutive) = (counts.count, false)
      summary.minimum = counts.keys.min()
      summary.maximum = counts.keys.max()
      self.counts = counts.count <= 1000 ? counts : [:]
    case .numbers(let array):
      let numbers = array.elements(as: Double.self)
      var values: [Double: Int] = [:]
      var (sum, squares, count) = (0.0, 0.0, 0.0)
      var (low, high) = (Double.infinity, -Double.infinity)
      for value in numbers {
        hasher.combine(value.isNaN ? 0 : value.bitPattern)
        if value.isNaN { continue }
        values[value, default: 0] += 1
        (low, high) = (min(low, value), max(high, value))
        // Welford's way: no difference of two large sums.
        count += 1
        let step = value - sum
        sum += step / count
        squares += step * (value - sum)
      }
      distinct = values.count
      isConsecutive = !values.isEmpty && high - low == Double(values.count - 1)
      func text(_ value: Double) -> String {
        if column.type == .date { return Column.isoDate(value) }
        if column.type == .bool { return value == 0 ? "false" : "true" }
        if let whole = Int(exactly: value), column.type == .int { return String(whole) }
        return String(format: "%.6g", value)
      }
      if count > 0 {
        (summary.minimum, summary.maximum) = (text(low), text(high))
        if column.type != .date { (summary.mean, summary.deviation) = (sum, (squares / count).squareRoot()) }
      }
      counts = values.count <= 1000 ? Dictionary(values.map { (text($0.key), $0.value) }, uniquingKeysWith: +) : [:]
    }
    summary.distinct = distinct
    digest = hasher.finalize()
  }
}
