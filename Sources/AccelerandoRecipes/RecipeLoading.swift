// Loading what a recipe's data are, or what the command line names in their place.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// Samples and their targets.
public struct LabelledArrays: Sendable {
  /// One sample per row: one array, or arrays by the names of the inputs.
  public var inputs: NamedArrays
  /// One target per row: one array, or arrays by the names of the outputs.
  public var targets: NamedArrays

  /// The number of samples.
  public var count: Int { inputs.first?.shape.first ?? 0 }

  /// An array, what it is for, and what to call it in errors.
  typealias Part = (name: String?, array: NDArray, file: String)

  /// Takes arrays with equal numbers of rows.
  /// - Throws: `FormatError` when one is a scalar or the rows differ in number.
  init(inputs: [Part], targets: [Part]) throws {
    let first = inputs.first ?? (nil, NDArray(scalar: Float(0)), "the inputs")
    guard let count = first.array.shape.first else {
      throw FormatError(file: first.file, reason: "holds a single number where there should be a row for each sample")
    }
    for part in inputs.dropFirst() + targets where part.array.shape.first != count {
      throw FormatError(
        file: part.file, reason: "has the shape \(part.array.shape), but \(first.file) has \(count) samples",
        remedy: "Both need the same first dimension")
    }
    func named(_ parts: [Part]) -> NamedArrays {
      let names = parts.compactMap(\.name)
      return names.count == parts.count
        ? NamedArrays(zip(names, parts).map { ($0, $1.array) }) : NamedArrays(parts.map(\.array))
    }
    self.inputs = named(inputs)
    self.targets = named(targets)
  }

  /// - Parameter output: the name of the output that the labels are for; nil for the only one.
  init(_ images: LabelledImages, output: String?) {
    inputs = [images.images]
    targets = output.map { NamedArrays([($0, images.labels)]) } ?? [images.labels]
  }

  /// The first `limit` samples, or all of them if there are fewer.
  func prefix(_ limit: Int) throws -> LabelledArrays {
    guard limit < count else { return self }
    var result = self
    result.inputs = try inputs.mapArrays { try $0.rows(0..<limit) }
    result.targets = try targets.mapArrays { try $0.rows(0..<limit) }
    return result
  }
}

extension NDArray {
  /// The type of a row.
  var sampleType: TensorType { type.with(Array(shape.dropFirst())) }
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

  /// The type of one sample of each input.
  public var inputs: [TensorType] { train.inputs.map(\.sampleType) }
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
    switch (source, override) {
    case (_, .archive(let url)): return try archiveParts(url)
    case (.dataset, .sample), (.dataset(Self.sampleName), _): return imageParts(try FashionMNIST.sample())
    case (.dataset, .directory(let named)):
      return imageParts(try FashionMNIST.load(from: .current(named: named)))
    case (.dataset, nil): return imageParts(try FashionMNIST.load())
    case (.files, .sample), (.archive, .sample):
      throw FormatError(
        file: description, reason: "has no sample", remedy: "'--data sample' is for recipes on Fashion-MNIST")
    case (.files(let train, let validation), let override):
      let base = override.directoryURL ?? directory
      func read(_ files: [NamedFile]) throws -> [LabelledArrays.Part] {
        try files.map { ($0.name, try ArrayFile.read(base.appending(pathOf: $0.path)), $0.path) }
      }
      func arrays(_ pair: Pair) throws -> LabelledArrays {
        try LabelledArrays(inputs: read(pair.inputs), targets: read(pair.targets))
      }
      return DataParts(
        train: { try arrays(train) }, validation: validation.map { pair in { try arrays(pair) } })
    case (.archive(let path), let override):
      return try archiveParts((override.directoryURL ?? directory).appending(pathOf: path))
    }
  }

  private func imageParts(_ dataset: ImageDataset) -> DataParts {
    let output = targets.first
    return DataParts(
      train: { LabelledArrays(dataset.train, output: output) },
      validation: { LabelledArrays(dataset.test, output: output) }, classNames: dataset.classNames)
  }

  private func archiveParts(_ url: URL) throws -> DataParts {
    let archive = try NPZArchive(url)
    let (train, test) = (ArchiveNames(.train, inputs, targets), ArchiveNames(.test, inputs, targets))
    let hasTest =
      test.inputs.contains { test.found($0, in: archive) != nil }
      || test.targets.contains { test.found($0, in: archive) != nil }
    if hasTest { _ = try test.all(in: archive) }
    var parts = DataParts(train: { try train.read(archive) })
    if hasTest { parts.validation = { try test.read(archive) } }
    let used = Set(train.present(in: archive) + test.present(in: archive))
    let unused = archive.names.filter { !used.contains($0) }
    if !unused.isEmpty {
      let shown = unused.prefix(8).joined(separator: ", ") + (unused.count > 8 ? ", …" : "")
      let names = (train.preferred + test.preferred).joined(separator: ", ")
      parts.notes.append("\(url.path): not used: \(shown). The arrays that are used are called \(names).")
    }
    return parts
  }

  private var description: String {
    switch source {
    case .dataset(let name): name
    case .files(let pair, _): pair.inputs.map(\.path).joined(separator: ", ")
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
