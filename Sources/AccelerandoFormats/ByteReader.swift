// Headers are read through this cursor only, so that no reader can leave its file or trap on what it contains.

import Foundation

/// A cursor over the bytes of a file that checks every step.
struct ByteReader {
  let contents: FileContents
  /// The byte that is read next.
  private(set) var offset: Int

  init(_ contents: FileContents, at offset: Int = 0) {
    self.contents = contents
    self.offset = offset
  }

  /// An error at the cursor, or at `offset`.
  func error(_ reason: String, at offset: Int? = nil, remedy: String? = nil) -> FormatError {
    FormatError(file: contents.name, offset: offset ?? self.offset, reason: reason, remedy: remedy)
  }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int, of what: String) throws -> [UInt8] {
    guard count >= 0, offset >= 0, offset <= contents.count, count <= contents.count - offset else {
      throw error(
        "\(what) needs \(count) bytes; the file has \(max(contents.count - offset, 0)) left",
        remedy: "The file is truncated or damaged; get it again")
    }
    defer { offset += count }
    return try contents.withUnsafeBytes(offset..<offset + count) { Array($0) }
  }

  /// The next integer, least significant byte first.
  mutating func littleEndian<Integer: FixedWidthInteger & UnsignedInteger>(
    _: Integer.Type, of what: String
  ) throws -> Integer {
    try bytes(Integer.bitWidth / 8, of: what).reversed().reduce(0) { $0 << 8 | Integer($1) }
  }

  /// The next integer, most significant byte first.
  mutating func bigEndian<Integer: FixedWidthInteger & UnsignedInteger>(
    _: Integer.Type, of what: String
  ) throws -> Integer {
    try bytes(Integer.bitWidth / 8, of: what).reduce(0) { $0 << 8 | Integer($1) }
  }

  /// Skips `count` bytes.
  mutating func skip(_ count: Int, of what: String) throws {
    guard count >= 0, offset <= contents.count, count <= contents.count - offset else {
      throw error("\(what) runs past the end of the file", remedy: "The file is truncated or damaged; get it again")
    }
    offset += count
  }
}

extension [Int] {
  /// The bytes of a tensor of this shape with `width` bytes per element, or nil if that overflows or a size is
  /// negative. Sizes next to a zero are checked all the same: they came from a file.
  func checkedByteCount(width: Int) -> Int? {
    var total = width
    for size in self {
      guard size >= 0 else { return nil }
      let (product, overflow) = total.multipliedReportingOverflow(by: Swift.max(size, 1))
      if overflow { return nil }
      total = product
    }
    return contains(0) ? 0 : total
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Reverses the bytes of each element `width` bytes wide: big-endian to little-endian and back.
  func reverseBytes(ofWidth width: Int) {
    guard width > 1 else { return }
    for start in stride(from: 0, to: count - count % width, by: width) {
      for step in 0..<width / 2 { swapAt(start + step, start + width - 1 - step) }
    }
  }
}
