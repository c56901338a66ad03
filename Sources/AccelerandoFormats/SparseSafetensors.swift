// Tensors that are mostly zeros, in a file that is as small as the zeros allow and still a safetensors file: of a
// sparse tensor it holds the elements that are not zero and, a bit each, where they are.

import AccelerandoCore
import Foundation

/// Safetensors files whose sparse tensors are packed.
///
/// A tensor `name` becomes `name.nonzero`, its elements that are not zero in row-major order, and `name.places`, one
/// bit for each element, the first element in the lowest bit of the first byte. The metadata's entry
/// `accelerando.sparse` is a JSON object from the names of such tensors to their shapes. Tensors that would not become
/// smaller stay as they are.
public enum SparseSafetensors {
  private static let key = "accelerando.sparse"
  /// The entry in files of earlier versions. Others may use the word for something else.
  private static let formerKey = "sparse"

  /// Writes tensors, whole or not at all. The same tensors and metadata give the same bytes.
  /// - Throws: `FormatError` when a name is used twice, the metadata have the entry that lists sparse tensors, or the
  ///   file cannot be written.
  public static func write(
    _ tensors: [(name: String, value: NDArray)], metadata: [String: String] = [:], to url: URL
  ) throws {
    var packed: [(name: String, value: NDArray)] = []
    var shapes: [(String, JSON)] = []
    for (name, value) in tensors {
      guard let parts = try pack(value) else {
        packed.append((name, value))
        continue
      }
      packed += [("\(name)\(nonzero)", parts.values), ("\(name)\(places)", parts.places)]
      shapes.append((name, JSON(.array(value.shape.map { JSON(.int($0)) }))))
    }
    guard metadata[key] == nil else {
      throw FormatError(
        file: url.path, reason: "cannot have '\(key)' among its metadata: sparse tensors are listed there",
        remedy: "Give the entry another name")
    }
    var metadata = metadata
    if !shapes.isEmpty { metadata[key] = JSON(shapes).text(.compact) }
    try Safetensors.write(packed, metadata: metadata, to: url)
  }

  private static let nonzero = ".nonzero"
  private static let places = ".places"

  /// Reads tensors, packed or not, with the metadata; plain safetensors files are read too.
  /// - Throws: `FormatError` when the file cannot be read or is damaged.
  public static func read(_ url: URL) throws -> (tensors: [(name: String, value: NDArray)], metadata: [String: String])
  {
    try read(FileContents(url))
  }

  /// Reads a file that is already open.
  public static func read(
    _ contents: FileContents
  ) throws -> (tensors: [(name: String, value: NDArray)], metadata: [String: String]) {
    var (tensors, metadata) = try Safetensors.read(contents)
    func damaged(_ reason: String) -> FormatError {
      FormatError(file: contents.name, reason: reason, remedy: "The file is damaged")
    }
    let listed: [(name: String, shape: [Int])]
    if let text = metadata.removeValue(forKey: key) {
      guard let found = shapes(text) else { throw damaged("the list of sparse tensors is not the JSON expected") }
      listed = found
    } else {
      // Another program's entry is not a list of tensors in the file.
      let names = Set(tensors.map { ExactName($0.name) })
      guard let found = metadata[formerKey].flatMap(shapes), !found.isEmpty,
        found.allSatisfy({ names.contains(ExactName($0.name + nonzero)) || names.contains(ExactName($0.name + places)) }
        )
      else { return (tensors, metadata) }
      metadata[formerKey] = nil
      listed = found
    }
    var named = Dictionary(tensors.map { (ExactName($0.name), $0.value) }) { first, _ in first }
    var unpacked: [ExactName: NDArray] = [:]
    for (name, shape) in listed {
      guard let values = named.removeValue(forKey: ExactName(name + nonzero)),
        let places = named.removeValue(forKey: ExactName(name + places))
      else { throw damaged("the sparse tensor '\(name)' lacks its elements or their places") }
      guard let array = unpack(values, places, shape) else {
        throw damaged("the elements and places of the sparse tensor '\(name)' do not fit its shape \(shape)")
      }
      unpacked[ExactName(name)] = array
    }
    // In the file's order, a sparse tensor where its elements are.
    tensors = tensors.compactMap { name, value in
      if named[ExactName(name)] != nil { return (name, value) }
      guard name.utf8.suffix(nonzero.utf8.count).elementsEqual(nonzero.utf8) else { return nil }
      let whole = String(decoding: name.utf8.dropLast(nonzero.utf8.count), as: UTF8.self)
      return unpacked[ExactName(whole)].map { (whole, $0) }
    }
    return (tensors, metadata)
  }

  /// The shapes of the packed tensors, by name; nil where the text is no such list.
  private static func shapes(_ text: String) -> [(name: String, shape: [Int])]? {
    guard let json = try? JSON(parsing: Array(text.utf8)), case .object(let members) = json.value else { return nil }
    var shapes: [(name: String, shape: [Int])] = []
    for member in members {
      guard case .array(let sizes) = member.value.value else { return nil }
      var shape: [Int] = []
      for size in sizes {
        guard case .int(let number) = size.value else { return nil }
        shape.append(number)
      }
      shapes.append((member.key, shape))
    }
    return shapes
  }

  /// The elements that are not zero and their places; nil where that is no smaller. Negative zero is not taken for
  /// zero.
  private static func pack(_ array: NDArray) throws -> (values: NDArray, places: NDArray)? {
    let width = array.dtype.byteCount
    let count = array.elementCount
    var bits = [UInt8](repeating: 0, count: (count + 7) / 8)
    var kept: [UInt8] = []
    array.withUnsafeBytes { bytes in
      for index in 0..<count {
        let element = bytes[index * width..<(index + 1) * width]
        if element.contains(where: { $0 != 0 }) {
          bits[index / 8] |= 1 << (index % 8)
          kept.append(contentsOf: element)
        }
      }
    }
    guard kept.count + bits.count < array.byteCount else { return nil }
    let values = try kept.withUnsafeBytes {
      try NDArray(bytes: $0, type: TensorType(array.dtype, [kept.count / width]))
    }
    return (values, NDArray(bits))
  }

  private static func unpack(_ values: NDArray, _ places: NDArray, _ shape: [Int]) -> NDArray? {
    let width = values.dtype.byteCount
    guard places.dtype == .uint8, shape.allSatisfy({ $0 >= 0 }), values.shape.count == 1,
      let byteCount = shape.checkedByteCount(width: width)
    else { return nil }
    let count = byteCount / width
    let bits = places.elements(as: UInt8.self)
    guard bits.count == (count + 7) / 8, bits.reduce(0, { $0 + $1.nonzeroBitCount }) == values.elementCount,
      count % 8 == 0 || (bits.last ?? 0) >> (count % 8) == 0
    else { return nil }
    var result = NDArray(zeros: TensorType(values.dtype, shape))
    values.withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        var next = 0
        for index in 0..<count where bits[index / 8] >> (index % 8) & 1 == 1 {
          for byte in 0..<width { target[index * width + byte] = source[next + byte] }
          next += width
        }
      }
    }
    return result
  }
}
