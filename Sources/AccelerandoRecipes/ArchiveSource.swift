// Arrays by name in one NPZ file.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `npz: FILE`, with the arrays `x_train` and `y_train` and, for validation, `x_test` and `y_test`; for models with several
/// inputs or outputs with their names behind: `x_train_image`.
struct ArchiveSource: RecipeSource {
  static let key = "npz"
  static let about = "Arrays by name in one NPZ file."

  private let path: String
  private let names: DataNames

  init(_ reader: ConfigReader, for model: DataNames) throws {
    names = model
    path = try reader.string(
      Self.key,
      about:
        "An NPZ file with the arrays x_train and y_train and, for validation, x_test and y_test; for several inputs or "
        + "outputs with their names behind, x_train_NAME, or x_NAME and y_NAME for training")
  }

  var description: String { path }

  func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts {
    if case .sample? = override { throw noSample(description) }
    return try Self.parts(of: (override.directoryURL ?? directory).appending(pathOf: path), names)
  }

  /// The parts of an archive, whatever the recipe's own data are.
  static func parts(of url: URL, _ names: DataNames) throws -> DataParts {
    let archive = try NPZArchive(url)
    let (train, test) = (
      ArchiveNames(.train, names.inputs, names.targets), ArchiveNames(.test, names.inputs, names.targets)
    )
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
}

/// What to throw where `--data sample` is asked for and there is none.
func noSample(_ description: String) -> FormatError {
  FormatError(file: description, reason: "has no sample", remedy: "'--data sample' is for recipes on Fashion-MNIST")
}
