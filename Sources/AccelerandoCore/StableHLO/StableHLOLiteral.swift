// Constants as StableHLO text. Floating-point numbers are written as bits, since decimals would be rounded.

/// A constant as an MLIR attribute: `dense<"0x…"> : tensor<2xf32>`, or the one value for a splat.
func stableHLOLiteral(_ value: NDArray) -> String {
  let type = value.type.stableHLOName
  if value.elementCount == 0 { return "dense<> : \(type)" }
  if value.dtype == .bool {
    // i1 has no hexadecimal form with one byte per element, so it is written out.
    return "dense<\(nested(value.elements(as: Bool.self).map { $0 ? "true" : "false" }, value.shape)[...])> : \(type)"
  }
  let width = value.dtype.byteCount
  return value.withUnsafeBytes { bytes in
    let first = bytes.prefix(width)
    let isSplat = stride(from: 0, to: bytes.count, by: width).allSatisfy { start in
      bytes[start..<start + width].elementsEqual(first)
    }
    let digits = (isSplat ? first : bytes[...]).map { byte in
      String(byte >> 4, radix: 16, uppercase: true) + String(byte & 15, radix: 16, uppercase: true)
    }
    return "dense<\"0x\(digits.joined())\"> : \(type)"
  }
}

private func nested(_ elements: [String], _ shape: [Int]) -> String {
  guard let count = shape.first else { return elements.first ?? "" }
  let inner = Array(shape.dropFirst())
  let size = inner.elementCount
  let parts = (0..<count).map { nested(Array(elements[$0 * size..<($0 + 1) * size]), inner) }
  return "[" + parts.joined(separator: ", ") + "]"
}
