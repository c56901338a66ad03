// The format of weights: named tensors after a JSON header. It cannot contain code and can be mapped.

import AccelerandoCore
import Foundation

/// Safetensors files.
public enum Safetensors {
  /// The longest header, as in the format's reference implementation.
  static let longestHeader = 100_000_000

  /// Reads the tensors, in the order in which they lie in the file, and the metadata.
  ///
  /// The tensors of a large file borrow a mapping of it.
  /// - Throws: `FormatError` when the file cannot be read, is damaged or truncated, or holds elements that no `DType`
  ///   stands for.
  public static func read(_ url: URL) throws -> (tensors: [(name: String, value: NDArray)], metadata: [String: String])
  {
    try read(FileContents(url))
  }

  /// Reads a file that is already open.
  public static func read(
    _ contents: FileContents
  ) throws -> (tensors: [(name: String, value: NDArray)], metadata: [String: String]) {
    var reader = ByteReader(contents)
    let length = try reader.littleEndian(UInt64.self, of: "the length of the header")
    guard length <= Self.longestHeader, Int(length) <= contents.count - 8 else {
      let kind = FileKind(of: contents)
      guard kind == .unknown || kind == .safetensors else {
        throw FormatError.wrongKind(contents, expected: "a safetensors file", remedy: "Check that it is the right file")
      }
      throw reader.error(
        "the header should be \(length) bytes long; the file has \(contents.count - 8) after its length", at: 0,
        remedy: "It is no safetensors file, or truncated")
    }
    let header: JSON
    do {
      header = try JSON(parsing: try reader.bytes(Int(length), of: "the header"))
    } catch let error as JSONError {
      throw reader.error(
        "the header is not the JSON expected: \(error.message)", at: 8 + error.offset, remedy: "The file is damaged")
    }
    let dataStart = reader.offset
    guard case .object(let entries) = header.value else {
      throw reader.error("the header is not the JSON expected: it is no object", at: 8, remedy: "The file is damaged")
    }
    var tensors: [Tensor] = []
    var metadata: [String: String] = [:]
    for entry in entries {
      if entry.key == metadataKey {
        metadata = try texts(entry.value, reader)
      } else {
        tensors.append(try tensor(entry.key, entry.value, reader))
      }
    }
    tensors.sort { first, second in
      (first.range.lowerBound, first.range.upperBound, first.name)
        < (second.range.lowerBound, second.range.upperBound, second.name)
    }
    var next = 0
    for tensor in tensors {
      guard tensor.range.lowerBound == next else {
        throw reader.error(
          "tensor '\(tensor.name)' begins at byte \(tensor.range.lowerBound) of the data; expected \(next)",
          at: dataStart + next, remedy: "Tensors may neither overlap nor leave gaps; the file is damaged")
      }
      next = tensor.range.upperBound
    }
    guard next == contents.count - dataStart else {
      throw reader.error(
        "the tensors take \(next) bytes; the file has \(contents.count - dataStart) for them", at: dataStart,
        remedy: "The file is truncated or damaged; get it again")
    }
    return (
      try tensors.map { ($0.name, try $0.element.array(contents, at: dataStart + $0.range.lowerBound, $0.shape)) },
      metadata
    )
  }

