// Compression for the files that we write, and the gzip format.

import CZlib
import Foundation

/// gzip files.
public enum Gzip {
  /// Whether the bytes begin with gzip's magic number.
  static func isGzip(_ contents: FileContents) -> Bool {
    contents.withUnsafeBytes { $0.count >= 2 && $0[0] == 0x1f && $0[1] == 0x8b }
  }

  /// All the bytes that a gzip file decompresses to.
  /// - Parameters:
  ///   - contents: the gzip file.
  ///   - limit: the most bytes to accept; a small file can decompress to a thousand times its size.
  /// - Throws: `FormatError` when the file is not a gzip file, is damaged or truncated, or holds more than `limit`
  ///   bytes.
  public static func decompress(_ contents: FileContents, limit: Int = 1 << 32) throws -> [UInt8] {
    guard isGzip(contents) else {
      throw FormatError(file: contents.name, offset: 0, reason: "is not a gzip file: it does not begin with 1f 8b")
    }
    let inflater = try Inflater(contents, range: 0..<contents.count, wrapper: .gzip)
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = try chunk.withUnsafeMutableBytes { try inflater.read(into: $0) }
      guard result.count + count <= limit else {
        throw FormatError(
          file: contents.name, offset: inflater.offset, reason: "decompresses to more than the \(limit) bytes allowed")
      }
      result.append(contentsOf: chunk[..<count])
      if count < chunk.count { return result }
    }
  }

  /// The bytes as a gzip file; the same bytes give the same file.
  /// - Parameters:
  ///   - bytes: the bytes to compress.
  ///   - level: 1, fastest, to 9, smallest.
  public static func compress(_ bytes: UnsafeRawBufferPointer, level: Int = 6) throws -> [UInt8] {
    try deflated(bytes, level: level, windowBits: 15 + 16)
  }
}

/// Compresses bytes with zlib.
func deflated(_ bytes: UnsafeRawBufferPointer, level: Int, windowBits: Int32) throws -> [UInt8] {
  let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  stream.initialize(to: z_stream())
  defer { stream.deallocate() }
  guard accelerando_deflate_init(stream, Int32(max(1, min(level, 9))), windowBits) == Z_OK else {
    throw FormatError(file: "zlib", reason: "cannot be used to compress")
  }
  defer { deflateEnd(stream) }
  var result: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 18)
  var rest = bytes[...]
  while true {
    let input = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
    let isLast = input.count == rest.count
    stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: Bytef.self))
    stream.pointee.avail_in = UInt32(input.count)
    var status = Z_OK
    repeat {
      status = chunk.withUnsafeMutableBytes { output in
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
        stream.pointee.avail_out = UInt32(output.count)
        return deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
      }
      result.append(contentsOf: chunk[..<(chunk.count - Int(stream.pointee.avail_out))])
    } while stream.pointee.avail_out == 0 && status == Z_OK
    rest = rest.dropFirst(input.count)
    if status == Z_STREAM_END { return result }
    guard status == Z_OK || status == Z_BUF_ERROR, !isLast else {
      throw FormatError(file: "zlib", reason: "cannot compress: status \(status)")
    }
  }
}
