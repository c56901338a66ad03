// What the tests of all formats share: the fixtures, places to write to, and damage that can be repeated.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// The path of a file that NumPy or another program wrote.
func fixture(_ name: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
}

/// Calls `body` with a new, empty directory, and removes it afterwards.
func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("formats-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  try body(directory)
}

/// The values that `make_fixtures.py` puts into an array of a type.
func fixtureValues(_ dtype: DType, count: Int) -> [Double] {
  (0..<count).map { index in
    switch dtype {
    case .bool: Double(index % 2)
    case .uint8, .uint32: Double(index * 3)
    case .int8, .int32, .int64: Double(index * 3 - 4)
    default: Double(index) * 0.5 - 2
    }
  }
}

/// Random numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

/// Damages a file as transfers, disks and malice do.
func mutated(_ original: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
  var bytes = original
  for _ in 0..<Int.random(in: 1...3, using: &generator) {
    guard !bytes.isEmpty else { return bytes }
    // Most of what can go wrong is decided in the first bytes and, for zip, in the last.
    let near = Bool.random(using: &generator) ? min(bytes.count, 96) : bytes.count
    var position = Int.random(in: 0..<near, using: &generator)
    if Bool.random(using: &generator) { position = bytes.count - 1 - position }
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[position] = .random(in: 0...255, using: &generator)
    case 2: bytes[position] = [0, 0xff, 0x7f, 0x80].randomElement(using: &generator) ?? 0
    case 3: bytes.removeSubrange(position...)
    case 4:
      let end = min(bytes.count, position + Int.random(in: 1...16, using: &generator))
      bytes.removeSubrange(position..<end)
    case 5:
      let count = Int.random(in: 1...16, using: &generator)
      bytes.insert(contentsOf: (0..<count).map { _ in .random(in: 0...255, using: &generator) }, at: position)
    case 6:
      // A whole integer of an extreme value, where a size may stand.
      let extremes: [UInt64] = [0, 1, .max, 1 << 31, 1 << 32, 1 << 62, 1 << 63]
      let value = extremes.randomElement(using: &generator) ?? 0
      let width = [2, 4, 8].randomElement(using: &generator) ?? 4
      for step in 0..<min(width, bytes.count - position) {
        bytes[position + step] = UInt8(truncatingIfNeeded: value >> UInt64(8 * step))
      }
    default:
      // A digit for a digit: keeps text such as JSON readable and makes its numbers wrong.
      if let digit = bytes[position...].firstIndex(where: { (0x30...0x39).contains($0) }) {
        bytes[digit] = UInt8.random(in: 0x2d...0x39, using: &generator)
      }
    }
  }
  return bytes
}
