// The format of MNIST and similar datasets: a magic number for type and rank, the sizes, and the elements, all
// big-endian, and usually gzipped.

import AccelerandoCore
import Foundation

/// IDX files, plain or gzipped, which is detected by the file's first bytes, not by its name.
public enum IDX {
  /// Reads a file. A plain one of bytes is mapped, not read.
  /// 16-bit integers become `int32`, which holds all of them.
  /// - Throws: `FormatError` when the file cannot be read, is no IDX file, is truncated or is longer than it says.
  public static func read(_ url: URL) throws -> NDArray { try read(FileContents(url)) }

  /// Reads a file that is already open.
  public static func read(_ contents: FileContents) throws -> NDArray {
    if Gzip.isGzip(contents) { return try readCompressed(contents) }
    guard FileKind(of: contents) == .idx else {
      throw FormatError.wrongKind(
        contents, expected: "an IDX file", remedy: "IDX files are those of MNIST; save other arrays with numpy.save")
    }
    var reader = ByteReader(contents)
    let magic = try reader.bytes(4, of: "an IDX header")
    let header = try Header(magic) { count in
      try reader.bytes(count, of: "the sizes")
    } failure: { reason, offset, remedy in
      FormatError(file: contents.name, offset: offset, reason: reason, remedy: remedy)
    }
    let size = contents.count - header.byteCount
    guard size == header.payload else {
      throw reader.error(
        "\(header.shape) elements of \(header.element.width) bytes need \(header.payload) bytes; the file has \(size)",
        remedy: size < header.payload ? "The file is truncated; get it again" : "The file is damaged; get it again")
    }
    let stored = TensorType(header.element.stored, header.storedShape)
    return try header.finish(contents.array(at: header.byteCount, type: stored))
  }

  private static func readCompressed(_ contents: FileContents) throws -> NDArray {
    let inflater = try Inflater(contents, range: 0..<contents.count, wrapper: .gzip)
    func next(_ count: Int) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      let received = try bytes.withUnsafeMutableBytes { try inflater.read(into: $0) }
      guard received == count else {
        throw FormatError(
          file: contents.name, offset: inflater.produced,
          reason: "an IDX header needs \(count) bytes more; the decompressed data end after \(received)")
      }
      return bytes
    }
    let header = try Header(next(4), more: next) { reason, offset, remedy in
      FormatError(file: contents.name, offset: offset, reason: reason, remedy: remedy)
    }
    guard header.payload <= inflater.upperBound else {
      throw FormatError(
        file: contents.name, offset: 4,
        reason:
          "\(header.shape) elements need \(header.payload) bytes, more than the compressed data or memory can hold",
        remedy: "The file is truncated or damaged; get it again")
    }
    var array = NDArray(zeros: TensorType(header.element.stored, header.storedShape))
    let received = try array.withUnsafeMutableBytes { try inflater.read(into: $0) }
    guard received == header.payload else {
      throw FormatError(
        file: contents.name, offset: header.byteCount + received,
        reason: "\(header.shape) elements need \(header.payload) bytes; the decompressed data have \(received)",
        remedy: "The file is truncated or damaged; get it again")
    }
    try inflater.finish()
    return try header.finish(array)
  }

  /// Writes a file, atomically.
  /// - Parameters:
  ///   - array: the array to write.
  ///   - url: the file to write.
  ///   - compressed: whether to gzip it; then it cannot be mapped.
  /// - Throws: `FormatError` when IDX does not support the element type or the file cannot be written.
  public static func write(_ array: NDArray, to url: URL, compressed: Bool = false) throws {
    let (header, body) = try encoded(array, name: url.path)
    try AtomicFile.write(to: url) { file in
      if compressed {
        let whole = body.withUnsafeBytes { header + $0 }
        try file.write(whole.withUnsafeBytes { try Gzip.compress($0) })
      } else {
        try file.write(header)
        try body.withUnsafeBytes { try file.write($0) }
      }
    }
  }

  /// The SHA-256 of the plain file with the array, however the original file was compressed.
  /// - Throws: `FormatError` when IDX does not support the element type.
  public static func sha256(of array: NDArray) throws -> String {
    let (header, body) = try encoded(array, name: "IDX")
    let digest = try SHA256Digest()
    try header.withUnsafeBytes { try digest.update($0) }
    try body.withUnsafeBytes { try digest.update($0) }
    return try digest.finish()
  }

  /// The header, and the elements with their bytes in the file's order.
  private static func encoded(_ array: NDArray, name: String) throws -> (header: [UInt8], body: NDArray) {
    guard let element = Element.all.first(where: { $0.stored == array.dtype && $0.result == array.dtype }) else {
      throw FormatError(
        file: name, reason: "IDX holds no \(array.dtype.rawValue) elements",
        remedy: "Convert to uint8, int8, int32, float32 or float64, or write NPY")
    }
    guard array.shape.count <= 255, array.shape.allSatisfy({ $0 <= Int(UInt32.max) }) else {
      throw FormatError(file: name, reason: "IDX cannot say the shape \(array.shape)")
    }
    var header: [UInt8] = [0, 0, element.code, UInt8(array.shape.count)]
    for size in array.shape { for shift in [24, 16, 8, 0] { header.append(UInt8(truncatingIfNeeded: size >> shift)) } }
    guard element.width > 1 else { return (header, array) }
    var body = array
    body.withUnsafeMutableBytes { $0.reverseBytes(ofWidth: element.width) }
    return (header, body)
  }
}

