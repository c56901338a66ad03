import AccelerandoCore
import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

/// A damaged file is an error that names it, or an array that can be read to its last byte; it is never a trap.
@Suite struct MutationTests {
  private func survive(_ name: String, _ read: (FileContents) throws -> [NDArray]) throws {
    try survive(name, [UInt8](Data(contentsOf: fixture(name))), read)
  }

  private func survive(_ name: String, _ original: [UInt8], _ read: (FileContents) throws -> [NDArray]) throws {
    #expect(throws: Never.self) { try read(FileContents(original, name: name)) }
    var random = RandomSource(seed: UInt64(original.count))
    var refused = 0
    for round in 0..<Mutation.rounds {
      let words = name.hasSuffix("safetensors") ? Mutation.jsonWords : []
      let damaged = Mutation.damaged(original, words: words, using: &random)
      do {
        for array in try read(FileContents(damaged, name: name)) {
          #expect(array.elements(as: Double.self).count == array.elementCount)
        }
      } catch let error as FormatError {
        refused += 1
        if let offset = error.offset { #expect(offset >= 0, "round \(round): \(error)") }
        #expect(error.file.hasPrefix(name))
      } catch {
        Issue.record("round \(round) of \(name) threw something else: \(error)")
      }
    }
    #expect(refused > Mutation.rounds / 10)
  }

  private func surviveTruncation(_ name: String, _ read: (FileContents) throws -> [NDArray]) throws {
    let original = try [UInt8](Data(contentsOf: fixture(name)))
    for count in 0..<original.count {
      #expect(throws: FormatError.self, "\(name) cut to \(count) bytes") {
        try read(FileContents(Array(original[..<count]), name: name))
      }
    }
  }

  @Test(arguments: ["images.idx", "images.idx.gz", "type-0b.idx", "type-0d.idx"])
  func damagedIDXNeverTraps(_ name: String) throws {
    try survive(name) { [try IDX.read($0)] }
    try surviveTruncation(name) { [try IDX.read($0)] }
  }

  @Test(arguments: ["float32.npy", "fortran.npy", "bool.npy", "int16.npy", "version2.npy"])
  func damagedNPYNeverTraps(_ name: String) throws {
    try survive(name) { [try NPY.read($0)] }
    try surviveTruncation(name) { [try NPY.read($0)] }
  }

  @Test(arguments: ["stored.npz", "deflated.npz"])
  func damagedNPZNeverTraps(_ name: String) throws {
    try survive(name) { try NPZ.read($0).map(\.value) }
    try surviveTruncation(name) { try NPZ.read($0).map(\.value) }
  }

  @Test func damagedGzipNeverTraps() throws {
    try survive("images.idx.gz") { contents in
      let bytes = try Gzip.decompress(contents, limit: 1 << 20)
      return [NDArray(bytes)]
    }
  }

  @Test func damagedSparseSafetensorsNeverTrap() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("sparse")
      let numbers = (0..<200).map { Float($0 % 7 == 0 ? $0 : 0) }
      try SparseSafetensors.write(
        [("x", NDArray(numbers)), ("y", NDArray([Int64](repeating: 0, count: 70))), ("z", NDArray([Float(1)]))],
        metadata: ["a": "b"], to: url)
      let original = try [UInt8](Data(contentsOf: url))
      try survive("sparse.safetensors", original) { try SparseSafetensors.read($0).tensors.map(\.value) }
    }
  }

  @Test func damagedSafetensorsNeverTrap() throws {
    try survive("all.safetensors") { try Safetensors.read($0).tensors.map(\.value) }
    try surviveTruncation("all.safetensors") { try Safetensors.read($0).tensors.map(\.value) }
  }

  @Test(arguments: [
    "color.jpg", "progressive.jpg", "inks.jpg", "palette-opacity.png", "interlaced.png", "gray-16.png", "palette.bmp",
    "color-565.bmp", "opacity.bmp", "bits.pbm", "text.ppm", "deep.ppm",
  ])
  func damagedImagesNeverTrap(_ name: String) throws {
    guard JPEG.isAvailable, PNG.isAvailable else { return }
    let original = try [UInt8](Data(contentsOf: fixture("images/\(name)")))
    try survive(name, original) { [try ImageFile.read($0, channels: .rgb, pixelLimit: 1 << 20)] }
  }
}
