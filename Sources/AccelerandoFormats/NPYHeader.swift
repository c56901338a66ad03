// The header of an NPY file is a Python dictionary written as text. This parser reads the forms that NumPy writes, and
// reports where it finds any other.

import AccelerandoCore
import Foundation

/// An NPY header's description of the array.
struct NPYHeader {
  let format: NPYElement
  let isFortranOrder: Bool
  let shape: [Int]
  /// Bytes of the elements, checked not to overflow.
  let payload: Int

  /// Reads the magic number, the version and the dictionary.
  init(_ reader: inout ByteReader) throws {
    let start = reader.offset
    guard FileKind(of: reader.contents) == .npy else {
      throw FormatError.wrongKind(
        reader.contents, expected: "an NPY file", remedy: "Save an array of numbers with numpy.save")
    }
    let magic = try reader.bytes(8, of: "an NPY header")
    guard (1...3).contains(magic[6]) else {
      throw reader.error(
        "NPY version \(magic[6]).\(magic[7]) is not known", at: start + 6, remedy: "Write it as version 1, 2 or 3")
    }
    let length =
      magic[6] == 1
      ? Int(try reader.littleEndian(UInt16.self, of: "the header's length"))
      : Int(try reader.littleEndian(UInt32.self, of: "the header's length"))
    let textStart = reader.offset
    var parser = LiteralParser(text: try reader.bytes(length, of: "the header"), start: textStart, file: reader)
    let entries = try parser.dictionary()
    func entry(_ key: String) throws -> (value: LiteralParser.Value, offset: Int) {
      guard let found = entries[key] else { throw reader.error("the header has no '\(key)'", at: textStart) }
      return found
    }
    for (key, found) in entries where !["descr", "fortran_order", "shape"].contains(key) {
      throw reader.error("the header has the unknown key '\(key)'", at: found.offset)
    }
    let (descr, descrOffset) = try entry("descr")
    guard case .string(let code) = descr else {
      throw reader.error(
        "'descr' is not the name of an element type", at: descrOffset)
    }
    guard let format = NPYElement(code) else {
      let known = DType.allCases.map(\.rawValue).joined(separator: ", ")
      throw reader.error(
        "elements of type '\(code)'\(NPYElement.meaning(of: code).map { ", \($0)," } ?? "") are not read",
        at: descrOffset, remedy: "Save an array of numbers, such as array.astype('float32'); known are \(known)")
    }
    let (order, orderOffset) = try entry("fortran_order")
    guard case .truth(let isFortranOrder) = order else {
      throw reader.error("'fortran_order' is neither True nor False", at: orderOffset)
    }
    let (shape, shapeOffset) = try entry("shape")
    guard case .tuple(let sizes) = shape else {
      throw reader.error("'shape' is not a tuple of integers", at: shapeOffset)
    }
    guard let payload = sizes.checkedByteCount(width: format.width) else {
      throw reader.error("the shape \(sizes) is negative somewhere or overflows", at: shapeOffset)
    }
    self.format = format
    self.isFortranOrder = isFortranOrder
    self.shape = sizes
    self.payload = payload
  }

  /// The bytes of a version-1 header, padded so that the elements begin at a multiple of 64.
  static func encoded(_ type: TensorType) -> [UInt8] {
    let sizes = type.shape.map(String.init).joined(separator: ", ")
    let tuple = type.rank == 1 ? "(\(sizes),)" : "(\(sizes))"
    let text = "{'descr': '\(NPYElement.code(of: type.dtype))', 'fortran_order': False, 'shape': \(tuple), }"
    let isShort = text.utf8.count + 11 <= 0xffff
    let prefix = isShort ? 10 : 12
    let unpadded = prefix + text.utf8.count + 1
    let padding = (64 - unpadded % 64) % 64
    let length = text.utf8.count + padding + 1
    var bytes: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, isShort ? 1 : 2, 0]
    for step in 0..<(isShort ? 2 : 4) { bytes.append(UInt8(truncatingIfNeeded: length >> (8 * step))) }
    return bytes + Array(text.utf8) + [UInt8](repeating: 0x20, count: padding) + [0x0a]
  }
}

/// An element type of NumPy that can be read.
struct NPYElement {
  /// The type that the reader gets: 16-bit integers become `int32`.
  let dtype: DType
  /// Bytes of an element in the file.
  let width: Int
  let isBigEndian: Bool
  /// Whether a 16-bit integer has a sign.
  let isSigned: Bool

  private static let kinds: [String: (DType, Int, Bool)] = [
    "b1": (.bool, 1, false), "i1": (.int8, 1, true), "u1": (.uint8, 1, false), "i2": (.int32, 2, true),
    "u2": (.int32, 2, false), "i4": (.int32, 4, true), "u4": (.uint32, 4, false), "i8": (.int64, 8, true),
    "f2": (.float16, 2, true), "f4": (.float32, 4, true), "f8": (.float64, 8, true),
    // NumPy has no bfloat16; the package ml_dtypes, which adds it, saves it as two bytes of no type.
    "V2": (.bfloat16, 2, true),
  ]

