// The kind of a file, by its content: "is not an IDX file" does not help a user who passed a table or an image.

import Foundation

/// A common kind of file.
package enum FileKind: Hashable, Sendable {
  case npy, zip, gzip, idx, safetensors
  /// A file of another kind, called so.
  case other(String)
  /// Text in UTF-8.
  case text
  case empty, unknown

  /// Looks at the first bytes.
  package init(of contents: FileContents) {
    self = contents.withUnsafeBytes { Self.kind($0) }
  }

  private static let beginnings: [([UInt8], FileKind)] = [
    (Array("\u{93}NUMPY".unicodeScalars.map { UInt8($0.value) }), .npy), ([0x50, 0x4b, 3, 4], .zip),
    ([0x50, 0x4b, 5, 6], .zip), ([0x1f, 0x8b], .gzip),
    (Array("\u{89}HDF".unicodeScalars.map { UInt8($0.value) }), .other("an HDF5 file, such as Keras' .h5")),
    (Array("\u{89}PNG".unicodeScalars.map { UInt8($0.value) }), .other("a PNG image")),
    ([0xff, 0xd8, 0xff], .other("a JPEG image")), (Array("PAR1".utf8), .other("a Parquet file")),
    (Array("ARROW1".utf8), .other("an Arrow file")), (Array("%PDF".utf8), .other("a PDF")),
    (Array("MATLAB".utf8), .other("a MATLAB file")), ([0x28, 0xb5, 0x2f, 0xfd], .other("a file compressed by zstd")),
    (Array("BZh".utf8), .other("a file compressed by bzip2")),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a], .other("a file compressed by xz")),
  ]

  private static func kind(_ bytes: UnsafeRawBufferPointer) -> FileKind {
    if bytes.isEmpty { return .empty }
    if let found = beginnings.first(where: { bytes.starts(with: $0.0) }) { return found.1 }
    if bytes.count >= 4, bytes[0] == 0, bytes[1] == 0, [8, 9, 0xb, 0xc, 0xd, 0xe].contains(bytes[2]) { return .idx }
    if bytes.count > 9, bytes[8] == UInt8(ascii: "{") {
      let length = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) }
      if length > 1, length <= bytes.count - 8 { return .safetensors }
    }
    // Pickles of protocol 2 and later begin with PROTO and end with STOP.
    if bytes.count > 2, bytes[0] == 0x80, (2...5).contains(bytes[1]), bytes[bytes.count - 1] == 0x2e {
      return .other("a Python pickle")
    }
    // Text has no control characters; a character may be cut off at the end of the inspected part.
    let start = bytes.prefix(4096)
    if start.contains(where: { $0 < 0x20 && ![9, 10, 12, 13].contains($0) }) { return .unknown }
    let isCut = start.count < bytes.count
    let isUTF8 = (0..<(isCut ? 4 : 1)).contains { String(validating: start.dropLast($0), as: UTF8.self) != nil }
    return isUTF8 ? .text : .other("text that is not UTF-8, or another file without marks")
  }
}

extension FileKind: CustomStringConvertible {
  package var description: String {
    switch self {
    case .npy: "an NPY file"
    case .zip: "a zip archive, such as NPZ"
    case .gzip: "a gzip file"
    case .idx: "an IDX file"
    case .safetensors: "a safetensors file"
    case .other(let name): name
    case .text: "text, such as CSV"
    case .empty: "empty"
    case .unknown: "of a kind that is not known here"
    }
  }
}

extension FormatError {
  /// The error that a file is of another kind than the one expected.
  package static func wrongKind(_ contents: FileContents, expected: String, remedy: String) -> FormatError {
    FormatError(
      file: contents.name, offset: 0, reason: "is not \(expected): it is \(FileKind(of: contents))", remedy: remedy)
  }
}
