// NumPy's format for several arrays: a zip file with one NPY file for each name.

import AccelerandoCore
import Foundation

/// An NPZ file that is open: its names are known, and an array is read when it is asked for. What is never asked for costs
/// nothing, and may be anything.
public struct NPZArchive: Sendable {
  private let archive: ZipArchive
  private let entries: [ExactName: ZipEntry]
  /// The names of the arrays, in the order of the file's directory. Members that are no arrays have none.
  public let names: [String]

  /// Opens a file.
  /// - Throws: `FormatError` when it cannot be read, is no zip file or damaged, or has two members of one name.
  public init(_ url: URL) throws { try self.init(FileContents(url)) }

  /// Opens a file that is in memory or mapped.
  public init(_ contents: FileContents) throws {
    archive = try ZipArchive(contents)
    var entries: [ExactName: ZipEntry] = [:]
    var names: [String] = []
    for entry in archive.entries where entry.name.utf8.suffix(4).elementsEqual(".npy".utf8) {
      let name = String(decoding: entry.name.utf8.dropLast(4), as: UTF8.self)
      guard entries.updateValue(entry, forKey: ExactName(name)) == nil else {
        throw FormatError(
          file: contents.name, offset: entry.directoryOffset, reason: "has two entries named '\(entry.name)'")
      }
      names.append(name)
    }
    self.entries = entries
    self.names = names
  }

  /// The file's name.
  public var file: String { archive.contents.name }

  /// Reads the array of a name; nil where there is none. A stored one of a large file is mapped where its place in it is
  /// aligned.
  /// - Throws: `FormatError` when the entry is damaged or is no array that `NPY` reads.
  public func array(_ name: String) throws -> NDArray? {
    try entries[ExactName(name)].map { try NPY.read(archive.read($0)) }
  }
}

/// NPZ files, stored or deflated.
public enum NPZ {
  /// Reads all arrays in the order of the file's directory; see `NPZArchive` for some of them.
  /// - Throws: `FormatError` when the file cannot be read, is no zip file or damaged, or an entry is no array that
  ///   `NPY` reads.
  public static func read(_ url: URL) throws -> [(name: String, value: NDArray)] { try read(FileContents(url)) }

  /// Reads all arrays of a file that is already open.
  public static func read(_ contents: FileContents) throws -> [(name: String, value: NDArray)] {
    let archive = try NPZArchive(contents)
    return try archive.names.compactMap { name in try archive.array(name).map { (name, $0) } }
  }

  /// Writes arrays, atomically. The same arrays give the same bytes.
  /// - Throws: `FormatError` when a name is used twice, the file would be larger than 4 GiB or cannot be written.
  public static func write(
    _ arrays: [(name: String, value: NDArray)], to url: URL, compressed: Bool = false
  ) throws {
    guard Set(arrays.map { ExactName($0.name) }).count == arrays.count else {
      throw FormatError(
        file: url.path, reason: "cannot hold two arrays of one name", remedy: "Give each array a name of its own")
    }
    try AtomicFile.write(to: url) { file in
      var zip = ZipWriter(file, name: url.path)
      for (name, value) in arrays {
        try zip.add("\(name).npy", NPY.encoded(value), compressed: compressed)
      }
      try zip.finish()
    }
  }
}
