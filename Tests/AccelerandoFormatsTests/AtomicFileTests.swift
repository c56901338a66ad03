import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct AtomicFileTests {
  struct Interrupted: Error {}

  @Test func aWriteThatFailsHalfwayLeavesTheEarlierFileAndNothingElse() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("weights")
      try AtomicFile.write(to: url) { try $0.write([1, 2, 3]) }
      #expect(throws: Interrupted.self) {
        try AtomicFile.write(to: url) { file in
          try file.write([9])
          throw Interrupted()
        }
      }
      #expect(try Data(contentsOf: url) == Data([1, 2, 3]))
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["weights"])
    }
  }

  @Test func aMissingDirectoryIsNamed() {
    let error = #expect(throws: FormatError.self) {
      try AtomicFile.write(to: URL(fileURLWithPath: "/nowhere/else/weights")) { _ in }
    }
    #expect(error?.description.contains("there is no directory /nowhere/else. Make it first.") == true)
  }

  @Test func aDirectoryIsNotReplaced() throws {
    try withTemporaryDirectory { directory in
      #expect(throws: FormatError.self) { try AtomicFile.write(to: directory) { _ in } }
    }
  }

  @Test func aLinkIsWrittenThrough() throws {
    try withTemporaryDirectory { directory in
      let target = directory.appendingPathComponent("target")
      let link = directory.appendingPathComponent("link")
      try AtomicFile.write(to: target) { try $0.write([1]) }
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: target)
      try AtomicFile.write(to: link) { try $0.write([2]) }
      #expect(try Data(contentsOf: target) == Data([2]))
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == target.path)
    }
  }

  @Test func digestsAreTheStandardOnes() throws {
    let digest = try SHA256Digest()
    try digest.update("a")
    try digest.update("bc")
    // The first example of FIPS 180-2.
    #expect(try digest.finish() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      try SHA256Digest().finish() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func theDigestOfTensorsDependsOnNamesTypesOrderAndBytes() throws {
    let a = (name: "a", value: NDArray([Float(1), 2]))
    let b = (name: "b", value: NDArray([Float(3), 4]))
    let digests = try [
      [a, b], [b, a], [(name: "ab", value: a.value), b], [(name: "a", value: a.value.reshaped([2, 1])), b],
      [(name: "a", value: NDArray([Float(1), -2])), b],
    ].map { try SHA256Digest.hex(of: $0) }
    #expect(Set(digests).count == digests.count)
    #expect(try SHA256Digest.hex(of: [a, b]) == digests[0])
  }
}
