// What a recipe says of its data: their source, and the names of the model's inputs and outputs that arrays are for.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// The data that a recipe names.
public struct RecipeData: Sendable {
  /// Where the arrays come from.
  enum Source: Sendable {
    /// A dataset that downloads automatically.
    case dataset(String)
    /// Arrays in files: NPY, or IDX, plain or gzipped.
    case files(Pair, validation: Pair?)
    /// Arrays named `x_train`, `y_train` and, for validation, `x_test` and `y_test` in one NPZ file; for models with several
    /// inputs or outputs with their names behind: `x_train_image`.
    case archive(String)
  }

  /// The files of samples and of their targets.
  struct Pair: Sendable {
    let inputs: [NamedFile]
    let targets: [NamedFile]
  }

  /// A file for an input or an output; without a name for the only one.
  struct NamedFile: Sendable {
    let name: String?
    let path: String
  }

  let source: Source
  /// The names of the model's inputs; empty for one that has none.
  let inputs: [String]
  /// The names of the outputs that have labels; empty for one that has none.
  let targets: [String]

  /// The datasets that download automatically.
  static let datasets = [FashionMNIST.name, sampleName]
  static let sampleName = "\(FashionMNIST.name)-sample"

  /// The type of one input, if it is known without the data.
  public var knownInput: TensorType? {
    if case .dataset = source { FashionMNIST.imageType } else { nil }
  }

  /// The number of samples to train on, if it is known without the data.
  var knownCount: Int? {
    if case .dataset(let name) = source { name == FashionMNIST.name ? FashionMNIST.trainingCount : nil } else { nil }
  }

  /// The names of the classes, if known.
  public var classNames: [String]? {
    if case .dataset = source { FashionMNIST.classNames } else { nil }
  }

  /// Reads the settings `data`.
  /// - Parameters:
  ///   - inputs: the names of the model's inputs; empty for one that has none.
  ///   - targets: the names of the outputs that have labels; empty for one that has none.
  init(_ reader: ConfigReader, inputs: [String] = [], targets: [String] = []) throws {
    (self.inputs, self.targets) = (inputs, targets)
    let name = try reader.optionalString(
      "name", about: "A dataset that downloads automatically: \(Self.datasets.joined(separator: ", "))")
    let archive = try reader.optionalString(
      "npz",
      about:
        "An NPZ file with the arrays x_train and y_train and, for validation, x_test and y_test; for several inputs or "
        + "outputs with their names behind, x_train_NAME, or x_NAME and y_NAME for training")
    let kind = "a file, or files by name, {NAME: file}"
    func files(_ key: String, about: String) throws -> [NamedFile]? {
      try reader.value(key, kind: kind, about: about).map { try Self.files($0, key, kind, reader) }
    }
    let inputFiles = try files("inputs", about: "A file with a sample in each row: NPY, or IDX, also gzipped")
    let targetFiles = try files("targets", about: "A file with the targets of 'inputs'")
    let validationInputs = try files("validation_inputs", about: "As 'inputs', for validation")
    let validationTargets = try files("validation_targets", about: "As 'targets', for validation")
    let sources = [("name", name != nil), ("npz", archive != nil), ("inputs", inputFiles != nil)]
      .filter { $0.1 }.map(\.0)
    guard sources.count == 1 else { throw Self.notOneSource(sources, reader) }
    if let name {
      let plain = name.replacingOccurrences(of: "_", with: "-")
      guard Self.datasets.contains(plain) else {
        let nearest = nearestWord(to: plain, among: Self.datasets).map { " Did you mean '\($0)'?" } ?? ""
        throw ConfigError(
          "there is no dataset '\(name)'.\(nearest) Known: \(Self.datasets.joined(separator: ", ")).",
          at: reader.value("name")?.location)
      }
      for (things, names) in [("inputs", inputs), ("labelled outputs", targets)] where names.count > 1 {
        throw ConfigError(
          "\(plain) has one array of images and one of labels; the model has the \(things) \(names.joined(separator: ", ")). "
            + "Several come from an NPZ file, or from 'inputs' and 'targets' by name.",
          at: reader.value("name")?.location)
      }
      source = .dataset(plain)
    } else if let archive {
      source = .archive(archive)
    } else {
      guard (validationInputs == nil) == (validationTargets == nil) else {
        throw ConfigError(
          "\(reader.subject) needs 'validation_inputs' and 'validation_targets' together.",
          at: reader.config.location)
      }
      func checked(_ key: String, _ files: [NamedFile], _ thing: String, _ names: [String]) throws -> [NamedFile] {
        try Self.checkNames(files, thing, names, at: reader.value(key)?.location)
        return files.count == 1 ? files : names.compactMap { name in files.first { $0.name == name } }
      }
      let pair = Pair(
        inputs: try checked("inputs", inputFiles ?? [], "input", inputs),
        targets: try checked(
          "targets", try targetFiles ?? Self.files(reader.required("targets"), "targets", kind, reader), "output",
          targets))
      var validation: Pair?
      if let validationInputs, let validationTargets {
        validation = Pair(
          inputs: try checked("validation_inputs", validationInputs, "input", inputs),
          targets: try checked("validation_targets", validationTargets, "output", targets))
      }
      source = .files(pair, validation: validation)
    }
    // What belongs to another source would be ignored.
    let own =
      ["name": ["name"], "npz": ["npz"]][sources[0]]
      ?? reader.settings.map(\.key).filter { $0 != "name" && $0 != "npz" }
    for setting in reader.settings where !own.contains(setting.key) && reader.has(setting.key) {
      throw ConfigError(
        "\(reader.subject): '\(setting.key)' does not go with '\(sources[0])'.",
        at: reader.value(setting.key)?.location)
    }
    try reader.finish()
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

  /// What to throw where no source is named, or more than one.
  private static func notOneSource(_ sources: [String], _ reader: ConfigReader) -> ConfigError {
    let known = "Known: 'name' of a dataset, an 'npz' file, or 'inputs' with 'targets'."
    if !sources.isEmpty {
      return ConfigError(
        "\(reader.subject) needs one source; received '\(sources.joined(separator: "' and '"))'. \(known)",
        at: reader.config.location)
    }
    guard case .object(let entries) = reader.config.value,
      let stranger = entries.first(where: { entry in !reader.settings.contains { $0.key == entry.key } })
    else { return ConfigError("\(reader.subject) needs a source. \(known)", at: reader.config.location) }
    let nearest =
      nearestWord(to: stranger.key, among: reader.settings.map(\.key)).map { " Did you mean '\($0)'?" } ?? ""
    return ConfigError(
      "\(reader.subject): the source '\(stranger.key)' is not known.\(nearest) \(known)", at: stranger.location)
  }
}
