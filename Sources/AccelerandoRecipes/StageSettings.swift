// What a recipe says of the columns of its data: which of them the model reads, which are the targets, and what happens to
// values that are missing. The same for tables, images and texts, which differ only in the columns that they have.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN

/// How columns become the inputs and the targets of a model.
struct StageSettings: Sendable {
  /// What a missing number becomes.
  enum Missing: String, CaseIterable, Sendable {
    /// The mean of the column in the training part.
    case mean
    /// The median of the column in the training part.
    case median
    /// Zero.
    case zero
    /// Rows with missing values are left out.
    case drop
    /// An error.
    case error
  }

  /// What a category becomes that the training part does not have.
  enum Unknown: String, CaseIterable, Sendable {
    /// An error.
    case error
    /// All zeros.
    case ignore
  }

  /// The form of the targets that are classes.
  enum LabelMode: String, CaseIterable, Sendable {
    /// The class's index.
    case int
    /// A row with a one at the class's index.
    case categorical
  }

  /// The columns of some inputs or outputs: by name, or for the only one.
  enum Columns: Sendable {
    /// Those that have no other use; for several inputs, those of the inputs' names.
    case unsaid
    /// The columns of the only one.
    case only([String])
    /// Columns by name.
    case named([(name: String, columns: [String])])
  }

  /// The columns that are read.
  var features = Columns.unsaid
  /// The columns of the targets.
  var targets = Columns.unsaid
  /// The column of the samples' weights.
  var weights: String?
  /// The column of the samples' names.
  var id: String?
  /// What missing numbers become.
  var missing = Missing.mean
  /// What unknown categories become.
  var unknown = Unknown.error
  /// The form of classes.
  var labelMode = LabelMode.int
  /// The classes, in the order of their indices; nil for those of the training part, in the order of the alphabet.
  var classNames: [String]?
  /// Columns with a use of their own, which are no features unless they are named.
  var reserved: Set<String> = []

  init() {}

  /// Reads the settings that sources with columns share.
  /// - Throws: `ConfigError` for settings that are wrong.
  init(_ reader: ConfigReader) throws {
    features = try Self.columns(
      reader, "features",
      about: "The columns that the model reads: a list, or for several inputs {INPUT: column}; "
        + "otherwise all that have no other use, or those with the inputs' names")
    targets = try Self.columns(
      reader, "target", about: "The column to predict; for several outputs {OUTPUT: column}")
    weights = try reader.optionalString("weights", about: "The column with the weight of each sample")
    id = try reader.optionalString("id", about: "The column with the name of each sample, for predictions")
    missing = try reader.choice(
      "missing", default: .mean, about: "What missing numbers become; drop leaves the rows out")
    unknown = try reader.choice(
      "unknown_categories", default: .error, about: "What categories become that the training part does not have")
    try readLabels(reader)
  }

  /// Reads the settings of labels alone, for sources whose columns are known.
  mutating func readLabels(_ reader: ConfigReader) throws {
    labelMode = try reader.choice(
      "label_mode", default: .int, about: "Whether classes are indices, or rows with a one at the index")
    let kind = "a list of names"
    if let value = reader.value("class_names", kind: kind, about: "The classes, in the order of their indices") {
      guard case .array(let values) = value.value else { throw reader.refused("class_names", kind) }
      classNames = try values.map {
        guard let name = $0.word else { throw reader.refused("class_names", kind) }
        return name
      }
      guard Set(classNames ?? []).count == values.count, values.count > 1 else {
        throw reader.refused("class_names", "at least two different names")
      }
    }
  }

  private static func columns(_ reader: ConfigReader, _ key: String, about: String) throws -> Columns {
    let kind = "a column, a list of columns, or {NAME: column}"
    guard let value = reader.value(key, kind: kind, about: about) else { return .unsaid }
    func list(_ config: Config) throws -> [String] {
      if case .array(let values) = config.value, !values.isEmpty {
        return try values.map {
          guard let name = $0.word else { throw reader.refused(key, kind) }
          return name
        }
      }
      guard let name = config.word else { throw reader.refused(key, kind) }
      return [name]
    }
    guard case .object(let entries) = value.value else { return .only(try list(value)) }
    return .named(try entries.map { (name: $0.key, columns: try list($0.value)) })
  }
}
