// Named values: properties of plugins, of their devices and of compiled programs, and options for plugins.

import CPJRT

/// The value of an attribute or an option.
public enum AttributeValue: Hashable, Sendable, CustomStringConvertible {
  case text(String)
  case integer(Int64)
  case integers([Int64])
  case number(Float)
  case truth(Bool)

  public var description: String {
    switch self {
    case .text(let value): value
    case .integer(let value): "\(value)"
    case .integers(let values): "\(values)"
    case .number(let value): "\(value)"
    case .truth(let value): "\(value)"
    }
  }
}

/// Copies a plugin's list of named values.
func attributeValues(_ start: UnsafePointer<PjrtNamedValue>?, _ count: Int) -> [String: AttributeValue] {
  var values: [String: AttributeValue] = [:]
  guard let start, count > 0 else { return values }
  // A later version may have longer entries; each contains its own size.
  let stride = max(start.pointee.head.size, MemoryLayout<PjrtNamedValue>.size)
  let aligned = (stride + 7) / 8 * 8
  for index in 0..<count {
    let entry = (UnsafeRawPointer(start) + index * aligned).load(as: PjrtNamedValue.self)
    let name = Plugin.text(entry.name, entry.name_length)
    switch Int(entry.kind) {
    case PjrtNamedText: values[name] = .text(Plugin.text(entry.value.text, entry.count))
    case PjrtNamedInt64: values[name] = .integer(entry.value.int64)
    case PjrtNamedInt64List:
      values[name] = .integers(Array(UnsafeBufferPointer(start: entry.value.int64_list, count: entry.count)))
    case PjrtNamedFloat: values[name] = .number(entry.value.number)
    case PjrtNamedBool: values[name] = .truth(entry.value.truth)
    default: break
    }
  }
  return values
}

/// Calls `body` with a list of named values in the plugin's form.
func withNamedValues<Result>(
  _ values: [(name: String, value: AttributeValue)],
  _ body: (UnsafeBufferPointer<PjrtNamedValue>) throws(DeviceError) -> Result
) throws(DeviceError) -> Result {
  var texts: [UnsafeMutableBufferPointer<CChar>] = []
  defer { for text in texts { text.deallocate() } }
  func copied(_ text: String) -> UnsafeMutableBufferPointer<CChar> {
    let bytes = UnsafeMutableBufferPointer<CChar>.allocate(capacity: text.utf8.count + 1)
    _ = bytes.initialize(from: text.utf8.map { CChar(bitPattern: $0) } + [0])
    texts.append(bytes)
    return bytes
  }
  var entries: [PjrtNamedValue] = []
  for (name, value) in values {
    var entry = PjrtNamedValue()
    entry.head.size = MemoryLayout<PjrtNamedValue>.size
    entry.name = UnsafePointer(copied(name).baseAddress)
    entry.name_length = name.utf8.count
    entry.count = 1
    switch value {
    case .text(let text):
      entry.kind = Int32(PjrtNamedText)
      entry.value.text = UnsafePointer(copied(text).baseAddress)
      entry.count = text.utf8.count
    case .integer(let number):
      entry.kind = Int32(PjrtNamedInt64)
      entry.value.int64 = number
    case .number(let number):
      entry.kind = Int32(PjrtNamedFloat)
      entry.value.number = number
    case .truth(let truth):
      entry.kind = Int32(PjrtNamedBool)
      entry.value.truth = truth
    case .integers:
      throw DeviceError(.unsupported, "the option '\(name)' cannot be a list of integers")
    }
    entries.append(entry)
  }
  let list = UnsafeMutableBufferPointer<PjrtNamedValue>.allocate(capacity: entries.count)
  defer { list.deallocate() }
  _ = list.initialize(from: entries)
  return try body(UnsafeBufferPointer(list))
}
