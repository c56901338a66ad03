// Between data as people have them and a model stands one stage: it knows which columns make each input, what missing values
// become, the categories and vocabularies that the training part had, and the classes. It is fitted once, saved with the run, and
// used again whenever the model gets raw data.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// What turns columns into the inputs and the targets of a model.
public struct DataStage: Sendable {
  /// A column in the row of numbers that an input is.
  enum Part: Sendable, Hashable {
    /// A number; missing ones become `fill`, or are refused.
    case number(column: String, fill: Double?)
    /// A row with a one for the category; all zeros for a missing one.
    case category(column: String, values: [String])

    var column: String {
      switch self {
      case .number(let column, _), .category(let column, _): column
      }
    }

    /// The number of numbers.
    var width: Int {
      switch self {
      case .number: 1
      case .category(_, let values): values.count
      }
    }
  }

  /// Where an input comes from.
  enum Source: Sendable {
    /// Numbers and categories in one row.
    case columns([Part])
    /// Columns that a layer turns into numbers.
    case text(any TextEncoder, columns: [String])
    /// Files that are read when a batch needs them.
    case picture
  }

  struct Input: Sendable {
    let name: String?
    var source: Source
  }

  struct Target: Sendable {
    let name: String?
    let column: String
    /// The classes; nil for numbers.
    let classes: [String]?
  }

  var inputs: [Input]
  var targets: [Target]
  let weights: String?
  let id: String?
  let dropsMissing: Bool
  let ignoresUnknown: Bool
  let labelMode: StageSettings.LabelMode
  /// The types that the columns of inputs and of classes had in training.
  var types: [String: ColumnType] = [:]

  /// The names of the classes of an output; nil for numbers.
  /// - Parameter output: the output's name; the only one is found by any.
  public func classNames(of output: String) -> [String]? {
    if targets.count == 1, targets[0].name == nil { return targets[0].classes }
    return targets.first { $0.name == output }?.classes
  }

  /// The names of the classes of the first target.
  var firstClassNames: [String]? { targets.first?.classes }

  /// The types that columns of raw data have to have.
  func types(hasTargets: Bool) -> [String: ColumnType] {
    guard !hasTargets else { return types }
    let read = Set(inputColumns)
    return types.filter { read.contains($0.key) }
  }

  /// All columns of the inputs.
  var inputColumns: [String] {
    var known: Set<String> = []
    return inputs.flatMap { input -> [String] in
      switch input.source {
      case .columns(let parts): parts.map(\.column)
      case .text(_, let columns): columns
      case .picture: []
      }
    }.filter { known.insert($0).inserted }
  }
}

// MARK: - Samples

extension DataStage {
  /// The samples in the form that the model takes them.
  /// - Parameters:
  ///   - raw: the samples as they were read.
  ///   - hasTargets: whether there are targets; predictions need none.
  /// - Throws: `FormatError` naming row and column for values that do not fit.
  func samples(of raw: RawSamples, hasTargets: Bool = true) throws -> LabelledArrays {
    let raw = hasTargets && dropsMissing ? try withoutMissing(raw) : raw
    let targetArrays = hasTargets ? try targets.map { (name: $0.name, value: try array(of: $0, raw)) } : []
    var result: LabelledArrays
    if raw.table is Table, raw.picture == nil {
      result = LabelledArrays(inputs: try inputs(of: raw), targets: Self.named(targetArrays))
    } else {
      result = LabelledArrays(inputs: [], targets: Self.named(targetArrays), reading: try reading(raw))
    }
    if hasTargets, let weights { result.weights = [try array(of: weights, raw)] }
    if let id { result.ids = try raw.columns([id]).column(id).strings.map { $0 ?? "" } }
    return result
  }

  private static func named(_ arrays: [(name: String?, value: NDArray)]) -> NamedArrays {
    let names = arrays.compactMap(\.name)
    return names.count == arrays.count
      ? NamedArrays(zip(names, arrays).map { ($0, $1.value) }) : NamedArrays(arrays.map(\.value))
  }