/// An element type of IDX.
private struct Element {
  let code: UInt8
  let width: Int
  /// The type whose memory the file's bytes are read into.
  let stored: DType
  /// The type that the reader gets.
  let result: DType

  static let all = [
    Element(code: 0x08, width: 1, stored: .uint8, result: .uint8),
    Element(code: 0x09, width: 1, stored: .int8, result: .int8),
    Element(code: 0x0b, width: 2, stored: .uint8, result: .int32),
    Element(code: 0x0c, width: 4, stored: .int32, result: .int32),
    Element(code: 0x0d, width: 4, stored: .float32, result: .float32),
    Element(code: 0x0e, width: 8, stored: .float64, result: .float64),
  ]
}

private struct Header {
  let element: Element
  let shape: [Int]
  let payload: Int
  var byteCount: Int { 4 + 4 * shape.count }
  /// 16-bit elements have no type of ours, so their bytes are read as bytes.
  var storedShape: [Int] { element.width == element.stored.byteCount ? shape : [payload] }

  init(
    _ magic: [UInt8], more: (Int) throws -> [UInt8], failure: (String, Int, String?) -> FormatError
  ) throws {
    guard magic[0] == 0, magic[1] == 0, let element = Element.all.first(where: { $0.code == magic[2] }) else {
      let found = magic.map { String($0, radix: 16) }.joined(separator: " ")
      throw failure(
        "is not an IDX file: it should begin with 0 0, a type (8, 9, b, c, d, e) and the rank; found \(found)", 0,
        "Check that it is the right file")
    }
    let bytes = try more(4 * Int(magic[3]))
    let sizes = stride(from: 0, to: bytes.count, by: 4).map { start in
      bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    guard let payload = sizes.checkedByteCount(width: element.width) else {
      throw failure("the shape \(sizes) overflows", 4, "The file is damaged; get it again")
    }
    self.element = element
    self.payload = payload
    shape = sizes
  }

  /// Turns the stored bytes into the elements.
  func finish(_ array: NDArray) throws -> NDArray {
    guard element.width > 1 else { return array }
    var result = array
    result.withUnsafeMutableBytes { $0.reverseBytes(ofWidth: element.width) }
    return element.stored == element.result ? result : try result.widened(isSigned: true).reshaped(shape)
  }
}

extension NDArray {
  /// The 16-bit little-endian integers in a vector of bytes, as a vector of `int32`, which holds all of them.
  func widened(isSigned: Bool) -> NDArray {
    withUnsafeBytes { bytes in
      NDArray(
        (0..<bytes.count / 2).map { index -> Int32 in
          let bits = UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8
          return isSigned ? Int32(Int16(bitPattern: bits)) : Int32(bits)
        })
    }
  }
}
