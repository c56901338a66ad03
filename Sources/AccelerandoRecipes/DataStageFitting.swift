// What the data stage learns, it learns from the training part alone: means, categories, vocabularies, classes.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

extension DataStage {
  /// Rows that are looked at together where a table is not in memory.
  private static let chunk = 1 << 16
  /// More categories than this in one column are none: they are names, or text.
  private static let mostCategories = 1000

  /// Fits a stage.
  /// - Parameters:
  ///   - settings: what the recipe says of the columns.
  ///   - names: what the model's inputs and outputs are called, and its layers that read text.
  ///   - raw: the training part.
  /// - Returns: the stage, and what the user may want to know.
  /// - Throws: `FormatError` for columns that are not there or do not fit their use.
  static func fitted(
    _ settings: StageSettings, for names: DataNames, to raw: RawSamples
  ) throws -> (stage: DataStage, notes: [String]) {
    var notes: [String] = []
    let targets = try targetColumns(settings, names, raw)
    let features = try inputColumns(settings, names, raw, targets: targets.flatMap(\.columns), &notes)
    var stage = DataStage(
      inputs: [], targets: try targets.map { try target($0.name, $0.columns[0], settings, raw) },
      weights: settings.weights, id: settings.id, dropsMissing: settings.missing == .drop,
      ignoresUnknown: settings.unknown == .ignore, labelMode: settings.labelMode)
    for layer in names.textLayers {
      let columns = try (layer.reads.isEmpty ? [nil] : layer.reads.map { $0 }).flatMap { read in
        let columns = features.first { $0.name == read }?.columns ?? []
        guard columns.count == 1 else {
          throw FormatError(
            file: raw.table.name,
            reason: "\(layer.encoder.layerName) reads one column; "
              + "\(read.map { "the input '\($0)'" } ?? "the input") has \(columns.joined(separator: ", "))",
            remedy: "Name one with 'features'")
        }
        return columns
      }
      stage.inputs.append(
        Input(name: layer.input, source: .text(try adapted(layer, columns, raw, drops: stage), columns: columns)))
    }
    let read = Set(names.textLayers.flatMap { $0.reads.isEmpty ? [nil] : $0.reads.map { $0 } })
    for feature in features where !read.contains(feature.name) {
      if feature.columns.isEmpty, raw.picture != nil {
        stage.inputs.append(Input(name: feature.name, source: .picture))
      } else {
        let means = settings.missing == .mean ? try means(of: feature.columns, raw) : [:]
        let parts = try feature.columns.map { try part($0, settings, raw, means: means, &notes) }
        stage.inputs.append(Input(name: feature.name, source: .columns(parts)))
      }
    }
    stage.inputs =
      names.inputs.isEmpty
      ? stage.inputs : names.inputs.compactMap { name in stage.inputs.first { $0.name == name } }
    for column in stage.inputColumns + stage.targets.filter({ $0.classes != nil }).map(\.column) {
      let type = try raw.table.description(of: column).type
      let isNumber = stage.inputs.contains { input in
        if case .columns(let parts) = input.source { parts.contains { $0.column == column } } else { false }
      }
      // What was whole by chance may have a fraction later.
      stage.types[column] = isNumber && type == .int ? .float : type
    }
    return (stage, notes)
  }

  // MARK: Columns

  private typealias NamedColumns = (name: String?, columns: [String])

  /// The column of each target.
  private static func targetColumns(
    _ settings: StageSettings, _ names: DataNames, _ raw: RawSamples
  ) throws -> [NamedColumns] {
    let known = raw.table.descriptions.map(\.name)
    func check(_ columns: [String]) throws { for column in columns { _ = try raw.table.description(of: column) } }
    switch settings.targets {
    case .only(let columns):
      try check(columns)
      guard columns.count == max(names.targets.count, 1) else {
        throw FormatError(
          file: raw.table.name,
          reason: "the model has \(max(names.targets.count, 1)) outputs with labels, and 'target' names "
            + columns.joined(separator: ", "),
          remedy: names.targets.isEmpty
            ? "Name one column" : "Write {OUTPUT: column} for \(names.targets.joined(separator: ", "))")
      }
      return names.targets.isEmpty ? [(nil, columns)] : zip(names.targets, columns).map { ($0, [$1]) }
    case .named(let entries):
      try check(entries.flatMap(\.columns))
      try checkNames(entries.map(\.name), are: names.targets, "output", raw)
      return names.targets.map { name in (name, entries.first { $0.name == name }?.columns ?? []) }
    case .unsaid:
      if !names.targets.isEmpty, names.targets.allSatisfy(known.contains) { return names.targets.map { ($0, [$0]) } }
      throw FormatError(
        file: raw.table.name, reason: "the column to predict is not named; it has \(known.joined(separator: ", "))",
        remedy: "Name it in the recipe: 'target: \(known.last ?? "COLUMN")'")
    }
  }

