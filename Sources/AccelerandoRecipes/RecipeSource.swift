// Where a recipe's samples come from. Each kind of data is a key of `data` with settings beside it, in a file of its own and in
// one line of the list of sources.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// A kind of data that a recipe can name.
protocol RecipeSource: Sendable {
  /// The key of `data` that says where the samples are: `npz`.
  static var key: String { get }
  /// What it is, in a sentence, for the reference.
  static var about: String { get }

  /// Reads the settings.
  /// - Parameter model: what the model's inputs and outputs are called.
  /// - Throws: `ConfigError` for settings that are wrong.
  init(_ reader: ConfigReader, for model: DataNames) throws

  /// What to call the data in errors.
  var description: String { get }
  /// The type of one input, if it is known without the data.
  var knownInput: TensorType? { get }
  /// The number of samples to train on, if it is known without the data.
  var knownCount: Int? { get }
  /// The names of the classes, if they are known without the data.
  var classNames: [String]? { get }

  /// Finds the parts of the data.
  /// - Parameters:
  ///   - directory: the directory that relative paths refer to.
  ///   - override: the data to use instead, from the command line: never an archive.
  ///   - stage: what turned the columns of a trained model's data into its inputs; nil to learn that from these data.
  /// - Throws: `FormatError` when they are missing or damaged.
  func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts

  /// Whether a trained model can read samples of this kind for predictions.
  var takesRawData: Bool { get }
  /// Reads samples for predictions, which need no targets.
  /// - Parameters:
  ///   - url: a file or a directory of this kind of data.
  ///   - stage: what turned the columns of the model's data into its inputs.
  /// - Returns: nil where models take arrays and nothing else.
  /// - Throws: `FormatError` naming row and column for values that do not fit.
  func samples(at url: URL, stage: DataStage?) throws -> LabelledArrays?
}

extension RecipeSource {
  var knownInput: TensorType? { nil }
  var knownCount: Int? { nil }
  var classNames: [String]? { nil }

  var takesRawData: Bool { false }
  func samples(at url: URL, stage: DataStage?) throws -> LabelledArrays? { nil }
}

/// What the inputs and outputs of a recipe's model are called.
struct DataNames: Sendable {
  /// The names of the inputs; empty for a model that has one without a name.
  var inputs: [String] = []
  /// The names of the outputs that have labels; empty for one without a name.
  var targets: [String] = []
  /// The layers that turn text into inputs.
  var textLayers: [TextLayer] = []
}

/// The parts of data that have been found; each is read when it is asked for.
struct DataParts {
  var train: () throws -> LabelledArrays
  var validation: (() throws -> LabelledArrays)?
  var test: (() throws -> LabelledArrays)?
  var classNames: [String]?
  var notes: [String] = []
  /// What turns columns into inputs, for sources that have columns.
  var stage: DataStage?
}

extension DataOverride? {
  /// The directory that takes the place of the recipe's.
  var directoryURL: URL? {
    if case .directory(let url)? = self { url } else { nil }
  }
}

extension DataOverride {
  /// The file or the directory that is named.
  var url: URL? {
    switch self {
    case .sample: nil
    case .directory(let url), .file(let url): url
    }
  }
}

extension URL {
  /// The place of a path that may be relative to this directory.
  func appending(pathOf path: String) -> URL {
    path.hasPrefix("/") ? URL(fileURLWithPath: path) : appendingPathComponent(path)
  }
}
