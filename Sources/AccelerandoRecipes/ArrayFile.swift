// Arrays in files, whatever their format: what recipes name, and the samples of a prediction.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// One array in a file, whatever its format.
public enum ArrayFile {
  /// Reads NPY, or IDX plain or gzipped, which is detected by the first bytes.
  /// - Throws: `FormatError` when it is neither, or damaged.
  public static func read(_ url: URL) throws -> NDArray { try read(FileContents(url)) }

  private static func read(_ contents: FileContents) throws -> NDArray {
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

  /// Reads the inputs of a model: one array of NPY or IDX, or arrays of an NPZ file by the names of the inputs.
  ///
  /// In an NPZ file the array of an input `age` is called `age`, `x_age` or `x_test_age`, that of the only input also `x` or
  /// `x_test`.
  /// - Parameters:
  ///   - url: the file.
  ///   - names: the names of the inputs.
  /// - Throws: `FormatError` when the file lacks an input.
  public static func readInputs(_ url: URL, names: [String]) throws -> NamedArrays {
    let contents = try FileContents(url)
    guard FileKind(of: contents) == .zip else {
      guard names.count == 1 else {
        throw FormatError(
          file: url.path, reason: "is one array, and the model has the inputs \(names.joined(separator: ", "))",
          remedy: "Give an NPZ file with the arrays \(names.map { "x_\($0)" }.joined(separator: ", "))")
      }
      return [try read(contents)]
    }
    let archive = try NPZArchive(contents)
    let arrays = try names.map { name -> NDArray in
      let known = ["x_\(name)", name, "x_test_\(name)"] + (names.count == 1 ? ["x", "x_test"] : [])
      guard let found = known.first(where: archive.names.contains), let array = try archive.array(found) else {
        let shown = archive.names.isEmpty ? "no arrays" : archive.names.joined(separator: ", ")
        throw FormatError(
          file: url.path, reason: "should hold the input '\(name)'; it holds \(shown)",
          remedy: "Call the array \(known[0])")
      }
      return array
    }
    return names.count == 1 ? NamedArrays(arrays) : NamedArrays(zip(names, arrays).map { ($0, $1) })
  }
}