  /// The columns of each input that the recipe declares; none for the input that is no column.
  private static func inputColumns(
    _ settings: StageSettings, _ names: DataNames, _ raw: RawSamples, targets: [String], _ notes: inout [String]
  ) throws -> [NamedColumns] {
    let made = Set(names.textLayers.compactMap(\.input))
    var wanted: [String?] = []
    for name in names.textLayers.flatMap(\.reads) + names.inputs.filter({ !made.contains($0) })
    where !wanted.contains(name) {
      wanted.append(name)
    }
    if wanted.isEmpty { wanted = [nil] }
    let descriptions = raw.table.descriptions
    switch settings.features {
    case .named(let entries):
      for column in entries.flatMap(\.columns) { _ = try raw.table.description(of: column) }
      try checkNames(entries.map(\.name), are: wanted.compactMap { $0 }, "input", raw)
      return wanted.map { name in (name, entries.first { $0.name == name }?.columns ?? []) }
    case .only(let columns):
      for column in columns { _ = try raw.table.description(of: column) }
      guard wanted.count == 1 else { throw manyInputs(wanted, raw) }
      return [(wanted[0], columns)]
    case .unsaid:
      if raw.picture != nil, wanted.count == 1 { return [(wanted[0], [])] }
      let inputNames = wanted.compactMap { $0 }
      if !inputNames.isEmpty, inputNames.allSatisfy({ name in descriptions.contains { $0.name == name } }) {
        return wanted.map { ($0, [$0 ?? ""]) }
      }
      guard wanted.count == 1 else { throw manyInputs(wanted, raw) }
      let used = Set(targets + [settings.weights, settings.id].compactMap { $0 }).union(settings.reserved)
      let free = descriptions.filter { !used.contains($0.name) }
      let dates = free.filter { $0.type == .date }.map(\.name)
      if !dates.isEmpty {
        notes.append(
          "\(raw.table.name): not used: \(dates.joined(separator: ", ")). Dates are features only where 'features' names them."
        )
      }
      let columns = free.filter { $0.type != .date }.map(\.name)
      guard !columns.isEmpty else {
        throw FormatError(
          file: raw.table.name, reason: "has no column besides \(used.sorted().joined(separator: ", "))")
      }
      return [(wanted[0], columns)]
    }
  }

  private static func manyInputs(_ wanted: [String?], _ raw: RawSamples) -> FormatError {
    let names = wanted.compactMap { $0 }
    let known = raw.table.descriptions.map(\.name)
    let missing = names.filter { !known.contains($0) }
    return FormatError(
      file: raw.table.name,
      reason: "the model has the inputs \(names.joined(separator: ", ")); there is no column "
        + missing.map { "'\($0)'" }.joined(separator: ", "),
      remedy: "Say which columns each input reads: 'features: {\(names.first ?? "INPUT"): [column, …], …}'")
  }

  private static func checkNames(_ given: [String], are names: [String], _ thing: String, _ raw: RawSamples) throws {
    if let stranger = given.first(where: { !names.contains($0) }) {
      throw FormatError(
        file: raw.table.name, reason: "there are columns for '\(stranger)', which is no \(thing) of the model",
        remedy: names.isEmpty
          ? "Its only \(thing) has no name: give the columns as a list" : "It has: \(names.joined(separator: ", "))")
    }
    if let missing = names.first(where: { !given.contains($0) }) {
      throw FormatError(file: raw.table.name, reason: "no column is named for the \(thing) '\(missing)'")
    }
  }

  // MARK: Learning

  /// Goes through the training part, in pieces where the table is not in memory.
  private static func visit(_ raw: RawSamples, _ columns: [String], _ body: (Table) throws -> Void) throws {
    let size = raw.table is Table ? max(raw.rows.count, 1) : chunk
    guard size < raw.rows.count else { return try body(raw.columns(columns)) }
    for start in stride(from: 0, to: raw.rows.count, by: size) {
      try body(raw.table.rows(Array(raw.rows[start..<min(start + size, raw.rows.count)]), columns: columns))
    }
  }