  /// Writes tensors, atomically: an earlier file survives any failure. The same tensors and metadata give the same
  /// bytes.
  ///
  /// Tensors of wider elements are written first, so that each one is aligned; apart from that the order is kept.
  /// - Parameters:
  ///   - tensors: the tensors with their names.
  ///   - metadata: texts by name, for the header.
  ///   - url: the file.
  ///   - digest: is given all bytes of the file on their way to it.
  /// - Throws: `FormatError` when a name is used twice or the file cannot be written.
  public static func write(
    _ tensors: [(name: String, value: NDArray)], metadata: [String: String] = [:], to url: URL,
    digest: SHA256Digest? = nil
  ) throws {
    var seen: Set<ExactName> = [ExactName(metadataKey)]
    for (name, _) in tensors {
      guard seen.insert(ExactName(name)).inserted else {
        throw FormatError(
          file: url.path, reason: "cannot hold two entries named '\(name)'",
          remedy: "Give each tensor a name of its own")
      }
    }
    let widths = Set(tensors.map(\.value.dtype.byteCount)).sorted(by: >)
    let ordered = widths.flatMap { width in tensors.filter { $0.value.dtype.byteCount == width } }
    var entries: [(String, JSON)] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSON(.string($0.value))) }
      entries.append((metadataKey, JSON(texts)))
    }
    func integers(_ values: [Int]) -> JSON { JSON(.array(values.map { JSON(.int($0)) })) }
    var offset = 0
    for (name, value) in ordered {
      let (end, overflow) = offset.addingReportingOverflow(value.byteCount)
      guard !overflow else { throw FormatError(file: url.path, reason: "the tensors are larger than any file") }
      let fields = [
        ("dtype", JSON(.string(SafetensorsElement.code(of: value.dtype)))), ("shape", integers(value.shape)),
        ("data_offsets", integers([offset, end])),
      ]
      entries.append((name, JSON(fields)))
      offset = end
    }
    var header = Array(JSON(entries).text(.compact).utf8)
    // Spaces up to a multiple of 64 let a mapping of the file be used as it is by any SIMD load.
    header += [UInt8](repeating: 0x20, count: (64 - (8 + header.count) % 64) % 64)
    guard header.count <= longestHeader else {
      throw FormatError(file: url.path, reason: "the names and metadata are longer than the format allows")
    }
    try AtomicFile.write(to: url, digest: digest) { file in
      try file.write((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header)
      for (_, value) in ordered { try value.withUnsafeBytes { try file.write($0) } }
    }
  }

  private static let metadataKey = "__metadata__"

  /// A tensor that the header describes.
  private struct Tensor {
    let name: String
    let element: SafetensorsElement
    let shape: [Int]
    let range: Range<Int>
  }

  /// The metadata, texts by name; null stands for none.
  private static func texts(_ json: JSON, _ reader: ByteReader) throws -> [String: String] {
    if case .null = json.value { return [:] }
    guard case .object(let members) = json.value else {
      throw reader.error("the header is not the JSON expected: \(metadataKey) is no object", at: 8)
    }
    var result: [String: String] = [:]
    for member in members {
      guard case .string(let text) = member.value.value else {
        throw reader.error(
          "the header is not the JSON expected: '\(member.key)' of \(metadataKey) is no text", at: 8)
      }
      result[member.key] = text
    }
    return result
  }

  private static func tensor(_ name: String, _ json: JSON, _ reader: ByteReader) throws -> Tensor {
    guard case .object(let members) = json.value else {
      throw reader.error("the header is not the JSON expected: tensor '\(name)' is no object", at: 8)
    }
    func field(_ key: String) throws -> JSON.Value {
      guard let member = members.first(where: { $0.key == key }) else {
        throw reader.error("the header is not the JSON expected: tensor '\(name)' has no '\(key)'", at: 8)
      }
      return member.value.value
    }
    func integers(_ key: String) throws -> [Int] {
      guard case .array(let values) = try field(key) else {
        throw reader.error("the header is not the JSON expected: '\(key)' of tensor '\(name)' is no list", at: 8)
      }
      return try values.map { value in
        guard case .int(let number) = value.value else {
          throw reader.error(
            "the header is not the JSON expected: '\(key)' of tensor '\(name)' needs whole numbers that are written as "
              + "such; received \(value.text())", at: 8)
        }
        return number
      }
    }
    guard case .string(let code) = try field("dtype") else {
      throw reader.error("the header is not the JSON expected: 'dtype' of tensor '\(name)' is no text", at: 8)
    }
    guard let element = SafetensorsElement(code) else {
      throw reader.error(
        "tensor '\(name)' has elements of type \(code), which are not read", at: 8,
        remedy: "Convert it to one of \(SafetensorsElement.codes.joined(separator: ", "))")
    }
    let (shape, offsets) = (try integers("shape"), try integers("data_offsets"))
    guard let byteCount = shape.checkedByteCount(width: element.width) else {
      throw reader.error("tensor '\(name)' has the impossible shape \(shape)", at: 8)
    }
    let size = reader.contents.count - reader.offset
    guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= size else {
      throw reader.error("tensor '\(name)' lies at \(offsets) of the data, which are \(size) bytes long", at: 8)
    }
    guard offsets[1] - offsets[0] == byteCount else {
      throw reader.error(
        "tensor '\(name)' of shape \(shape) and type \(code) needs \(byteCount) bytes, not \(offsets[1] - offsets[0])",
        at: 8)
    }
    return Tensor(name: name, element: element, shape: shape, range: offsets[0]..<offsets[1])
  }
}
