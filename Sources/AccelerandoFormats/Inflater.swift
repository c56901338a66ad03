// Decompression directly into the memory where the bytes are needed: the caller reads a header first, knows the size,
// and never allocates more than the compressed data could possibly hold.

import CZlib
import Foundation

/// Decompresses a part of a file, from its start to its end.
final class Inflater {
  /// The wrapper of the compressed bytes.
  enum Wrapper {
    /// gzip, of one member or several, each with its checksum.
    case gzip
    /// Raw deflate, as inside a zip file.
    case raw
  }

  /// Deflate cannot compress better than this; a header that claims more is wrong.
  static let largestRatio = 1032

  /// How much of the file is decompressed at a time; pages that are done need not stay in memory.
  private static let largestPiece = 4 << 20

  private let contents: FileContents
  private let end: Int
  private let wrapper: Wrapper
  private let stream: UnsafeMutablePointer<z_stream>
  private var isFinished = false
  /// The offset of the next byte to decompress.
  private(set) var offset: Int
  /// The number of bytes decompressed so far.
  private(set) var produced = 0

  /// - Throws: `FormatError` when zlib cannot be used.
  init(_ contents: FileContents, range: Range<Int>, wrapper: Wrapper) throws {
    self.contents = contents
    self.wrapper = wrapper
    offset = range.lowerBound
    end = range.upperBound
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard accelerando_inflate_init(stream, wrapper == .gzip ? 15 + 16 : -15) == Z_OK else {
      throw FormatError(file: contents.name, reason: "zlib cannot be used: \(message)")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  private var message: String { stream.pointee.msg.map { String(cString: $0) } ?? "it says no more" }

  /// The most bytes that can still be decompressed, and that this machine's memory holds.
  var upperBound: Int {
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let (bound, overflow) = (end - offset).multipliedReportingOverflow(by: Self.largestRatio)
    // The rest of zlib's window may be written without any further input.
    return overflow ? memory : min(bound.addingReportingOverflow(64 << 10).partialValue, memory)
  }

  /// Fills `target` with the next bytes.
  /// - Returns: their number: less than the size of `target` only at the end of the data.
  /// - Throws: `FormatError` when the data are damaged or truncated.
  func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < target.count, !isFinished { filled += try step(target, from: filled) }
    return filled
  }

  /// Checks that nothing is left: the whole input was used and its checksum is correct.
  func finish() throws {
    var extra: UInt8 = 0
    let count = try withUnsafeMutableBytes(of: &extra) { try read(into: $0) }
    guard count == 0 else {
      throw FormatError(
        file: contents.name, offset: offset, reason: "more data follow after the \(produced - count) bytes expected")
    }
    guard offset == end || wrapper == .gzip else {
      throw FormatError(file: contents.name, offset: offset, reason: "the compressed data end before their entry does")
    }
  }

  private func step(_ target: UnsafeMutableRawBufferPointer, from filled: Int) throws -> Int {
    let inputCount = min(end - offset, Self.largestPiece)
    let outputCount = min(target.count - filled, 1 << 30)
    let status = try contents.withUnsafeBytes(offset..<offset + inputCount) { input in
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: Bytef.self))
      stream.pointee.avail_in = UInt32(inputCount)
      stream.pointee.next_out = target.baseAddress.map { ($0 + filled).assumingMemoryBound(to: Bytef.self) }
      stream.pointee.avail_out = UInt32(outputCount)
      return inflate(stream, Z_NO_FLUSH)
    }
    let used = inputCount - Int(stream.pointee.avail_in)
    contents.release(offset..<offset + used)
    offset += used
    let received = outputCount - Int(stream.pointee.avail_out)
    produced += received
    switch status {
    case Z_OK: break
    case Z_STREAM_END: try endMember()
    case Z_BUF_ERROR where offset == end:
      throw FormatError(
        file: contents.name, offset: offset, reason: "the compressed data stop in the middle",
        remedy: "The file is truncated; get it again")
    case Z_MEM_ERROR: throw FormatError(file: contents.name, reason: "there is no memory left to decompress it")
    default:
      throw FormatError(
        file: contents.name, offset: offset, reason: "the compressed data are damaged: \(message)",
        remedy: "Get the file again")
    }
    return received
  }

  /// A gzip file may hold several members one after another, and may be padded with zeros.
  private func endMember() throws {
    guard wrapper == .gzip, offset < end else {
      isFinished = true
      return
    }
    let isPadding = try contents.withUnsafeBytes(offset..<end) { $0.allSatisfy { $0 == 0 } }
    if isPadding {
      isFinished = true
    } else if inflateReset(stream) != Z_OK {
      throw FormatError(file: contents.name, offset: offset, reason: "zlib cannot go on: \(message)")
    }
  }
}