  /// The classes of a target, or none for numbers.
  private static func target(
    _ name: String?, _ column: String, _ settings: StageSettings, _ raw: RawSamples
  ) throws -> Target {
    let type = try raw.table.description(of: column).type
    if let classes = settings.classNames, type == .text || type == .bool {
      return Target(name: name, column: column, classes: classes)
    }
    guard type == .text || type == .bool || settings.labelMode == .categorical else {
      // Names of classes that are numbered already are names and nothing else.
      return Target(name: name, column: column, classes: nil)
    }
    var known: Set<String> = []
    try visit(raw, [column]) { known.formUnion(try $0.column(column).strings.compactMap { $0 }) }
    let isNumber = type == .int || type == .float || type == .float64
    let classes = isNumber ? known.sorted { (Double($0) ?? 0) < (Double($1) ?? 0) } : known.sorted()
    guard classes.count > 1 else {
      throw FormatError(
        file: raw.table.name,
        reason:
          "the target '\(column)' has \(classes.isEmpty ? "no value" : "the only class '\(classes[0])'") in the training part",
        remedy: "A model learns to tell at least two classes apart")
    }
    return Target(name: name, column: column, classes: classes)
  }

  /// The means of the columns that are numbers, without missing values; added up in double precision.
  private static func means(of names: [String], _ raw: RawSamples) throws -> [String: Double] {
    let names = try names.filter { try raw.table.description(of: $0).type != .text }
    guard !names.isEmpty else { return [:] }
    var sums = [(sum: Double, count: Int)](repeating: (0, 0), count: names.count)
    try visit(raw, names) { table in
      let columns = table.columns
      sums.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let sums = buffer
        DispatchQueue.concurrentPerform(iterations: columns.count) { index in
          guard let numbers = columns[index].numbers else { return }
          func add<Scalar: BinaryFloatingPoint>(_: Scalar.Type, _ numbers: NDArray) {
            var (sum, count) = (0.0, 0)
            numbers.withUnsafeBytes { bytes in
              for value in bytes.bindMemory(to: Scalar.self) where !value.isNaN {
                sum += Double(value)
                count += 1
              }
            }
            sums[index].sum += sum
            sums[index].count += count
          }
          numbers.dtype == .float32 ? add(Float.self, numbers) : add(Double.self, numbers.converted(to: .float64))
        }
      }
    }
    return Dictionary(
      zip(names, sums.map { $0.count > 0 ? $0.sum / Double($0.count) : 0 }), uniquingKeysWith: { first, _ in first })
  }

  /// A column in a row of numbers.
  private static func part(
    _ name: String, _ settings: StageSettings, _ raw: RawSamples, means: [String: Double], _ notes: inout [String]
  ) throws -> Part {
    let description = try raw.table.description(of: name)
    guard description.type != .text else {
      var known: Set<String> = []
      try visit(raw, [name]) { table in
        known.formUnion(try table.column(name).strings.compactMap { $0 })
        guard known.count <= mostCategories else {
          throw FormatError(
            file: raw.table.name,
            reason: "the column '\(name)' has more than \(mostCategories) different texts: too many for categories",
            remedy:
              "Leave it out of 'features', or make it an input of its own that StringLookup, Hashing or TextVectorization reads"
          )
        }
      }
      return .category(column: name, values: known.sorted())
    }
    let fill: Double?
    switch settings.missing {
    case .error, .drop: fill = nil
    case .zero: fill = 0
    case .mean: fill = means[name] ?? 0
    case .median:
      var values: [Double] = []
      try visit(raw, [name]) { table in
        values += (try table.column(name).numbers?.elements(as: Double.self) ?? []).filter { !$0.isNaN }
      }
      values.sort()
      fill = values.isEmpty ? 0 : (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
    }
    if description.missing > 0, let fill {
      notes.append(
        "\(raw.table.name): \(name): \(description.missing) missing value\(description.missing == 1 ? "" : "s") become "
          + (settings.missing == .zero ? "0" : "the \(settings.missing.rawValue) of the training part, \(Float(fill))")
          + ".")
    }
    return .number(column: name, fill: fill)
  }

  /// A layer that has learned what it needs.
  private static func adapted(
    _ layer: TextLayer, _ columns: [String], _ raw: RawSamples, drops stage: DataStage
  ) throws -> any TextEncoder {
    var encoder = layer.encoder
    guard encoder.needsAdapting else { return encoder }
    do {
      var counts = TokenCounts()
      try visit(raw, columns) { table in
        try encoder.count(columns.map { Tokens(column: try table.column($0)) }, into: &counts)
      }
      try encoder.adapt(to: counts)
    } catch let error as TextEncoderError {
      throw ConfigError(error.message, at: layer.location)
    }
    return encoder
  }
}
