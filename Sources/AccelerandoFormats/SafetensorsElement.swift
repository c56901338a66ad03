// The element types of safetensors. Those without a type of ours are read as the smallest one that holds all of their
// values, as NPY's and IDX's are.

import AccelerandoCore
import Foundation

/// An element type of a safetensors file that can be read.
struct SafetensorsElement {
  /// Bytes of an element in the file.
  let width: Int
  private let form: Form

  private enum Form {
    case plain(DType)
    /// 16-bit integers, which become `int32`.
    case short(isSigned: Bool)
    /// 8-bit floating-point numbers, which become `float16`.
    case byte([Float])
  }

  init?(_ code: String) {
    if let dtype = DType.allCases.first(where: { Self.code(of: $0) == code }) {
      (width, form) = (dtype.byteCount, .plain(dtype))
      return
    }
    switch code {
    case "I16": (width, form) = (2, .short(isSigned: true))
    case "U16": (width, form) = (2, .short(isSigned: false))
    case "F8_E4M3": (width, form) = (1, .byte((0...255).map { Self.float8($0, exponentBits: 4, hasInfinity: false) }))
    case "F8_E5M2": (width, form) = (1, .byte((0...255).map { Self.float8($0, exponentBits: 5, hasInfinity: true) }))
    default: return nil
    }
  }

  /// The codes of all types that are read.
  static var codes: [String] { DType.allCases.map(code) + ["I16", "U16", "F8_E4M3", "F8_E5M2"] }

  /// The tensor at a place of a file.
  /// - Throws: `FormatError` when the file does not have that many bytes.
  func array(_ contents: FileContents, at offset: Int, _ shape: [Int]) throws -> NDArray {
    switch form {
    case .plain(let dtype): return try contents.array(at: offset, type: TensorType(dtype, shape))
    case .short(let isSigned):
      let bytes = try contents.array(at: offset, type: TensorType(.uint8, [2 * shape.elementCount]))
      return try bytes.widened(isSigned: isSigned).reshaped(shape)
    case .byte(let values):
      let bytes = try contents.array(at: offset, type: TensorType(.uint8, shape))
      let floats = bytes.withUnsafeBytes { $0.map { values[Int($0)] } }
      return try NDArray(floats, shape: shape).converted(to: .float16)
    }
  }

  /// The value of a byte as a floating-point number of the OCP's 8-bit formats: a sign, an exponent, the rest a fraction.
  /// E5M2 has infinities and NaNs as IEEE 754's formats; E4M3 has NaN for all ones only, and no infinities.
  private static func float8(_ bits: Int, exponentBits: Int, hasInfinity: Bool) -> Float {
    let fractionBits = 7 - exponentBits
    let sign: Float = bits & 0x80 == 0 ? 1 : -1
    let exponent = bits >> fractionBits & (1 << exponentBits - 1)
    let fraction = bits & (1 << fractionBits - 1)
    let isLast = exponent == 1 << exponentBits - 1
    if isLast, hasInfinity { return fraction == 0 ? sign * .infinity : .nan }
    if isLast, fraction == 1 << fractionBits - 1 { return .nan }
    let bias = 1 << (exponentBits - 1) - 1
    let significand = Float(fraction) / Float(1 << fractionBits) + (exponent == 0 ? 0 : 1)
    return sign * Float(sign: .plus, exponent: max(exponent, 1) - bias, significand: 1) * significand
  }

  static func code(of dtype: DType) -> String {
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
