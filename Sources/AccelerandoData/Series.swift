// Series in time: what comes next follows from what came before. A model sees windows, which share most of their rows; the
// series is kept once, and a window is made when a batch needs it.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// How windows are cut from a series, as by Keras' `timeseries_dataset_from_array`.
public struct WindowSettings: Sendable, Hashable {
  /// The number of rows in a window.
  public var length: Int
  /// The distance between the beginnings of windows, in rows.
  public var stride: Int
  /// The distance between the rows of a window.
  public var samplingRate: Int
  /// How many rows behind the last row of the window its target is; 0 for that row itself.
  public var horizon: Int
  /// How many rows the target has, from there on.
  public var targetLength: Int

  /// Makes settings.
  /// - Throws: `FormatError` for numbers that make no windows.
  public init(
    length: Int, stride: Int = 1, samplingRate: Int = 1, horizon: Int = 1, targetLength: Int = 1
  ) throws {
    for (name, value, least) in [
      ("length", length, 1), ("stride", stride, 1), ("sampling_rate", samplingRate, 1), ("horizon", horizon, 0),
      ("target_length", targetLength, 1),
    ] where value < least || value > 1 << 30 {
      throw FormatError(
        file: "windows", reason: "'\(name)' must be between \(least) and \(1 << 30); received \(value)")
    }
    self.length = length
    self.stride = stride
    self.samplingRate = samplingRate
    self.horizon = horizon
    self.targetLength = targetLength
  }

  /// The rows from the first of a window to its last.
  var inputSpan: Int { (length - 1) * samplingRate + 1 }

  /// The rows from the first of a window to the last of its target.
  public var span: Int { max(inputSpan, inputSpan + horizon + targetLength - 1) }

  /// The rows at which windows begin that lie, with their targets, in a part of a series.
  /// - Parameters:
  ///   - rows: the part.
  ///   - source: what errors call the series.
  /// - Throws: `FormatError` when the part is shorter than one window with its target.
  public func starts(in rows: Range<Int>, source: String = "series") throws -> [Int] {
    guard span <= rows.count else {
      throw FormatError(
        file: source,
        reason:
          "a window of \(length) rows\(samplingRate > 1 ? ", \(samplingRate) apart," : "") with a target \(horizon) "
          + "row\(horizon == 1 ? "" : "s") ahead spans \(span) rows; this part has \(rows.count)",
        remedy: "Make 'length', 'horizon' or 'sampling_rate' smaller, or the part larger")
    }
    return Array(Swift.stride(from: rows.lowerBound, through: rows.upperBound - span, by: stride))
  }
}

/// Numbers in time, kept once, of which windows are read.
public struct Series: Sendable {
  /// The numbers as `float32[T, C]`, the earliest row first.
  public let values: NDArray
  /// The names of the columns.
  public let names: [String]
  /// What errors call the series.
  public let source: String

  /// The number of rows.
  public var count: Int { values.shape[0] }

  /// Takes an array `[T, C]` or `[T]` of numbers. One of `float32` in a mapped file stays there.
  /// - Throws: `FormatError` for an array of another rank.
  public init(_ array: NDArray, names: [String]? = nil, source: String = "series") throws {
    guard array.shape.count == 1 || array.shape.count == 2 else {
      throw FormatError(
        file: source, reason: "a series is an array [T, C] of numbers by rows, or [T]; received \(array.type)")
    }
    let columns = array.shape.count == 1 ? 1 : array.shape[1]
    values = try array.converted(to: .float32).reshaped([array.shape[0], columns])
    self.names = names ?? (0..<columns).map { "column_\($0 + 1)" }
    self.source = source
  }

