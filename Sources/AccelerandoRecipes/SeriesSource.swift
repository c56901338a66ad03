// Series in time, of which a model sees windows and learns what follows.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// `series: FILE`, a table or an NPY file with a row for each moment. Parts follow each other in time, and no window crosses from
/// one to the next.
struct SeriesSource: RecipeSource {
  static let key = "series"
  static let about =
    "Numbers in time, a row for each moment: windows of them are the model's input, and what follows a window is its target."

  private let path: String
  private let names: DataNames
  private let features: [String]?
  private let targets: [(output: String?, columns: [String])]
  private let time: String?
  private let windows: WindowSettings
  private let validationSplit: Double
  private let testSplit: Double
  private let validationPath: String?
  private let testPath: String?
  private let options: TableOptions

  /// From this size on, windows are made when a batch needs them.
  private static let mostBytes = 1 << 26

  init(_ reader: ConfigReader, for model: DataNames) throws {
    names = model
    path = try reader.string(Self.key, about: "The file: CSV, or NPY with an array [T, C]")
    let list = "a column or a list of columns"
    features = try reader.value(
      "features", kind: list, about: "The columns that the model reads; otherwise all numbers, the target too"
    ).map { try Self.columns($0, "features", list, reader) }
    let kind = "a column, a list of columns, or {OUTPUT: column}"
    var targets: [(output: String?, columns: [String])] = []
    if let value = reader.value(
      "target", kind: kind,
      about: "The columns to predict; for several outputs {OUTPUT: column}; otherwise all that are read")
    {
      if case .object(let entries) = value.value {
        targets = try entries.map { ($0.key, try Self.columns($0.value, "target", kind, reader)) }
      } else {
        targets = [(model.targets.first, try Self.columns(value, "target", kind, reader))]
      }
    }
    self.targets = targets
    time = try reader.optionalString("time", about: "The column that the rows are sorted by, if they are not in order")
    func count(_ key: String, _ fallback: Int, from least: Int = 1, about: String) throws -> Int {
      try reader.int(key, default: fallback, in: least...1 << 30, about: about)
    }
    let length = try reader.int("sequence_length", in: 1...1 << 30, about: "The number of rows in a window")
    let stride = try count("sequence_stride", 1, about: "The distance between the beginnings of windows")
    let samplingRate = try count("sampling_rate", 1, about: "The distance between the rows of a window")
    let horizon = try count("horizon", 1, from: 0, about: "How many rows behind the last row of a window its target is")
    let targetLength = try count("target_length", 1, about: "How many rows the target has")
    validationPath = try reader.optionalString("validation", about: "A file of the same columns for validation")
    testPath = try reader.optionalString("test", about: "A file of the same columns for 'evaluate'")
    validationSplit = try reader.double(
      "validation_split", default: 0, in: .belowOne, about: "The proportion of the last rows to hold out for validation"
    )
    testSplit = try reader.double(
      "test_split", default: 0, in: .belowOne, about: "The proportion of the very last rows to keep for 'evaluate'")
    options = try TableRecipeSource.options(reader)
    windows = try WindowSettings(
      length: length, stride: stride, samplingRate: samplingRate, horizon: horizon, targetLength: targetLength)
    for (path, key, size) in [(validationPath, "validation", validationSplit), (testPath, "test", testSplit)]
    where path != nil && size > 0 {
      throw ConfigError(
        "\(reader.subject): the samples for \(key) come from '\(key)' or '\(key)_split', not from both.",
        at: reader.value(key)?.location)
    }
    guard model.inputs.count <= 1 else {
      throw ConfigError(
        "\(reader.subject): a series is one input, a window [\(windows.length), columns]; the model has the inputs "
          + "\(model.inputs.joined(separator: ", ")).", at: reader.value(Self.key)?.location)
    }
    let outputs = targets.compactMap(\.output)
    if model.targets.count > 1, Set(outputs) != Set(model.targets) {
      throw ConfigError(
        "\(reader.subject): the model has the labelled outputs \(model.targets.joined(separator: ", ")): say which columns each "
          + "predicts, 'target: {\(model.targets[0]): COLUMN, …}'.",
        at: reader.value("target")?.location ?? reader.config.location)
    }
    if let stranger = outputs.first(where: { !model.targets.isEmpty && !model.targets.contains($0) }) {
      throw ConfigError(
        "\(reader.subject): there is a target for '\(stranger)', which is no output of the model.",
        at: reader.value("target")?.location)
    }
  }

