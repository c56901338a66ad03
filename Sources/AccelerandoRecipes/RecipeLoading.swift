// Loading what a recipe's data are, or what the command line names in their place.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// The loaded samples of a recipe's data.
public struct LoadedData: Sendable {
  /// The samples to train on.
  public var train: LabelledArrays
  /// What it is measured on while it trains, if the data have a part for it.
  public var validation: LabelledArrays?
  /// What the classes are called, if that is known.
  public var classNames: [String]?
  /// What the user may want to know, such as that an array of the file is not used.
  public var notes: [String] = []

  /// The type of one sample of each input.
  public var inputs: [TensorType] { train.inputTypes }
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

extension RecipeData {
  /// Loads the samples.
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
      throw FormatError(file: source.description, reason: "there are no samples to train on")
    }
    return data
  }

  /// Loads what a model is measured on: the part for tests; where there is none, that for validation; or what it was trained on.
  /// The other parts need not be there.
  /// - Throws: `FormatError` when the data are missing, damaged or do not fit together.
  public func loadForEvaluation(
    in directory: URL, override: DataOverride? = nil, limit: Int? = nil
  ) throws -> (samples: LabelledArrays, classNames: [String]?, notes: [String]) {
    let parts = try parts(in: directory, override: override)
    var samples = try (parts.test ?? parts.validation ?? parts.train)()
    if let limit { samples = try samples.prefix(limit) }
    guard samples.count > 0 else { throw FormatError(file: source.description, reason: "there are no samples") }
    return (samples, parts.classNames, parts.notes)
  }

  private func parts(in directory: URL, override: DataOverride?) throws -> DataParts {
    if case .archive(let url)? = override { return try ArchiveSource.parts(of: url, names) }
    return try source.parts(in: directory, override: override)
  }
}