  /// Takes columns of a table.
  /// - Parameters:
  ///   - table: the table.
  ///   - columns: the names of columns of numbers; all of them for nil, but for `time`.
  ///   - time: the column that the rows are sorted by; nil if they are in order.
  /// - Throws: `FormatError` for columns that do not exist or hold text, and for a missing number, with its row.
  public init(_ table: Table, columns: [String]? = nil, time: String? = nil) throws {
    var order: [Int]?
    if let time {
      let column = try table.column(time)
      guard let times = column.numbers?.elements(as: Double.self) else {
        throw FormatError(
          file: table.name, reason: "the column '\(time)' is text; rows are sorted by a date or a number",
          remedy: "Say the form of its dates")
      }
      if let row = times.firstIndex(where: \.isNaN) {
        throw FormatError(file: table.name, reason: "row \(row + 1) has no time in the column '\(time)'")
      }
      let sorted = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
      if sorted != Array(times.indices) { order = sorted }
    }
    let chosen =
      try columns?.map(table.column) ?? table.columns.filter { $0.type != .text && $0.type != .date && $0.name != time }
    guard !chosen.isEmpty else {
      throw FormatError(file: table.name, reason: "has no columns of numbers to make a series of")
    }
    var values = NDArray(zeros: TensorType(.float32, [table.count, chosen.count]))
    for (place, column) in chosen.enumerated() {
      guard let numbers = column.numbers?.elements(as: Float.self) else {
        throw FormatError(
          file: table.name, reason: "the column '\(column.name)' is text; a series is made of numbers",
          remedy: "Name other columns")
      }
      if let row = numbers.firstIndex(where: \.isNaN) {
        throw FormatError(
          file: table.name,
          reason: "row \(row + 1) has no number in the column '\(column.name)' (\(column.missing) missing in all)",
          remedy: "Fill the gaps of the series first, or leave the column out")
      }
      values.withUnsafeMutableBytes { bytes in
        let target = bytes.bindMemory(to: Float.self)
        for row in 0..<table.count { target[row * chosen.count + place] = numbers[order?[row] ?? row] }
      }
    }
    try self.init(values, names: chosen.map(\.name), source: table.name)
  }

  /// The place of a column.
  /// - Throws: `FormatError` with the names of all columns when there is none of this name.
  public func place(of name: String) throws -> Int {
    guard let place = names.firstIndex(of: name) else {
      throw FormatError(
        file: source, reason: "the series has no column '\(name)'; it has \(names.joined(separator: ", "))")
    }
    return place
  }

  /// Windows as an array `float32[starts, length, columns]`.
  /// - Parameters:
  ///   - starts: the rows at which they begin, from `WindowSettings.starts(in:)`.
  ///   - columns: the places of columns; all for nil.
  ///   - settings: how windows are cut.
  /// - Throws: `FormatError` for a window that leaves the series.
  public func windows(_ starts: [Int], columns: [Int]? = nil, _ settings: WindowSettings) throws -> NDArray {
    try gathered(starts, columns, count: settings.length, step: settings.samplingRate, offset: 0)
  }

  /// The targets of windows as an array `float32[starts, targetLength, columns]`, `[starts, columns]` for targets of one row.
  public func targets(_ starts: [Int], columns: [Int]? = nil, _ settings: WindowSettings) throws -> NDArray {
    let targets = try gathered(
      starts, columns, count: settings.targetLength, step: 1, offset: settings.inputSpan - 1 + settings.horizon)
    return settings.targetLength == 1 ? try targets.reshaped([targets.shape[0], targets.shape[2]]) : targets
  }

  private func gathered(_ starts: [Int], _ columns: [Int]?, count: Int, step: Int, offset: Int) throws -> NDArray {
    let width = values.shape[1]
    for start in starts where start < 0 || start > self.count - 1 - offset - (count - 1) * step {
      throw FormatError(
        file: source, reason: "a window that begins at row \(start) leaves the series of \(self.count) rows")
    }
    if let stranger = columns?.first(where: { $0 < 0 || $0 >= width }) {
      throw FormatError(file: source, reason: "the series has no column \(stranger); it has \(width)")
    }
    let chosen = columns.flatMap { $0 == Array(0..<width) ? nil : $0 }
    var result = NDArray(zeros: TensorType(.float32, [starts.count, count, chosen?.count ?? width]))
    result.withUnsafeMutableBytes { target in
      values.withUnsafeBytes { source in
        guard let from = source.bindMemory(to: Float.self).baseAddress,
          var to = target.bindMemory(to: Float.self).baseAddress
        else { return }
        for start in starts {
          for index in 0..<count {
            let row = from + (start + offset + index * step) * width
            if let chosen {
              for (place, column) in chosen.enumerated() { to[place] = row[column] }
              to += chosen.count
            } else {
              to.update(from: row, count: width)
              to += width
            }
          }
        }
      }
    }
    return result
  }
}
