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
