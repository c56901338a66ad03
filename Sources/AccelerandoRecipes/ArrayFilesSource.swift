// Arrays in files of their own: NPY, or IDX plain or gzipped.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `inputs: FILE` with `targets: FILE`, or files by the names of inputs and outputs.
struct ArrayFilesSource: RecipeSource {
  static let key = "inputs"
  static let about = "Arrays in files of their own."

  /// A file for an input or an output; without a name for the only one.
  private struct NamedFile: Sendable {
    let name: String?
    let path: String
  }

  /// The files of samples and of their targets.
  private struct Pair: Sendable {
    let inputs: [NamedFile]
    let targets: [NamedFile]
  }

  private let train: Pair
  private let validation: Pair?

  init(_ reader: ConfigReader, for model: DataNames) throws {
    let kind = "a file, or files by name, {NAME: file}"
    func files(_ key: String, about: String) throws -> [NamedFile]? {
      try reader.value(key, kind: kind, about: about).map { try Self.files($0, key, kind, reader) }
    }
    func checked(_ key: String, _ files: [NamedFile], _ thing: String, _ names: [String]) throws -> [NamedFile] {
      try Self.checkNames(files, thing, names, at: reader.value(key)?.location)
      return files.count == 1 ? files : names.compactMap { name in files.first { $0.name == name } }
    }
    let inputs = try files(Self.key, about: "A file with a sample in each row: NPY, or IDX, also gzipped") ?? []
    let targets = try files("targets", about: "A file with the targets of 'inputs'")
    let validationInputs = try files("validation_inputs", about: "As 'inputs', for validation")
    let validationTargets = try files("validation_targets", about: "As 'targets', for validation")
    guard (validationInputs == nil) == (validationTargets == nil) else {
      throw ConfigError(
        "\(reader.subject) needs 'validation_inputs' and 'validation_targets' together.", at: reader.config.location)
    }
    train = Pair(
      inputs: try checked(Self.key, inputs, "input", model.inputs),
      targets: try checked(
        "targets", try targets ?? Self.files(reader.required("targets"), "targets", kind, reader), "output",
        model.targets))
    if let validationInputs, let validationTargets {
      validation = Pair(
        inputs: try checked("validation_inputs", validationInputs, "input", model.inputs),
        targets: try checked("validation_targets", validationTargets, "output", model.targets))
    } else {
      validation = nil
    }
  }

  /// One file, or files by the names of inputs or outputs.
  private static func files(
    _ config: Config, _ key: String, _ kind: String, _ reader: ConfigReader
  ) throws -> [NamedFile] {
    switch config.value {
    case .string(let path): return [NamedFile(name: nil, path: path)]
    case .object(let entries) where !entries.isEmpty:
      return try entries.map { entry in
        guard case .string(let path) = entry.value.value else { throw reader.refused(key, kind) }
        return NamedFile(name: entry.key, path: path)
      }
    default: throw reader.refused(key, kind)
    }
  }

  /// Checks that there is a file for each input, or each output with labels, and no other.
  private static func checkNames(
    _ files: [NamedFile], _ thing: String, _ names: [String], at location: SourceLocation?
  ) throws {
    // The only one needs no name.
    if files.count == 1, files[0].name == nil, names.count <= 1 { return }
    let given = files.compactMap(\.name)
    let what = thing == "input" ? "inputs" : "labelled outputs"
    if let stranger = given.first(where: { !names.contains($0) }) {
      let nearest = nearestWord(to: stranger, among: names).map { " Did you mean '\($0)'?" } ?? ""
      throw ConfigError(
        "there is a file for '\(stranger)', which is no \(thing) of the model.\(nearest) "
          + (names.isEmpty ? "Its only \(thing) has no name." : "It has the \(what) \(names.joined(separator: ", "))."),
        at: location)
    }
    let missing = names.filter { !given.contains($0) }
    guard missing.isEmpty else {
      throw ConfigError(
        "the model has the \(what) \(names.joined(separator: ", ")): a file is needed for each, {NAME: file}; "
          + "\(missing.joined(separator: ", ")) has none.", at: location)
    }
  }

  var description: String { train.inputs.map(\.path).joined(separator: ", ") }

  func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts {
    if case .sample? = override { throw noSample(description) }
    let base = override.directoryURL ?? directory
    func read(_ files: [NamedFile]) throws -> [LabelledArrays.Part] {
      try files.map { ($0.name, try ArrayFile.read(base.appending(pathOf: $0.path)), $0.path) }
    }
    func arrays(_ pair: Pair) throws -> LabelledArrays {
      try LabelledArrays(inputs: read(pair.inputs), targets: read(pair.targets))
    }
    return DataParts(train: { try arrays(train) }, validation: validation.map { pair in { try arrays(pair) } })
  }
}
