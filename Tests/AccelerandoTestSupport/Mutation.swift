// Damage to files that can be repeated: what transfers, disks and malice do to bytes, and what people do to text.

import Foundation

/// Damaged copies of files, for readers that must neither trap nor hang nor take all memory.
public enum Mutation {
  /// How many damaged inputs each reader gets. The environment's `ACCELERANDO_MUTATIONS` asks for more: Scripts/mutations.sh.
  public static let rounds = ProcessInfo.processInfo.environment["ACCELERANDO_MUTATIONS"].flatMap { Int($0) } ?? 2000

  /// What JSON is made of, and numbers that are hard to hold.
  public static let jsonWords = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "null", "true", "false", "-", "-1", "0", "1e999", "1.5",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "4294967295", "1e-400", "\"\"", "{}", "[]",
    "\"a\":", "e\u{301}", "é", "\u{0}", String(repeating: "[", count: 300), String(repeating: "{\"a\":", count: 300),
  ]

  /// What YAML is made of besides.
  public static let yamlWords =
    jsonWords + [
      "&a ", "*a", "&b ", "*b", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "\t", "| ", "> ", "!!str ", "!!int ", "!x ",
      "---\n",
      "...\n", "%YAML 1.2\n", "# ", "<<: *a", ".nan", "-.Inf", "0x7fffffffffffffffff", "0o17", "~", "'", "2147483648",
      "[*a,*a,*a,*a,*a,*a,*a,*a,*a]", "{*a: *a}",
    ]

  /// A damaged copy.
  /// - Parameter words: what may be put in besides bytes, where the file is text.
  public static func damaged(_ original: [UInt8], words: [String] = [], using random: inout RandomSource) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      guard !bytes.isEmpty else { return bytes }
      // Most of what can go wrong is decided in the first bytes and, for zip, in the last.
      let near = Bool.random(using: &random) ? min(bytes.count, 96) : bytes.count
      var position = Int.random(in: 0..<near, using: &random)
      if Bool.random(using: &random) { position = bytes.count - 1 - position }
      if let word = words.randomElement(using: &random), Bool.random(using: &random) {
        let end = Bool.random(using: &random) ? position : min(bytes.count, position + word.utf8.count)
        bytes.replaceSubrange(position..<end, with: word.utf8)
        continue
      }
      change(&bytes, at: position, using: &random)
    }
    return bytes
  }

  private static func change(_ bytes: inout [UInt8], at position: Int, using random: inout RandomSource) {
    switch Int.random(in: 0..<9, using: &random) {
    case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[position] = .random(in: 0...255, using: &random)
    case 2: bytes[position] = [0, 0xff, 0x7f, 0x80].randomElement(using: &random) ?? 0
    case 3: bytes.removeSubrange(position...)
    case 4:
      let end = min(bytes.count, position + Int.random(in: 1...16, using: &random))
      bytes.removeSubrange(position..<end)
    case 5:
      let count = Int.random(in: 1...16, using: &random)
      bytes.insert(contentsOf: (0..<count).map { _ in .random(in: 0...255, using: &random) }, at: position)
    case 6:
      // A whole integer of an extreme value, where a size may stand.
      let extremes: [UInt64] = [0, 1, .max, 1 << 31, 1 << 32, 1 << 62, 1 << 63]
      let value = extremes.randomElement(using: &random) ?? 0
      let width = [2, 4, 8].randomElement(using: &random) ?? 4
      for step in 0..<min(width, bytes.count - position) {
        bytes[position + step] = UInt8(truncatingIfNeeded: value >> UInt64(8 * step))
      }
    case 7:
      // A part that comes again, as entries and keys may.
      let end = min(bytes.count, position + Int.random(in: 1...64, using: &random))
      bytes.insert(contentsOf: Array(bytes[position..<end]), at: Int.random(in: 0...bytes.count, using: &random))
    default:
      // A digit for a digit: keeps text such as JSON readable and makes its numbers wrong.
      if let digit = bytes[position...].firstIndex(where: { (0x30...0x39).contains($0) }) {
        bytes[digit] = UInt8.random(in: 0x2d...0x39, using: &random)
      }
    }
  }
}
