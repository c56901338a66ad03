// Tables in CSV files.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `csv: FILE`, with a row for each sample.
struct TableRecipeSource: ColumnSource {
  static let key = "csv"
  static let about =
    "A table with a row for each sample. Columns of numbers and of categories together are the model's input; several inputs read "
    + "columns of their own."

  let path: String
  let stage: StageSettings
  let split: SplitSettings
  let names: DataNames
  let validationPath: String?
  let testPath: String?
  private let options: TableOptions

  init(_ reader: ConfigReader, for model: DataNames) throws {
    names = model
    path = try reader.string(Self.key, about: "The file: CSV, plain or gzipped, with commas, semicolons, tabs or bars")
    var stage = try StageSettings(reader)
    validationPath = try reader.optionalString("validation", about: "A file of the same columns for validation")
    testPath = try reader.optionalString("test", about: "A file of the same columns for 'evaluate'")
    split = try SplitSettings(reader, hasColumns: true)
    stage.reserved = Set([split.group, split.time].compactMap { $0 })
    self.stage = stage
    options = try Self.options(reader)
    for (path, key, size) in [
      (validationPath, "validation", split.validation), (testPath, "test", split.test),
    ] where path != nil && size > 0 {
      throw ConfigError(
        "\(reader.subject): the samples for \(key) come from '\(key)' or '\(key)_split', not from both.",
        at: reader.value(key)?.location)
    }
  }

  /// How the file is written, and the types of its columns.
  static func options(_ reader: ConfigReader) throws -> TableOptions {
    var options = TableOptions()
    func mark(_ key: String, about: String) throws -> Character? {
      guard let text = try reader.optionalString(key, about: about) else { return nil }
      guard let mark = text.first, text.count == 1, mark.isASCII else {
        throw reader.refused(key, "one ASCII character")
      }
      return mark
    }
    options.csv.delimiter = try mark("delimiter", about: "What separates fields; otherwise it is found")
    options.csv.decimal = try mark("decimal", about: "What separates a fraction; a point otherwise") ?? "."
    options.csv.comment = try mark("comment", about: "Lines that begin with it are left out")
    let header = "Whether the first row has the names; otherwise it is found"
    if reader.value("header", kind: "true or false", about: header) != nil {
      options.csv.hasHeader = try reader.bool("header", default: true)
    }
    let words = "a list of texts"
    if let value = reader.value(
      "missing_values", kind: words,
      about: "Fields that stand for missing values, besides empty ones and words such as NA")
    {
      guard case .array(let values) = value.value else { throw reader.refused("missing_values", words) }
      options.csv.missing += try values.map {
        guard let word = $0.word else { throw reader.refused("missing_values", words) }
        return word
      }
    }
    let kind = "{COLUMN: type}, of \(ColumnType.allCases.map(\.rawValue).joined(separator: ", "))"
    if let value = reader.value("types", kind: kind, about: "Types of columns, instead of those that are found") {
      guard case .object(let entries) = value.value else { throw reader.refused("types", kind) }
      for entry in entries {
        guard case .string(let name) = entry.value.value, let type = ColumnType(rawValue: name) else {
          throw reader.refused("types", kind)
        }
        options.types[entry.key] = type
      }
    }
    let form = "{COLUMN: form}, with strptime's marks"
    if let value = reader.value("date_formats", kind: form, about: "How dates are written: {day: '%d/%m/%Y'}") {
      guard case .object(let entries) = value.value else { throw reader.refused("date_formats", form) }
      for entry in entries {
        guard case .string(let text) = entry.value.value else { throw reader.refused("date_formats", form) }
        options.dateFormats[entry.key] = text
      }
    }
    return options
  }

  func open(_ url: URL, hasTargets: Bool) throws -> RawSamples { try open(url, limit: nil) }

  /// - Parameter limit: the size in bytes from which a table stays in its file; nil for a part of the memory.
  func open(_ url: URL, limit: Int?) throws -> RawSamples {
    RawSamples(try Tables.open(url, options: options, limit: limit))
  }
}
