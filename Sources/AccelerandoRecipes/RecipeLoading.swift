// Loading what a recipe's data are, or what the command line names in their place.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
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
  /// What turned columns into inputs, for data that have columns: it is saved with the trained model.
  public var stage: DataStage?

  /// The type of one sample of each input.
  public var inputs: [TensorType] { train.inputTypes }
}

/// The data to use instead, from the command line.
public enum DataOverride: Sendable {
  /// The dataset's bundled sample.
  case sample
  /// A directory: of the dataset's files, or that a recipe's paths begin at.
  case directory(URL)
  /// An NPZ file, whatever the recipe's own data are; or a file of the recipe's own kind.
  case file(URL)

  /// What `--data` means: `sample`, a file, or a directory.
  public init(_ argument: String) {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: argument, isDirectory: &isDirectory)
    if argument == "sample" {
      self = .sample
    } else if exists, !isDirectory.boolValue {
      self = .file(URL(fileURLWithPath: argument))
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
  ///   - stage: what turned the columns of a trained model's data into its inputs; nil to learn that from the training part.
  /// - Throws: `FormatError` when the data are missing, damaged or do not fit together.
  public func load(
    in directory: URL, override: DataOverride? = nil, limit: Int? = nil, stage: DataStage? = nil
  ) throws -> LoadedData {
    let parts = try parts(in: directory, override: override, stage: stage)
    var data = LoadedData(
      train: try parts.train(), validation: try parts.validation?(), classNames: parts.classNames, notes: parts.notes,
      stage: parts.stage)
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
    in directory: URL, override: DataOverride? = nil, limit: Int? = nil, stage: DataStage? = nil
  ) throws -> (samples: LabelledArrays, notes: [String]) {
    let parts = try parts(in: directory, override: override, stage: stage)
    var samples = try (parts.test ?? parts.validation ?? parts.train)()
    if let limit { samples = try samples.prefix(limit) }
    guard samples.count > 0 else { throw FormatError(file: source.description, reason: "there are no samples") }
    return (samples, parts.notes)
  }

  /// Reads samples for predictions, which need no targets.
  /// - Parameters:
  ///   - url: a file or a directory of the recipe's own kind of data.
  ///   - stage: what turned the columns of the model's data into its inputs.
  /// - Returns: nil where models of this recipe take arrays and nothing else.
  /// - Throws: `FormatError` naming row and column for values that do not fit.
  public func samples(at url: URL, stage: DataStage?) throws -> LabelledArrays? {
    source.takesRawData && !Self.holdsArrays(url) ? try source.samples(at: url, stage: stage) : nil
  }

  /// Reads a data stage that a run has saved.
  /// - Parameter config: the contents of `data.json`.
  /// - Throws: `ConfigError` for a file that is damaged, or of another recipe.
  public func stage(_ config: Config) throws -> DataStage { try DataStage(config, layers: names.textLayers) }

  /// Whether a path is a file of arrays, which models take as they are.
  private static func holdsArrays(_ url: URL) -> Bool {
    var status = stat()
    // What comes through a pipe can be read only once.
    guard stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, let contents = try? FileContents(url) else {
      return false
    }
    return [.npy, .zip, .idx].contains(FileKind(of: contents))
  }

  private func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts {
    if case .file(let url)? = override, !(source is any ColumnSource) || Self.holdsArrays(url) {
      return try ArchiveSource.parts(of: url, names)
    }
    return try source.parts(in: directory, override: override, stage: stage)
  }
}