  private static func columns(_ config: Config, _ key: String, _ kind: String, _ reader: ConfigReader) throws
    -> [String]
  {
    if case .array(let values) = config.value, !values.isEmpty {
      return try values.map {
        guard let name = $0.word else { throw reader.refused(key, kind) }
        return name
      }
    }
    guard let name = config.word else { throw reader.refused(key, kind) }
    return [name]
  }

  var description: String { path }
  var takesRawData: Bool { true }

  func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts {
    if case .sample? = override { throw noSample(path) }
    func place(_ path: String) -> URL { directory.appending(pathOf: path) }
    let series = try open(override?.url ?? place(path))
    let whole = 0..<series.count
    let test = whole.count - Int((Double(whole.count) * testSplit).rounded())
    let validation = test - Int((Double(whole.count) * validationSplit).rounded())
    // What is too short for a window is told before anything is trained.
    for part in [0..<validation, validation..<test, test..<whole.count] where !part.isEmpty {
      _ = try windows.starts(in: part, source: series.source)
    }
    var parts = DataParts(train: { try samples(of: series, 0..<validation) })
    func other(_ path: String?, _ rows: Range<Int>) throws -> (() throws -> LabelledArrays)? {
      if let path {
        let other = try open(place(path))
        return { try samples(of: other, 0..<other.count) }
      }
      return rows.isEmpty ? nil : { try samples(of: series, rows) }
    }
    parts.validation = try other(validationPath, validation..<test)
    parts.test = try other(testPath, test..<whole.count)
    return parts
  }

  /// All windows of a file, also the last ones, whose targets are not known yet. They are called by their last rows.
  func samples(at url: URL, stage: DataStage?) throws -> LabelledArrays? {
    let series = try open(url, hasTargets: false)
    let settings = try WindowSettings(
      length: windows.length, stride: windows.stride, samplingRate: windows.samplingRate, horizon: 0)
    let starts = try settings.starts(in: 0..<series.count, source: series.source)
    let array = try series.windows(starts, columns: features?.map(series.place), settings)
    var result = LabelledArrays(inputs: names.inputs.first.map { NamedArrays([($0, array)]) } ?? [array])
    result.ids = starts.map { "\($0 + settings.span - 1)" }
    return result
  }

  private func open(_ url: URL, hasTargets: Bool = true) throws -> Series {
    let contents = try FileContents(url)
    if FileKind(of: contents) == .npy { return try Series(NPY.read(contents), source: url.path) }
    let table = try Table(contents, options: options)
    let wanted = try features.map { features in
      var known = Set(features)
      return try features
        + (hasTargets ? targets.flatMap(\.columns) : []).filter { known.insert($0).inserted }.map {
          try table.column($0).name
        }
    }
    return try Series(table, columns: wanted, time: time)
  }

  /// The windows in a part of a series, with their targets.
  private func samples(of series: Series, _ rows: Range<Int>) throws -> LabelledArrays {
    let starts = try windows.starts(in: rows, source: series.source)
    let inputs = try features?.map(series.place)
    let all = targets.isEmpty ? [(output: names.targets.first, columns: features ?? series.names)] : targets
    let labels = try all.map { target in
      (target.output, try series.targets(starts, columns: target.columns.map(series.place), windows))
    }
    func named(_ arrays: [(String?, NDArray)]) -> NamedArrays {
      let names = arrays.compactMap(\.0)
      return names.count == arrays.count
        ? NamedArrays(zip(names, arrays).map { ($0, $1.1) }) : NamedArrays(arrays.map(\.1))
    }
    let (settings, name) = (windows, names.inputs.first)
    let type = TensorType(.float32, [settings.length, inputs?.count ?? series.names.count])
    guard type.byteCount * starts.count > Self.mostBytes else {
      let array = try series.windows(starts, columns: inputs, settings)
      return LabelledArrays(inputs: named([(name, array)]), targets: named(labels))
    }
    let identity = "\(series.source) \(series.count) \(series.names) \(settings) \(inputs ?? [])"
    let reading = InputReading(types: [type], rows: starts, identity: identity) { starts in
      let array = try series.windows(starts, columns: inputs, settings)
      return name.map { NamedArrays([($0, array)]) } ?? [array]
    }
    return LabelledArrays(inputs: [], targets: named(labels), reading: reading)
  }
}