  /// What NumPy's `dtype()` takes for the same types: names, and letters of C's types on 64-bit Unix.
  private static let spellings = [
    "?": "b1", "bool": "b1", "b": "i1", "int8": "i1", "B": "u1", "uint8": "u1", "h": "i2", "int16": "i2", "H": "u2",
    "uint16": "u2", "i": "i4", "int32": "i4", "I": "u4", "uint32": "u4", "l": "i8", "q": "i8", "int64": "i8",
    "int": "i8", "L": "u8", "Q": "u8", "uint64": "u8", "e": "f2", "float16": "f2", "f": "f4", "float32": "f4",
    "d": "f8", "float64": "f8", "float": "f8", "bfloat16": "V2", "g": "f16", "F": "c8", "D": "c16", "complex64": "c8",
    "complex128": "c16",
  ]

  /// The byte order, if the code has one, and the kind with its width.
  private static func parts(_ code: String) -> (order: Character, kind: String) {
    let order = code.first.flatMap { "<>|=".contains($0) ? $0 : nil }
    let kind = order == nil ? code : String(code.dropFirst())
    return (order ?? "=", spellings[kind] ?? kind)
  }

  init?(_ code: String) {
    let (order, name) = Self.parts(code)
    guard let kind = Self.kinds[name] else { return nil }
    (dtype, width, isSigned) = kind
    isBigEndian = order == ">"
  }

  /// A description of an element type that is not supported.
  static func meaning(of code: String) -> String? {
    let kind = parts(code).kind
    switch kind.first {
    case "O": return "Python objects"
    case "u": return "unsigned integers for which there is no type here (int64 holds most of them)"
    case "c": return "complex numbers"
    case "f": return "floating-point numbers of \(kind.dropFirst()) bytes"
    case "S", "a", "U": return "texts"
    case "M", "m": return "dates or times"
    case "V": return "bytes without a type"
    default: return nil
    }
  }

  static func code(of dtype: DType) -> String {
    switch dtype {
    case .bool: "|b1"
    case .int8: "|i1"
    case .uint8: "|u1"
    case .int32: "<i4"
    case .int64: "<i8"
    case .uint32: "<u4"
    case .float16: "<f2"
    case .bfloat16: "<V2"
    case .float32: "<f4"
    case .float64: "<f8"
    }
  }
}

/// Reads Python literals: a dictionary of strings, truth values and tuples of integers.
private struct LiteralParser {
  enum Value {
    case string(String)
    case truth(Bool)
    case tuple([Int])
  }

  let text: [UInt8]
  let start: Int
  let file: ByteReader
  private var index = 0

  init(text: [UInt8], start: Int, file: ByteReader) {
    self.text = text
    self.start = start
    self.file = file
  }

  private func failure(_ expected: String) -> FormatError {
    let found = index < text.count ? "'\(Unicode.Scalar(text[index]).escaped(asASCII: true))'" : "its end"
    return file.error("the header should have \(expected) here; found \(found)", at: start + index)
  }

  private mutating func skipSpace() {
    while index < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[index]) { index += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard index < text.count, UInt32(text[index]) == character.value else { return false }
    index += 1
    return true
  }

  mutating func dictionary() throws -> [String: (value: Value, offset: Int)] {
    var entries: [String: (value: Value, offset: Int)] = [:]
    guard take("{") else { throw failure("'{'") }
    while !take("}") {
      guard case .string(let key) = try value() else { throw failure("a key in quotes") }
      guard take(":") else { throw failure("':'") }
      skipSpace()
      let offset = start + index
      guard entries.updateValue((try value(), offset), forKey: key) == nil else {
        throw file.error("the header has the key '\(key)' twice", at: offset)
      }
      if !take(",") {
        guard take("}") else { throw failure("',' or '}'") }
        break
      }
    }
    skipSpace()
    guard index == text.count else { throw failure("nothing more") }
    return entries
  }

  private mutating func value() throws -> Value {
    skipSpace()
    guard index < text.count else { throw failure("a value") }
    switch text[index] {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "("): return .tuple(try tuple())
    case UInt8(ascii: "["):
      throw file.error(
        "the elements are structures of several fields, which are not read", at: start + index,
        remedy: "Save each field as an array of its own")
    default:
      for (word, truth) in [("True", true), ("False", false)] where text[index...].starts(with: word.utf8) {
        index += word.utf8.count
        return .truth(truth)
      }
      throw failure("a string, a tuple, True or False")
    }
  }

  private mutating func string() throws -> String {
    let quote = text[index]
    index += 1
    guard let end = text[index...].firstIndex(of: quote) else { throw failure("a closing quote") }
    defer { index = end + 1 }
    return String(decoding: text[index..<end], as: UTF8.self)
  }

  private mutating func tuple() throws -> [Int] {
    index += 1
    var sizes: [Int] = []
    while !take(")") {
      skipSpace()
      let digits = text[index...].prefix { (0x30...0x39).contains($0) }
      guard let size = Int(String(decoding: digits, as: UTF8.self)) else {
        throw failure("a size from 0 to \(Int.max)")
      }
      sizes.append(size)
      index = digits.endIndex
      // Python 2 wrote long integers with an L.
      _ = take("L")
      if !take(",") {
        guard take(")") else { throw failure("',' or ')'") }
        break
      }
    }
    return sizes
  }
}