  /// Inputs that are made when a batch needs them.
  private func reading(_ raw: RawSamples) throws -> InputReading {
    let types = try inputs.map { try type(of: $0, raw) }
    let identity = "\(raw.table.name) \(raw.table.count) \(raw.picture?.identity ?? "") \(inputs)"
    return InputReading(types: types, rows: raw.rows, identity: identity) { try inputs(of: raw.with(rows: $0)) }
  }

  private func type(of input: Input, _ raw: RawSamples) throws -> TensorType {
    if case .picture = input.source, let picture = raw.picture { return picture.type }
    guard let first = raw.rows.first else { return TensorType(.float32, []) }
    return try array(of: input, raw, raw.table.rows([first], columns: inputColumns), [first]).sampleType
  }

  /// The inputs of some samples.
  private func inputs(of raw: RawSamples) throws -> NamedArrays {
    let (columns, rows) = (inputColumns, raw.rows)
    let table = columns.isEmpty ? nil : try raw.columns(columns)
    return Self.named(
      try inputs.map { (name: $0.name, value: try array(of: $0, raw, table, rows)) })
  }

  private func array(of input: Input, _ raw: RawSamples, _ table: Table?, _ rows: [Int]) throws -> NDArray {
    switch input.source {
    case .picture:
      guard let picture = raw.picture else {
        throw FormatError(file: raw.table.name, reason: "has no images, which the model reads")
      }
      return try picture.read(rows)
    case .text(let encoder, let columns):
      guard let table else { throw FormatError(file: raw.table.name, reason: "has no columns") }
      do {
        return try encoder.encode(columns.map { Tokens(column: try table.column($0)) })
      } catch let error as TextEncoderError {
        throw FormatError(
          file: raw.table.name, reason: "column '\(columns.joined(separator: "', '"))': \(error.message)")
      }
    case .columns(let parts):
      guard let table else { throw FormatError(file: raw.table.name, reason: "has no columns") }
      return try row(of: parts, table, rows, file: raw.table.name)
    }
  }

  /// `float32[rows, width]`: the parts one after the other.
  private func row(of parts: [Part], _ table: Table, _ rows: [Int], file: String) throws -> NDArray {
    let width = parts.reduce(0) { $0 + $1.width }
    var start = 0
    let fillers = try parts.map { part in
      defer { start += part.width }
      return try filler(of: part, table, rows, file: file, width: width, start: start)
    }
    var result = NDArray(zeros: TensorType(.float32, [rows.count, width]))
    // Some rows at a time, all their columns: what is written stays in the cache until it is whole.
    let block = 1024
    result.withUnsafeMutableBytes { bytes in
      nonisolated(unsafe) let target = bytes.bindMemory(to: Float.self)
      DispatchQueue.concurrentPerform(iterations: (rows.count + block - 1) / block) { index in
        let places = index * block..<min((index + 1) * block, rows.count)
        for fill in fillers { fill(places, target) }
      }
    }
    return result
  }

  /// Writes one part of the rows at some places.
  private typealias Filler = @Sendable (Range<Int>, UnsafeMutableBufferPointer<Float>) -> Void

  private func filler(
    of part: Part, _ table: Table, _ rows: [Int], file: String, width: Int, start: Int
  ) throws -> Filler {
    let column = try table.column(part.column)
    switch part {
    case .number(let name, let fill):
      guard let numbers = column.numbers else {
        throw FormatError(
          file: file, reason: "the column '\(name)' should hold numbers, as it did in training; it holds text",
          remedy: "See which values are no numbers, and name them as missing values")
      }
      if fill == nil, let place = column.firstMissing { throw missing(name, rows[place], file) }
      let values = numbers.converted(to: .float32)
      let fill = Float(fill ?? 0)
      return { places, target in
        values.withUnsafeBytes { bytes in
          let values = bytes.bindMemory(to: Float.self)
          for place in places {
            let value = values[place]
            target[place * width + start] = value.isNaN ? fill : value
          }
        }
      }
    case .category(let name, let values):
      let known = Dictionary(uniqueKeysWithValues: zip(values, values.indices))
      let indices = try column.strings.enumerated().map { place, value -> Int in
        guard let value else { return -1 }
        if let index = known[value] { return index }
        guard ignoresUnknown else {
          throw FormatError(
            file: file,
            reason: "row \(rows[place] + 1), column '\(name)': the category '\(value)' is not known; known: "
              + Self.list(values),
            remedy: "Correct it, or set 'unknown_categories: ignore', which makes all zeros of it")
        }
        return -1
      }
      return { places, target in
        for place in places where indices[place] >= 0 { target[place * width + start + indices[place]] = 1 }
      }
    }
  }

