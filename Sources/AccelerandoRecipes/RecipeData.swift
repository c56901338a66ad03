// The data of a recipe: their source, and the loaded arrays.

import AccelerandoCore
import AccelerandoDatasets
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// The data that a recipe names.
public enum RecipeData: Sendable {
  /// A dataset that downloads automatically.
  case dataset(String)
  /// Arrays in files: NPY, or IDX, plain or gzipped.
  case files(inputs: String, targets: String, validation: (inputs: String, targets: String)?)
  /// Arrays named `x_train`, `y_train` and, for validation, `x_test` and `y_test` in one NPZ file.
  case archive(String)

  /// The datasets that download automatically.
  static let datasets = [FashionMNIST.name, sampleName]
  private static let sampleName = "\(FashionMNIST.name)-sample"

  /// The type of one input, if it is known without the data.
  public var knownInput: TensorType? {
    if case .dataset = self { FashionMNIST.imageType } else { nil }
  }

  /// The number of samples to train on, if it is known without the data.
  var knownCount: Int? {
    if case .dataset(let name) = self { name == FashionMNIST.name ? FashionMNIST.trainingCount : nil } else { nil }
  }

  /// The names of the classes, if known.
  public var classNames: [String]? {
    if case .dataset = self { FashionMNIST.classNames } else { nil }
  }

