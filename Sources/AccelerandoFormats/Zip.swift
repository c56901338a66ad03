// The parts of zip that NPZ needs: a directory at the end of the file, stored or deflated entries, sizes beyond 4 GiB.

import CZlib
import Foundation

/// An entry of a zip file, as its directory describes it.
struct ZipEntry {
  let name: String
  let method: UInt16
  let isEncrypted: Bool
  let checksum: UInt32
  let compressedSize: Int
  let size: Int
  /// The offset of the entry's own header.
  let headerOffset: Int
  /// The offset of its directory entry.
  let directoryOffset: Int
}

/// A zip file to read. Only its directory is read until an entry is needed.
struct ZipArchive {
  let contents: FileContents
  /// Its index in the directory.
  let entries: [ZipEntry]

  private static let endLength = 22
  private static let remedy = "The file is no zip file, truncated or damaged; get it again"

  init(_ contents: FileContents) throws {
    self.contents = contents
    let end = try Self.findEnd(contents)
    var reader = ByteReader(contents, at: end + 8)
    _ = try reader.littleEndian(UInt16.self, of: "the directory's end")
    var count = UInt64(try reader.littleEndian(UInt16.self, of: "the number of entries"))
    var size = UInt64(try reader.littleEndian(UInt32.self, of: "the directory's size"))
    var start = UInt64(try reader.littleEndian(UInt32.self, of: "the directory's place"))
    var directoryEnd = end
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
      (count, size, start, directoryEnd) = try Self.readLargeEnd(contents, before: end)
    }
    guard start <= UInt64(directoryEnd), size <= UInt64(directoryEnd) - start else {
      throw reader.error("the directory should lie at byte \(start), \(size) bytes long", at: end, remedy: Self.remedy)
    }
    // If something precedes the archive, all offsets count from the archive's beginning.
    let shift = directoryEnd - Int(size) - Int(start)
    var directory = ByteReader(contents, at: shift + Int(start))
    var entries: [ZipEntry] = []
    while directory.offset < directoryEnd { entries.append(try Self.readEntry(&directory, shift: shift)) }
    guard UInt64(entries.count) == count, directory.offset == directoryEnd else {
      throw reader.error(
        "the directory should have \(count) entries; found \(entries.count)", at: shift + Int(start),
        remedy: Self.remedy)
    }
    self.entries = entries
    try checkOverlaps(directoryStart: shift + Int(start))
  }

  /// Entries may not share bytes: a small file could stand for any amount of data.
  private func checkOverlaps(directoryStart: Int) throws {
    var last: (entry: ZipEntry, end: Int)?
    for entry in entries.sorted(by: { $0.headerOffset < $1.headerOffset }) {
      if let last, entry.headerOffset < last.end {
        throw FormatError(
          file: contents.name, offset: entry.headerOffset,
          reason: "the entries '\(last.entry.name)' and '\(entry.name)' overlap", remedy: Self.remedy)
      }
      let end = entry.headerOffset + headerLength(of: entry) + entry.compressedSize
      guard end <= directoryStart else {
        throw FormatError(
          file: contents.name, offset: entry.directoryOffset,
          reason: "the entry '\(entry.name)' reaches into the directory", remedy: Self.remedy)
      }
      last = (entry, end)
    }
  }

  /// The length of an entry's own header, which says how long its name and its extra field are.
  private func headerLength(of entry: ZipEntry) -> Int {
    contents.withUnsafeBytes { bytes in
      let place = entry.headerOffset
      guard place + 30 <= bytes.count else { return 30 }
      return 30 + [26, 28].reduce(0) { $0 + Int(bytes[place + $1]) + Int(bytes[place + $1 + 1]) << 8 }
    }
  }

  /// The end record stands before a comment of any length, so it is looked for from the end; where no comment fits
  /// exactly, bytes may have been appended to the file.
  private static func findEnd(_ contents: FileContents) throws -> Int {
    let found = contents.withUnsafeBytes { bytes -> Int? in
      guard bytes.count >= endLength else { return nil }
      let last = bytes.count - endLength
      let records = stride(from: last, through: Swift.max(0, last - 0xffff), by: -1).filter { start in
        bytes[start] == 0x50 && bytes[start + 1] == 0x4b && bytes[start + 2] == 5 && bytes[start + 3] == 6
      }
      func commentEnd(_ start: Int) -> Int { start + Int(bytes[start + 20]) + Int(bytes[start + 21]) << 8 }
      return records.first { commentEnd($0) == last } ?? records.first { commentEnd($0) < last }
    }
    guard let found else {
      guard FileKind(of: contents) == .zip else {
        throw FormatError.wrongKind(contents, expected: "a zip archive", remedy: "Save arrays with numpy.savez")
      }
      throw FormatError(
        file: contents.name, offset: contents.count, reason: "there is no directory at the end of the file",
        remedy: remedy)
    }
    return found
  }

  private static func readLargeEnd(
    _ contents: FileContents, before end: Int
  ) throws -> (count: UInt64, size: UInt64, start: UInt64, end: Int) {
    var locator = ByteReader(contents, at: end - 20)
    guard end >= 20, try locator.littleEndian(UInt32.self, of: "the large directory's place") == 0x0706_4b50 else {
      throw locator.error("the place of the large directory is missing", at: max(end - 20, 0), remedy: remedy)
    }
    try locator.skip(4, of: "the large directory's place")
    let place = try locator.littleEndian(UInt64.self, of: "the large directory's place")
    guard place <= UInt64(end) else {
      throw locator.error("the large directory should end at byte \(place)", remedy: remedy)
    }
    var record = ByteReader(contents, at: Int(place))
    guard try record.littleEndian(UInt32.self, of: "the large directory's end") == 0x0606_4b50 else {
      throw record.error("the large directory's end is not here", at: Int(place), remedy: remedy)
    }
    try record.skip(28, of: "the large directory's end")
    return (
      try record.littleEndian(UInt64.self, of: "the number of entries"),
      try record.littleEndian(UInt64.self, of: "the directory's size"),
      try record.littleEndian(UInt64.self, of: "the directory's place"), Int(place)
    )
  }

  private static func readEntry(_ reader: inout ByteReader, shift: Int) throws -> ZipEntry {
    let start = reader.offset
    guard try reader.littleEndian(UInt32.self, of: "a directory entry") == 0x0201_4b50 else {
      throw reader.error("a directory entry does not begin as it should", at: start, remedy: remedy)
    }
    try reader.skip(4, of: "a directory entry")
    let flags = try reader.littleEndian(UInt16.self, of: "a directory entry")
    let method = try reader.littleEndian(UInt16.self, of: "a directory entry")
    try reader.skip(4, of: "a directory entry")
    let checksum = try reader.littleEndian(UInt32.self, of: "a checksum")
    var sizes: [UInt64] = []
    for _ in 0..<2 { sizes.append(UInt64(try reader.littleEndian(UInt32.self, of: "an entry's size"))) }
    let lengths = try (0..<3).map { _ in Int(try reader.littleEndian(UInt16.self, of: "a directory entry")) }
    try reader.skip(8, of: "a directory entry")
    // Compressed size, size and place, in this order.
    sizes.append(UInt64(try reader.littleEndian(UInt32.self, of: "an entry's place")))
    let name = String(decoding: try reader.bytes(lengths[0], of: "an entry's name"), as: UTF8.self)
    let extra = ByteReader(contentsOf: try reader.bytes(lengths[1], of: "an entry's extra field"), as: reader)
    try readLargeSizes(extra, into: &sizes)
    try reader.skip(lengths[2], of: "an entry's comment")
    guard sizes.allSatisfy({ $0 <= UInt64(Int.max) / 4 }) else {
      throw reader.error("the entry '\(name)' has an impossible size or place", at: start, remedy: remedy)
    }
    return ZipEntry(
      name: name, method: method, isEncrypted: flags & 1 != 0, checksum: checksum, compressedSize: Int(sizes[0]),
      size: Int(sizes[1]), headerOffset: Int(sizes[2]) + shift, directoryOffset: start)
  }

  /// Sizes that did not fit into 32 bits stand in an extra field, only those that did not, uncompressed size first.
  private static func readLargeSizes(_ extra: ByteReader, into sizes: inout [UInt64]) throws {
    var extra = extra
    while extra.contents.count - extra.offset >= 4 {
      let kind = try extra.littleEndian(UInt16.self, of: "an extra field")
      let length = Int(try extra.littleEndian(UInt16.self, of: "an extra field"))
      guard kind == 1 else {
        try extra.skip(length, of: "an extra field")
        continue
      }
      for index in [1, 0, 2] where sizes[index] == 0xffff_ffff {
        sizes[index] = try extra.littleEndian(UInt64.self, of: "a large size")
      }
      return
    }
  }

  /// The bytes of an entry, as if it were a file of its own. Stored ones are not copied.
  func read(_ entry: ZipEntry) throws -> FileContents {
    let name = "\(contents.name) › \(entry.name)"
    var reader = ByteReader(contents, at: entry.headerOffset)
    guard !entry.isEncrypted else {
      throw reader.error(
        "the entry '\(entry.name)' is encrypted", at: entry.directoryOffset, remedy: "Save it without a password")
    }
    guard try reader.littleEndian(UInt32.self, of: "the header of '\(entry.name)'") == 0x0403_4b50 else {
      throw reader.error("the header of '\(entry.name)' is not here", at: entry.headerOffset, remedy: Self.remedy)
    }
    try reader.skip(22, of: "the header of '\(entry.name)'")
    let nameLength = Int(try reader.littleEndian(UInt16.self, of: "the header of '\(entry.name)'"))
    let extraLength = Int(try reader.littleEndian(UInt16.self, of: "the header of '\(entry.name)'"))
    try reader.skip(nameLength + extraLength, of: "the header of '\(entry.name)'")
    let start = reader.offset
    try reader.skip(entry.compressedSize, of: "the entry '\(entry.name)'")
    let range = start..<reader.offset
    let result: FileContents
    switch entry.method {
    case 0:
      guard entry.size == entry.compressedSize else {
        throw reader.error(
          "the entry '\(entry.name)' is stored as it is, but has two sizes, \(entry.size) and \(entry.compressedSize)",
          at: entry.directoryOffset, remedy: Self.remedy)
      }
      result = try FileContents(part: range, of: contents, name: name)
    case 8:
      let inflater = try Inflater(contents, range: range, wrapper: .raw)
      guard entry.size <= inflater.upperBound else {
        throw reader.error(
          "the entry '\(entry.name)' should decompress to \(entry.size) bytes, more than its data or this machine's memory can hold",
          at: entry.directoryOffset, remedy: Self.remedy)
      }
      result = try FileContents(name: name, count: entry.size) { target in
        let received = try inflater.read(into: target)
        guard received == target.count else {
          throw reader.error(
            "the entry '\(entry.name)' should decompress to \(entry.size) bytes; it has \(received)", at: start,
            remedy: Self.remedy)
        }
        try inflater.finish()
      }
    default:
      throw reader.error(
        "the entry '\(entry.name)' is compressed by method \(entry.method), which is not read",
        at: entry.directoryOffset, remedy: "Save it stored or deflated, as numpy.savez and savez_compressed do")
    }
    let checksum = result.withUnsafeBytes { Zip.checksum($0) }
    guard checksum == entry.checksum else {
      throw reader.error(
        "the entry '\(entry.name)' has the checksum \(String(checksum, radix: 16)), not "
          + String(entry.checksum, radix: 16), at: start, remedy: Self.remedy)
    }
    return result
  }
}

