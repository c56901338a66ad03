// NumPy's format for several arrays: a zip file with one NPY file for each name.

import AccelerandoCore
import Foundation

/// NPZ files, stored or deflated.
public enum NPZ {
  /// Reads the arrays in the order of the file's directory. Stored ones of a large file are mapped where their place in
  /// it is aligned.
  /// - Throws: `FormatError` when the file cannot be read, is no zip file or damaged, or an entry is no array that
  ///   `NPY` reads.
  public static func read(_ url: URL) throws -> [(name: String, value: NDArray)] { try read(FileContents(url)) }

  /// Reads a file that is already open.
  public static func read(_ contents: FileContents) throws -> [(name: String, value: NDArray)] {
    let archive = try ZipArchive(contents)
    var seen: Set<String> = []
    return try archive.entries.map { entry in
      guard seen.insert(entry.name).inserted else {
        throw FormatError(
          file: contents.name, offset: entry.directoryOffset, reason: "has two entries named '\(entry.name)'")
      }
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      return (name, try NPY.read(archive.read(entry)))
    }
  }

  /// Writes arrays, atomically. The same arrays give the same bytes.
  /// - Throws: `FormatError` when a name is used twice, the file would be larger than 4 GiB or cannot be written.
  public static func write(
    _ arrays: [(name: String, value: NDArray)], to url: URL, compressed: Bool = false
  ) throws {
    guard Set(arrays.map(\.name)).count == arrays.count else {
      throw FormatError(
        file: url.path, reason: "cannot hold two arrays of one name", remedy: "Give each array a name of its own")
    }
    try AtomicFile.write(to: url) { file in
      var zip = ZipWriter(file, name: url.path)
      for (name, value) in arrays {
        let bytes = value.withUnsafeBytes { NPYHeader.encoded(value.type) + $0 }
        try zip.add("\(name).npy", bytes, compressed: compressed)
      }
      try zip.finish()
    }
  }
}