  init(_ reader: ConfigReader) throws {
    let name = try reader.optionalString(
      "name", about: "A dataset that downloads automatically: \(Self.datasets.joined(separator: ", "))")
    let archive = try reader.optionalString(
      "npz", about: "An NPZ file with the arrays x_train and y_train and, for validation, x_test and y_test")
    let inputs = try reader.optionalString(
      "inputs", about: "A file with a sample in each row: NPY, or IDX, also gzipped")
    let targets = try reader.optionalString("targets", about: "A file with the targets of 'inputs'")
    let validationInputs = try reader.optionalString("validation_inputs", about: "As 'inputs', for validation")
    let validationTargets = try reader.optionalString("validation_targets", about: "As 'targets', for validation")
    let sources = [("name", name), ("npz", archive), ("inputs", inputs)].filter { $0.1 != nil }.map(\.0)
    guard sources.count == 1 else { throw Self.notOneSource(sources, reader) }
    if let name {
      let plain = name.replacingOccurrences(of: "_", with: "-")
      guard Self.datasets.contains(plain) else {
        let nearest = nearestWord(to: plain, among: Self.datasets).map { " Did you mean '\($0)'?" } ?? ""
        throw ConfigError(
          "there is no dataset '\(name)'.\(nearest) Known: \(Self.datasets.joined(separator: ", ")).",
          at: reader.value("name")?.location)
      }
      self = .dataset(plain)
    } else if let archive {
      self = .archive(archive)
    } else {
      guard (validationInputs == nil) == (validationTargets == nil) else {
        throw ConfigError(
          "\(reader.subject) needs 'validation_inputs' and 'validation_targets' together.",
          at: reader.config.location)
      }
      let validation = validationInputs.flatMap { inputs in validationTargets.map { (inputs, $0) } }
      self = .files(
        inputs: try reader.string("inputs"), targets: try targets ?? reader.string("targets"), validation: validation)
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

/// Samples and their targets.
public struct LabelledArrays: Sendable {
  /// One sample per row.
  public var inputs: NDArray
  /// One target per row.
  public var targets: NDArray

  /// The number of samples.
  public var count: Int { inputs.shape.first ?? 0 }

  /// Takes arrays with equal numbers of rows.
  /// - Throws: `FormatError` when one is a scalar or the rows differ in number.
  init(inputs: NDArray, targets: NDArray, names: (inputs: String, targets: String)) throws {
    guard let inputRows = inputs.shape.first else {
      throw FormatError(file: names.inputs, reason: "holds a single number where there should be a row for each sample")
    }
    guard let targetRows = targets.shape.first, inputRows == targetRows else {
      throw FormatError(
        file: names.targets,
        reason: "has the shape \(targets.shape), but \(names.inputs) has \(inputRows) samples",
        remedy: "Both need the same first dimension")
    }
    self.inputs = inputs
    self.targets = targets
  }

  init(_ images: LabelledImages) {
    inputs = images.images
    targets = images.labels
  }

  /// The first `limit` samples, or all of them if there are fewer.
  func prefix(_ limit: Int) throws -> LabelledArrays {
    guard limit < count else { return self }
    var result = self
    result.inputs = try inputs.rows(0..<limit)
    result.targets = try targets.rows(0..<limit)
    return result
  }
}

/// The loaded arrays of a recipe's data.
public struct LoadedData: Sendable {
  /// The samples to train on.
  public var train: LabelledArrays
  /// What it is measured on, if the data have a part for it.
  public var validation: LabelledArrays?
  /// What the classes are called, if that is known.
  public var classNames: [String]?
  /// What the user may want to know, such as that an array of the file is not used.
  public var notes: [String] = []

  /// The type of one input.
  public var input: TensorType { train.inputs.type.with(Array(train.inputs.shape.dropFirst())) }
}

/// The data to use instead, from the command line.
public enum DataOverride: Sendable {
  /// The dataset's bundled sample.
  case sample
  /// A directory: of the dataset's files, or that a recipe's paths begin at.
  case directory(URL)
  /// An NPZ file, whatever the recipe's own data are.
  case archive(URL)

  /// What `--data` means: `sample`, a file, or a directory.
  public init(_ argument: String) {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: argument, isDirectory: &isDirectory)
    if argument == "sample" {
      self = .sample
    } else if exists, !isDirectory.boolValue {
      self = .archive(URL(fileURLWithPath: argument))
    } else {
      self = .directory(URL(fileURLWithPath: argument, isDirectory: true))
    }
  }
}

/// The parts of data that have been found; each is read when it is asked for.
private struct DataParts {
  var train: () throws -> LabelledArrays
  var validation: (() throws -> LabelledArrays)?
  var classNames: [String]?
  var notes: [String] = []
}

extension RecipeData {
  /// Loads the arrays.
  /// - Parameters:
  ///   - directory: the directory that relative paths refer to.
  ///   - override: the data to use instead, from the command line.
  ///   - limit: the number of samples of each split to use; nil for all.
  /// - Throws: `FormatError` when the data are missing, damaged or do not fit together.
  public func load(in directory: URL, override: DataOverride? = nil, limit: Int? = nil) throws -> LoadedData {
    let parts = try parts(in: directory, override: override)
    var data = LoadedData(
      train: try parts.train(), validation: try parts.validation?(), classNames: parts.classNames, notes: parts.notes)
    if let limit {
      data.train = try data.train.prefix(limit)
      data.validation = try data.validation?.prefix(limit)
    }
    guard data.train.count > 0 else {
      throw FormatError(file: description, reason: "there are no samples to train on")
    }
    return data
  }

  /// Loads what a model is measured on: the part for validation, or what it was trained on where there is none. The
  /// other part need not be there.
  /// - Throws: `FormatError` when the data are missing, damaged or do not fit together.
  public func loadForEvaluation(
    in directory: URL, override: DataOverride? = nil, limit: Int? = nil
  ) throws -> (samples: LabelledArrays, notes: [String]) {
    let parts = try parts(in: directory, override: override)
    var samples = try (parts.validation ?? parts.train)()
    if let limit { samples = try samples.prefix(limit) }
    guard samples.count > 0 else { throw FormatError(file: description, reason: "there are no samples") }
    return (samples, parts.notes)
  }

  private func parts(in directory: URL, override: DataOverride?) throws -> DataParts {
    switch (self, override) {
    case (_, .archive(let url)): return try Self.archiveParts(url)
    case (.dataset, .sample), (.dataset(Self.sampleName), _): return Self.imageParts(try FashionMNIST.sample())
    case (.dataset, .directory(let named)):
      return Self.imageParts(try FashionMNIST.load(from: .current(named: named)))
    case (.dataset, nil): return Self.imageParts(try FashionMNIST.load())
    case (.files, .sample), (.archive, .sample):
      throw FormatError(
        file: description, reason: "has no sample", remedy: "'--data sample' is for recipes on Fashion-MNIST")
    case (.files(let inputs, let targets, let validation), let override):
      let base = override.directoryURL ?? directory
      func pair(_ inputs: String, _ targets: String) throws -> LabelledArrays {
        try LabelledArrays(
          inputs: ArrayFile.read(base.appending(pathOf: inputs)),
          targets: ArrayFile.read(base.appending(pathOf: targets)), names: (inputs, targets))
      }
      return DataParts(
        train: { try pair(inputs, targets) },
        validation: validation.map { names in { try pair(names.inputs, names.targets) } })
    case (.archive(let path), let override):
      return try Self.archiveParts((override.directoryURL ?? directory).appending(pathOf: path))
    }
  }

  private static func imageParts(_ dataset: ImageDataset) -> DataParts {
    DataParts(
      train: { LabelledArrays(dataset.train) }, validation: { LabelledArrays(dataset.test) },
      classNames: dataset.classNames)
  }

  /// The names that arrays have in a file of several.
  private static let arrayNames = ["x_train", "y_train", "x_test", "y_test"]

  private static func archiveParts(_ url: URL) throws -> DataParts {
    let archive = try NPZArchive(url)
    func pair(_ inputs: String, _ targets: String) throws -> LabelledArrays {
      guard let x = try archive.array(inputs), let y = try archive.array(targets) else {
        throw lacks([inputs, targets], archive)
      }
      return try LabelledArrays(inputs: x, targets: y, names: (inputs, "\(targets) of \(url.path)"))
    }
    let validationNames = ["x_test", "y_test"].filter(archive.names.contains)
    guard validationNames.count != 1 else { throw lacks(["x_test", "y_test"], archive) }
    var parts = DataParts(train: { try pair("x_train", "y_train") })
    if !validationNames.isEmpty { parts.validation = { try pair("x_test", "y_test") } }
    let unused = archive.names.filter { !arrayNames.contains($0) }
    if !unused.isEmpty {
      let shown = unused.prefix(8).joined(separator: ", ") + (unused.count > 8 ? ", …" : "")
      parts.notes.append(
        "\(url.path): not used: \(shown). The arrays that are used are called \(arrayNames.joined(separator: ", ")).")
    }
    return parts
  }

  private static func lacks(_ names: [String], _ archive: NPZArchive) -> FormatError {
    let missing = names.filter { !archive.names.contains($0) }
    let others = archive.names.filter { !arrayNames.contains($0) }
    let nearest = missing.compactMap { name in nearestWord(to: name, among: others).map { "'\($0)' to '\(name)'" } }
    return FormatError(
      file: archive.file,
      reason: "should hold \(names.joined(separator: " and ")); it holds "
        + (archive.names.isEmpty ? "no arrays" : archive.names.joined(separator: ", ")),
      remedy: nearest.isEmpty ? nil : "Rename \(nearest.joined(separator: ", "))")
  }

  private var description: String {
    switch self {
    case .dataset(let name): name
    case .files(let inputs, _, _): inputs
    case .archive(let path): path
    }
  }
}

extension DataOverride? {
  fileprivate var directoryURL: URL? {
    if case .directory(let url)? = self { url } else { nil }
  }
}

extension URL {
  /// The place of a path that may be relative to this directory.
  fileprivate func appending(pathOf path: String) -> URL {
    path.hasPrefix("/") ? URL(fileURLWithPath: path) : appendingPathComponent(path)
  }
}

/// One array in a file, whatever its format.
public enum ArrayFile {
  /// Reads NPY, or IDX plain or gzipped, which is detected by the first bytes.
  /// - Throws: `FormatError` when it is neither, or damaged.
  public static func read(_ url: URL) throws -> NDArray {
    let contents = try FileContents(url)
    switch FileKind(of: contents) {
    case .npy: return try NPY.read(contents)
    case .idx, .gzip: return try IDX.read(contents)
    case .zip:
      throw FormatError.wrongKind(
        contents, expected: "a file of one array", remedy: "A recipe reads it with 'data: {npz: FILE}'")
    default:
      throw FormatError.wrongKind(
        contents, expected: "an array",
        remedy: "NPY files, as numpy.save writes them, and IDX files, plain or gzipped, are read")
    }
  }
}