  /// The targets of an output.
  private func array(of target: Target, _ raw: RawSamples) throws -> NDArray {
    let column = try raw.columns([target.column]).column(target.column)
    guard let classes = target.classes else {
      guard let numbers = column.numbers else {
        throw FormatError(
          file: raw.table.name, reason: "the target '\(target.column)' should hold numbers, as it did in training")
      }
      if let place = column.firstMissing { throw missing(target.column, raw.rows[place], raw.table.name) }
      return column.type == .int ? numbers.converted(to: .int32) : numbers.converted(to: .float32)
    }
    let places = Dictionary(uniqueKeysWithValues: zip(classes, classes.indices))
    let indices = try column.strings.enumerated().map { place, value -> Int32 in
      guard let value else { throw missing(target.column, raw.rows[place], raw.table.name) }
      guard let index = places[value] else {
        throw FormatError(
          file: raw.table.name,
          reason: "row \(raw.rows[place] + 1), column '\(target.column)': the class '\(value)' is not known; known: "
            + Self.list(classes), remedy: "Correct it, or list all classes in 'class_names'")
      }
      return Int32(index)
    }
    guard labelMode == .categorical else { return NDArray(indices) }
    var rows = NDArray(zeros: TensorType(.float32, [indices.count, classes.count]))
    rows.withUnsafeMutableBytes { bytes in
      let rows = bytes.bindMemory(to: Float.self)
      for (sample, index) in indices.enumerated() { rows[sample * classes.count + Int(index)] = 1 }
    }
    return rows
  }

  private func array(of weights: String, _ raw: RawSamples) throws -> NDArray {
    let column = try raw.columns([weights]).column(weights)
    guard let numbers = column.numbers else {
      throw FormatError(file: raw.table.name, reason: "the weights '\(weights)' should be numbers; they are text")
    }
    let values = numbers.elements(as: Float.self)
    if let place = values.firstIndex(where: { !($0 >= 0) || $0.isInfinite }) {
      throw FormatError(
        file: raw.table.name,
        reason:
          "row \(raw.rows[place] + 1), column '\(weights)': a weight is a number of at least 0; received \(values[place])"
      )
    }
    return NDArray(values)
  }

  /// The samples whose rows have all values.
  private func withoutMissing(_ raw: RawSamples) throws -> RawSamples {
    let columns = inputColumns
    let table = try raw.columns(columns + targets.map(\.column).filter { !columns.contains($0) })
    var isWhole = [Bool](repeating: true, count: raw.rows.count)
    for column in table.columns where column.missing > 0 {
      for place in column.missingPlaces { isWhole[place] = false }
    }
    return raw.with(rows: zip(raw.rows, isWhole).filter(\.1).map(\.0))
  }

  private func missing(_ column: String, _ row: Int, _ file: String) -> FormatError {
    FormatError(
      file: file, reason: "row \(row + 1) has no value in the column '\(column)'",
      remedy: "Fill it in, or say with 'missing' what becomes of missing values: mean, median, zero, drop")
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", … (\(names.count))" : "")
  }
}

extension Tokens {
  /// The values of a column: whole numbers stay numbers.
  init(column: Column) {
    if column.type == .int, let numbers = column.numbers, numbers.dtype == .int64 {
      self.init(numbers.elements(as: Int64.self).map { Int($0) })
    } else if column.type == .int, let numbers = column.numbers {
      self.init(numbers.elements(as: Double.self).map { Int(exactly: $0) })
    } else {
      self.init(column.strings)
    }
  }
}

extension Column {
  /// The places of missing values.
  var missingPlaces: [Int] {
    switch values {
    case .text(let text): return text.indices.filter { text[$0] == nil }
    case .numbers(let array):
      guard missing > 0 else { return [] }
      let numbers = array.elements(as: Double.self)
      return numbers.indices.filter { numbers[$0].isNaN }
    }
  }

  var firstMissing: Int? { missing > 0 ? missingPlaces.first : nil }
}
