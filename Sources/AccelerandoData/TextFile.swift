// Text as people keep it: in files of several encodings, some of them with bytes that are no text. Where a file is not what
// it should be, the error names the byte.

import AccelerandoFormats
import Foundation

/// How the bytes of a text file are read.
public enum TextEncoding: String, CaseIterable, Hashable, Sendable {
  /// Unicode in UTF-8, with or without a byte order mark.
  case utf8 = "utf-8"
  /// ISO 8859-1: each byte is the Unicode scalar of its number.
  case latin1 = "latin-1"
}

/// Text files.
public enum TextFile {
  /// Reads a whole file.
  /// - Parameters:
  ///   - url: the file.
  ///   - encoding: how its bytes are read.
  /// - Throws: `FormatError` when it cannot be read, or has bytes that the encoding does not know.
  public static func read(_ url: URL, encoding: TextEncoding = .utf8) throws -> String {
    try read(FileContents(url), encoding: encoding)
  }

  /// Reads the contents of a file.
  /// - Parameters:
  ///   - contents: the bytes of the file.
  ///   - encoding: how its bytes are read.
  /// - Throws: `FormatError` when it has bytes that the encoding does not know.
  public static func read(_ contents: FileContents, encoding: TextEncoding = .utf8) throws -> String {
    try contents.withUnsafeBytes { try text($0[...], encoding: encoding, file: contents.name) }
  }

  /// Reads the lines of a file, without what ends them: a line feed, a carriage return or both.
  /// - Parameters:
  ///   - url: the file.
  ///   - encoding: how its bytes are read.
  /// - Throws: `FormatError` when it cannot be read, or has bytes that the encoding does not know.
  public static func lines(_ url: URL, encoding: TextEncoding = .utf8) throws -> [String] {
    try lines(FileContents(url), encoding: encoding)
  }

  /// Reads the lines of the contents of a file.
  /// - Parameters:
  ///   - contents: the bytes of the file.
  ///   - encoding: how its bytes are read.
  /// - Returns: the lines; a line end at the end of the file begins no further line.
  /// - Throws: `FormatError` when it has bytes that the encoding does not know.
  public static func lines(_ contents: FileContents, encoding: TextEncoding = .utf8) throws -> [String] {
    try contents.withUnsafeBytes { bytes in
      var lines: [String] = []
      var start = 0
      while start < bytes.count {
        var end = start
        while end < bytes.count, bytes[end] != 0x0A, bytes[end] != 0x0D { end += 1 }
        lines.append(try text(bytes[start..<end], encoding: encoding, file: contents.name))
        let isPair = end + 1 < bytes.count && bytes[end] == 0x0D && bytes[end + 1] == 0x0A
        start = end + (isPair ? 2 : 1)
      }
      return lines
    }
  }

  private static func text(
    _ part: Slice<UnsafeRawBufferPointer>, encoding: TextEncoding, file: String
  ) throws -> String {
    switch encoding {
    case .latin1:
      var text = ""
      text.unicodeScalars.append(contentsOf: part.lazy.map { Unicode.Scalar($0) })
      return text
    case .utf8:
      let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
      let body = part.startIndex == 0 && part.starts(with: mark) ? part.dropFirst(3) : part
      if let text = String(validating: UnsafeRawBufferPointer(rebasing: body), as: UTF8.self) { return text }
      let offset = firstInvalid(UnsafeRawBufferPointer(rebasing: body)) + body.startIndex
      let remedy =
        part.starts(with: [0xFF, 0xFE]) || part.starts(with: [0xFE, 0xFF])
        ? "It begins like UTF-16: convert it with 'iconv -f UTF-16 -t UTF-8'"
        : "Save it in UTF-8, or say 'encoding: latin-1'"
      throw FormatError(
        file: file, offset: offset,
        reason: "the byte \(String(part[offset], radix: 16)) (hexadecimal) is not UTF-8 text",
        remedy: remedy)
    }
  }

  /// The place of the first byte that is not part of valid UTF-8.
  private static func firstInvalid(_ bytes: UnsafeRawBufferPointer) -> Int {
    var decoder = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var place = 0
    while true {
      switch decoder.parseScalar(from: &iterator) {
      case .valid(let scalar): place += scalar.count
      case .emptyInput, .error: return min(place, max(bytes.count - 1, 0))
      }
    }
  }
}