extension ByteReader {
  /// A cursor over bytes taken from a file.
  fileprivate init(contentsOf bytes: [UInt8], as whole: ByteReader) {
    self.init(FileContents(bytes, name: whole.contents.name))
  }
}

/// What reading and writing share.
enum Zip {
  /// The CRC-32 of bytes.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var checksum = crc32(0, nil, 0)
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      checksum = crc32(checksum, piece.baseAddress?.assumingMemoryBound(to: Bytef.self), UInt32(piece.count))
      rest = rest.dropFirst(piece.count)
    }
    return UInt32(truncatingIfNeeded: checksum)
  }
}

/// A zip file that is written, entry by entry. The same entries give the same bytes: every entry is dated 1980.
struct ZipWriter {
  private let file: AtomicFile
  private let name: String
  private var directory: [UInt8] = []
  private var count = 0
  private var offset = 0

  init(_ file: AtomicFile, name: String) {
    self.file = file
    self.name = name
  }

  /// Appends an entry.
  /// - Throws: `FormatError` when the file cannot be written or outgrows what a plain zip file can describe.
  mutating func add(_ entryName: String, _ bytes: [UInt8], compressed: Bool) throws {
    let data = compressed ? try bytes.withUnsafeBytes { try deflated($0, level: 6, windowBits: -15) } : bytes
    let nameBytes = Array(entryName.utf8)
    let headerLength = 30 + nameBytes.count
    guard nameBytes.count <= 0xffff, count < 0xfffe, max(bytes.count, offset + headerLength + data.count) < 0xffff_ffff
    else {
      throw FormatError(
        file: name, reason: "is too large for a zip file: 4 GiB, 65,534 entries and names of 65,535 bytes are the most",
        remedy: "Write safetensors instead")
    }
    // Version 2.0, UTF-8 names, the method, midnight of 1980-01-01, checksum, sizes, lengths of name and extra field.
    var common: [UInt8] = [20, 0, 0, 8, compressed ? 8 : 0, 0, 0, 0, 0x21, 0]
    common += littleEndian(bytes.withUnsafeBytes { Zip.checksum($0) })
    common += littleEndian(UInt32(data.count)) + littleEndian(UInt32(bytes.count))
    common += littleEndian(UInt16(nameBytes.count)) + [0, 0]
    try file.write([0x50, 0x4b, 3, 4] + common + nameBytes)
    try file.write(data)
    directory += [0x50, 0x4b, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10)
    directory += littleEndian(UInt32(offset)) + nameBytes
    offset += headerLength + data.count
    count += 1
  }

  /// Writes the directory, which completes the file.
  mutating func finish() throws {
    guard directory.count < 0xffff_ffff else {
      throw FormatError(file: name, reason: "has more names than a zip file can hold")
    }
    try file.write(directory)
    try file.write(
      [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + littleEndian(UInt16(count)) + littleEndian(UInt16(count))
        + littleEndian(UInt32(directory.count)) + littleEndian(UInt32(offset)) + [0, 0])
  }

  private func littleEndian<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
