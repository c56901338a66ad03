// A column of a table: numbers that models can read, or text that something must first turn into numbers.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// The type of a column.
public enum ColumnType: String, Sendable, Hashable, CaseIterable {
  /// Whole numbers: `int64`; `float32` where some are missing (`float64` if they need it), which are NaN.
  case int
  /// Numbers: `float32`. Missing ones are NaN.
  case float
  /// Numbers in double precision: `float64`.
  case float64
  /// `true` and `false`: `bool`; `float32` where some are missing.
  case bool
  /// Dates: seconds since 1970 in UTC, `float64`. Missing ones are NaN.
  case date
  /// Text. A missing one is nil.
  case text
}

/// What is known of a column without its values.
public struct ColumnDescription: Sendable, Hashable {
  /// The name, which no other column of the table has.
  public let name: String
  /// The type.
  public let type: ColumnType
  /// The element type of the numbers; nil for text.
  public let dtype: DType?
  /// The number of missing values.
  public let missing: Int

  /// Makes a description.
  public init(name: String, type: ColumnType, dtype: DType?, missing: Int = 0) {
    self.name = name
    self.type = type
    self.dtype = dtype
    self.missing = missing
  }
}

/// A named column with its values.
public struct Column: Sendable {
  /// The values of a column.
  public enum Values: Sendable {
    /// Numbers `[N]`; missing ones are NaN.
    case numbers(NDArray)
    /// Text; nil where it is missing.
    case text([String?])
  }

  /// The name.
  public let name: String
  /// The type.
  public let type: ColumnType
  /// The values, one for each row.
  public let values: Values
  /// The number of missing values.
  public let missing: Int

  init(name: String, type: ColumnType, values: Values, missing: Int) {
    self.name = name
    self.type = type
    self.values = values
    self.missing = missing
  }

  /// Makes a column of text.
  public init(_ name: String, text: [String?]) {
    self.init(name: name, type: .text, values: .text(text), missing: text.count { $0 == nil })
  }

  /// Makes a column of numbers `[N]`.
  /// - Throws: `FormatError` for an array of another rank.
  public init(_ name: String, numbers: NDArray) throws {
    guard numbers.shape.count == 1 else {
      throw FormatError(file: name, reason: "a column is an array [N]; received \(numbers.type)")
    }
    let type: ColumnType =
      switch numbers.dtype {
      case .bool: .bool
      case .float64: .float64
      case .float32, .float16, .bfloat16: .float
      default: .int
      }
    let missing = numbers.dtype.isFloating ? numbers.elements(as: Double.self).count(where: \.isNaN) : 0
    self.init(name: name, type: type, values: .numbers(numbers), missing: missing)
  }

  /// What is known without the values.
  public var description: ColumnDescription {
    ColumnDescription(name: name, type: type, dtype: numbers?.dtype, missing: missing)
  }

  /// The number of rows.
  public var count: Int {
    switch values {
    case .numbers(let array): array.elementCount
    case .text(let text): text.count
    }
  }

  /// The numbers `[N]`; nil for text.
  public var numbers: NDArray? { if case .numbers(let array) = values { array } else { nil } }

  /// The text; nil for numbers.
  public var text: [String?]? { if case .text(let text) = values { text } else { nil } }

  /// The values as text, nil where they are missing: whole numbers without a fraction, dates in ISO 8601.
  public var strings: [String?] {
    switch values {
    case .text(let text): return text
    case .numbers(let array):
      switch (array.dtype, type) {
      case (.bool, _): return array.elements(as: Bool.self).map { $0 ? "true" : "false" }
      case (.int64, .int): return array.elements(as: Int64.self).map { String($0) }
      case (_, .date): return array.elements(as: Double.self).map { $0.isNaN ? nil : Self.isoDate($0) }
      case (.float32, .float): return array.elements(as: Float.self).map { $0.isNaN ? nil : "\($0)" }
      default:
        return array.elements(as: Double.self).map { value in
          value.isNaN
            ? nil : type == .bool ? (value == 0 ? "false" : "true") : Int(exactly: value).map { "\($0)" } ?? "\(value)"
        }
      }
    }
  }

  /// Seconds since 1970 as `2020-12-31` or `2020-12-31T23:59:59`.
  package static func isoDate(_ seconds: Double) -> String {
    guard seconds.magnitude < 1e12 else { return "\(seconds)" }
    let whole = Int(seconds.rounded(.down))
    let (day, rest) = (whole.quotient(floor: 86_400), whole - whole.quotient(floor: 86_400) * 86_400)
    // Years are counted from March, so that the leap day is their last.
    let shifted = day + 719_468
    let era = shifted.quotient(floor: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let part = (5 * dayOfYear + 2) / 153
    let month = part < 10 ? part + 3 : part - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let date = String(format: "%04d-%02d-%02d", year, month, dayOfYear - (153 * part + 2) / 5 + 1)
    guard rest > 0 || seconds != seconds.rounded(.down) else { return date }
    return date + String(format: "T%02d:%02d:%02d", rest / 3600, rest / 60 % 60, rest % 60)
  }

  /// The values as numbers of classes: equal values have equal numbers, 0 for the value that comes first.
  /// - Throws: `FormatError` with the row of a missing value.
  public func classes() throws -> (indices: [Int], names: [String]) {
    var (names, known): ([String], [String: Int]) = ([], [:])
    let indices = try strings.enumerated().map { row, value in
      guard let value else {
        throw FormatError(
          file: "column '\(name)'", reason: "row \(row + 1) has no value, so that it belongs nowhere",
          remedy: "Fill the value in, or leave the row out")
      }
      if let index = known[value] { return index }
      known[value] = names.count
      names.append(value)
      return names.count - 1
    }
    return (indices, names)
  }

  /// The column with chosen rows only, in the order in which they are named. Each must exist.
  public func rows(_ rows: [Int]) -> Column {
    switch values {
    case .text(let text): return Column(name, text: rows.map { text[$0] })
    case .numbers(let array):
      func gather<Scalar: TensorScalar>(_: Scalar.Type) -> NDArray {
        array.withUnsafeBytes { bytes in
          let elements = bytes.bindMemory(to: Scalar.self)
          return NDArray(rows.map { elements[$0] })
        }
      }
      let gathered: NDArray =
        switch array.dtype {
        case .bool: gather(Bool.self)
        case .int64: gather(Int64.self)
        case .int32: gather(Int32.self)
        case .float32: gather(Float.self)
        case .float64: gather(Double.self)
        default: gatheredSlowly(array, rows)
        }
      let missing =
        gathered.dtype.isFloating && self.missing > 0
        ? gathered.elements(as: Double.self).count(where: \.isNaN) : 0
      return Column(name: name, type: type, values: .numbers(gathered), missing: missing)
    }
  }

  private func gatheredSlowly(_ array: NDArray, _ rows: [Int]) -> NDArray {
    let elements = array.elements(as: Double.self)
    return NDArray(rows.map { elements[$0] }).converted(to: array.dtype)
  }
}

extension Int {
  /// The quotient, rounded down also below zero.
  fileprivate func quotient(floor divisor: Int) -> Int {
    self >= 0 ? self / divisor : (self + 1) / divisor - 1
  }
}
