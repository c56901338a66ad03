// What one wants to know of data before a model is trained on them, in a form that a command prints and a program reads.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// What is in some data.
public struct DataSummary: Sendable {
  /// The path.
  public var source: String
  /// What it is: `CSV`, `NPZ`, `images in folders`.
  public var kind: String
  /// The number of samples: rows, images, texts.
  public var count: Int
  /// What samples are called: `rows`, `images`.
  public var things: String
  /// Other facts by name, in order, such as the delimiter of a CSV file.
  public var facts: [(name: String, value: String)] = []
  /// The columns, arrays or channels.
  public var columns: [ColumnSummary] = []
  /// The balance of classes, by what has them: a column, or the folders.
  public var balances: [ClassBalance] = []
  /// What looks wrong, each in a sentence.
  public var suspicions: [String] = []

  /// Makes a summary.
  public init(source: String, kind: String, count: Int, things: String) {
    self.source = source
    self.kind = kind
    self.count = count
    self.things = things
  }
}

/// What is in a column of a table or in an array.
public struct ColumnSummary: Sendable {
  /// The name.
  public var name: String
  /// The type: `int`, `text`, `float32 [28, 28]`.
  public var type: String
  /// The number of missing values.
  public var missing = 0
  /// The number of different values; nil where nobody counted.
  public var distinct: Int?
  /// The smallest value, as text.
  public var minimum: String?
  /// The largest value, as text.
  public var maximum: String?
  /// The mean of numbers.
  public var mean: Double?
  /// The standard deviation of numbers.
  public var deviation: Double?

  /// Makes a summary.
  public init(name: String, type: String) {
    self.name = name
    self.type = type
  }
}

/// How many samples each class has.
public struct ClassBalance: Sendable {
  /// What has the classes: the name of a column, or `folders`.
  public var name: String
  /// The classes and their samples, the largest first.
  public var classes: [(name: String, count: Int)]
  /// The number of classes that are not listed.
  public var others = 0

  /// Makes a balance, of which at most twenty classes are listed.
  public init(name: String, counts: [String: Int]) {
    self.name = name
    let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    classes = sorted.prefix(20).map { (name: $0.key, count: $0.value) }
    others = sorted.count - classes.count
  }
}

/// A kind of data that can be looked at. Each is a file, and a line in `DataInspection.kinds`.
public protocol InspectableData: Sendable {
  /// Whether this kind is at the place: decided by the first bytes or the names of files, quickly.
  static func isAt(_ url: URL) -> Bool
  /// Looks at all of it.
  /// - Parameters:
  ///   - url: the place.
  ///   - settings: what the user said of it.
  /// - Throws: `FormatError` for data that cannot be read.
  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary
}

/// What is said of data that are looked at.
public struct InspectionSettings: Sendable {
  /// How tables are read.
  public var table: TableOptions
  /// The column or array with the targets; nil to guess.
  public var target: String?
  /// Other data of the same kind, which should share no sample with these.
  public var validation: URL?

  /// Makes settings.
  public init(table: TableOptions = TableOptions(), target: String? = nil, validation: URL? = nil) {
    self.table = table
    self.target = target
    self.validation = validation
  }
}

/// Looks at data of any kind.
public enum DataInspection {
  /// The kinds, of which the first that is at a place is taken. Tables are the last: any text may be one.
  static let kinds: [any InspectableData.Type] = [
    ImageInspection.self, TextInspection.self, ArchiveInspection.self, ArrayInspection.self, TableInspection.self,
  ]

  /// What is at a place.
  /// - Throws: `FormatError` when there is nothing that is known, or it cannot be read.
  public static func summary(of url: URL, _ settings: InspectionSettings = InspectionSettings()) throws -> DataSummary {
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw FormatError(file: url.path, reason: "does not exist", remedy: "Check the path")
    }
    guard let kind = kinds.first(where: { $0.isAt(url) }) else {
      throw FormatError(
        file: url.path, reason: "is of a kind that cannot be inspected",
        remedy: "Tables (CSV), arrays (NPY, NPZ, IDX) and folders of files by class can")
    }
    return try kind.summary(of: url, settings)
  }
}

extension DataSummary {
  /// The summary as JSON.
  package var json: JSON {
    func optional(_ text: String?) -> JSON { JSON(text.map { .string($0) } ?? .null) }
    func array(_ values: [JSON]) -> JSON { JSON(.array(values)) }
    return JSON([
      ("source", JSON(.string(source))), ("kind", JSON(.string(kind))), ("count", JSON(.int(count))),
      ("facts", JSON(facts.map { ($0.name, JSON(.string($0.value))) })),
      (
        "columns",
        array(
          columns.map { column in
            JSON([
              ("name", JSON(.string(column.name))), ("type", JSON(.string(column.type))),
              ("missing", JSON(.int(column.missing))), ("distinct", JSON(column.distinct.map { .int($0) } ?? .null)),
              ("min", optional(column.minimum)), ("max", optional(column.maximum)),
              ("mean", column.mean.map { .number($0) } ?? JSON(.null)),
              ("std", column.deviation.map { .number($0) } ?? JSON(.null)),
            ])
          })
      ),
      (
        "classes",
        array(
          balances.map { balance in
            JSON([
              ("name", JSON(.string(balance.name))),
              ("counts", JSON(balance.classes.map { ($0.name, JSON(.int($0.count))) })),
              ("others", JSON(.int(balance.others))),
            ])
          })
      ),
      ("suspicious", array(suspicions.map { JSON(.string($0)) })),
    ])
  }
}
