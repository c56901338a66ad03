// Reads protocol buffers by field number: compilers return their results in this form, and a few fields are enough. The
// bytes come from outside, so every length is checked.

/// The fields of one message.
struct ProtocolBufferReader {
  /// The value of a field.
  enum Value {
    case integer(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next field; nil at the end, and if the next bytes are not a field.
  mutating func next() -> (number: Int, value: Value)? {
    while let key = varint() {
      let number = Int(key >> 3)
      switch key & 7 {
      case 0:
        guard let value = varint() else { return nil }
        return (number, .integer(value))
      case 1: guard skip(8) else { return nil }
      case 5: guard skip(4) else { return nil }
      case 2:
        guard let length = varint(), length <= UInt64(rest.count) else { return nil }
        let content = rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length))
        return (number, .bytes(content))
      default: return nil
      }
    }
    return nil
  }

  private mutating func skip(_ count: Int) -> Bool {
    guard rest.count >= count else { return false }
    rest = rest.dropFirst(count)
    return true
  }

  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}

extension ProtocolBufferReader.Value {
  /// An integer of a message, as a size or an index: from 0 to 2⁶³ − 1.
  var integer: Int {
    if case .integer(let value) = self { Int(exactly: value) ?? 0 } else { 0 }
  }

  /// A repeated integer: packed into bytes, or one of several fields.
  var integers: [Int] {
    guard case .bytes(let bytes) = self else { return [integer] }
    var reader = ProtocolBufferReader(bytes)
    var values: [Int] = []
    while let value = reader.varint() { values.append(Int(exactly: value) ?? 0) }
    return values
  }

  var text: String {
    if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { "" }
  }

  var message: ProtocolBufferReader {
    if case .bytes(let bytes) = self { ProtocolBufferReader(bytes) } else { ProtocolBufferReader([]) }
  }
}
