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
      throw reader.error(
        "the header should be \(length) bytes long; the file has \(contents.count - 8) after its length", at: 0,
        remedy: "It is no safetensors file, or truncated")
    }
    let header = try reader.bytes(Int(length), of: "the header")
    let dataStart = reader.offset
    let entries: [String: Entry]
    do {
      entries = try JSONDecoder().decode([String: Entry].self, from: Data(header))
    } catch {
      throw reader.error("the header is not the JSON expected: \(explain(error))", at: 8, remedy: "The file is damaged")
    }
    var tensors: [(name: String, type: TensorType, range: Range<Int>)] = []
    var metadata: [String: String] = [:]
    for (name, entry) in entries {
      switch entry {
      case .metadata(let values) where name == "__metadata__": metadata = values
      case .tensor(let dtype, let shape, let offsets) where name != "__metadata__":
        tensors.append(try checked(name, dtype, shape, offsets, reader))
      default: throw reader.error("the header's entry '\(name)' is not what that name stands for", at: 8)
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
      try tensors.map { ($0.name, try contents.array(at: dataStart + $0.range.lowerBound, type: $0.type)) }, metadata
    )
  }

  /// Writes tensors, atomically: an earlier file survives any failure. The same tensors and metadata give the same
  /// bytes.
  ///
  /// Tensors of wider elements are written first, so that each one is aligned; apart from that the order is kept.
  /// - Throws: `FormatError` when a name is used twice or the file cannot be written.
  public static func write(
    _ tensors: [(name: String, value: NDArray)], metadata: [String: String] = [:], to url: URL
  ) throws {
    var seen: Set<String> = ["__metadata__"]
    for (name, _) in tensors {
      guard seen.insert(name).inserted else {
        throw FormatError(
          file: url.path, reason: "cannot hold two entries named '\(name)'",
          remedy: "Give each tensor a name of its own")
      }
    }
    let widths = Set(tensors.map(\.value.dtype.byteCount)).sorted(by: >)
    let ordered = widths.flatMap { width in tensors.filter { $0.value.dtype.byteCount == width } }
    var entries: [String] = []
    if !metadata.isEmpty {
      let values = metadata.sorted { $0.key < $1.key }.map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
      entries.append("\"__metadata__\":{\(values.joined(separator: ","))}")
    }
    var offset = 0
    for (name, value) in ordered {
      let shape = value.shape.map(String.init).joined(separator: ",")
      let (end, overflow) = offset.addingReportingOverflow(value.byteCount)
      guard !overflow else { throw FormatError(file: url.path, reason: "the tensors are larger than any file") }
      let place = "\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]"
      entries.append("\(name.jsonQuoted):{\"dtype\":\"\(code(of: value.dtype))\",\(place)}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    // Spaces up to a multiple of 64 let a mapping of the file be used as it is by any SIMD load.
    header += [UInt8](repeating: 0x20, count: (64 - (8 + header.count) % 64) % 64)
    guard header.count <= longestHeader else {
      throw FormatError(file: url.path, reason: "the names and metadata are longer than the format allows")
    }
    try AtomicFile.write(to: url) { file in
      try file.write((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header)
      for (_, value) in ordered { try value.withUnsafeBytes { try file.write($0) } }
    }
  }

  private static func checked(
    _ name: String, _ code: String, _ shape: [Int], _ offsets: [Int], _ reader: ByteReader
  ) throws -> (name: String, type: TensorType, range: Range<Int>) {
    guard let dtype = DType.allCases.first(where: { Self.code(of: $0) == code }) else {
      throw reader.error(
        "tensor '\(name)' has elements of type \(code), which are not read", at: 8,
        remedy: "Convert it to one of \(DType.allCases.map { Self.code(of: $0) }.joined(separator: ", "))")
    }
    guard let byteCount = shape.checkedByteCount(width: dtype.byteCount) else {
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
    return (name, TensorType(dtype, shape), offsets[0]..<offsets[1])
  }

  private static func explain(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
      DecodingError.keyNotFound(_, let context), DecodingError.valueNotFound(_, let context):
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? context.debugDescription : "\(context.debugDescription) (at \(path))"
    default: return "\(error)"
    }
  }

  private static func code(of dtype: DType) -> String {
    switch dtype {
    case .bool: "BOOL"
    case .int8: "I8"
    case .uint8: "U8"
    case .int32: "I32"
    case .int64: "I64"
    case .uint32: "U32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    }
  }
}

/// An entry of the header: a tensor, or the metadata.
private enum Entry: Decodable {
  case tensor(dtype: String, shape: [Int], offsets: [Int])
  case metadata([String: String])

  private enum Key: String, CodingKey {
    case dtype, shape, offsets = "data_offsets"
  }

  init(from decoder: any Decoder) throws {
    if decoder.codingPath.last?.stringValue == "__metadata__" {
      self = .metadata(try decoder.singleValueContainer().decode([String: String].self))
      return
    }
    let container = try decoder.container(keyedBy: Key.self)
    self = .tensor(
      dtype: try container.decode(String.self, forKey: .dtype),
      shape: try container.decode([Int].self, forKey: .shape),
      offsets: try container.decode([Int].self, forKey: .offsets))
  }
}
