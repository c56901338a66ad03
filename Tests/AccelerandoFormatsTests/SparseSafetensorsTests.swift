import AccelerandoCore
import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

@Suite struct SparseSafetensorsTests {
  /// Arrays of all types, mostly zeros, of sizes that fill their last byte of places and that do not.
  private func samples() throws -> [(name: String, value: NDArray)] {
    var generator = RandomSource(seed: 4)
    return try DType.allCases.flatMap { dtype in
      try [[7, 9], [64], [0, 3], [], [1]].map { shape -> (name: String, value: NDArray) in
        let count = shape.reduce(1, *)
        let values = (0..<count).map { _ in Double.random(in: 0..<1, using: &generator) < 0.2 ? 1.0 : 0.0 }
        return ("\(dtype.rawValue)/\(shape)", try NDArray(values, shape: shape).converted(to: dtype))
      }
    }
  }

  @Test func whatIsWrittenIsReadBackWithEveryBit() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("sparse")
      var expected = try samples()
      expected.append(("signed", NDArray([0, -0.0, Float.nan, .infinity, 0, 0, 0, 0])))
      try SparseSafetensors.write(expected, metadata: ["a": "b"], to: url)
      let (tensors, metadata) = try SparseSafetensors.read(url)
      #expect(metadata == ["a": "b"])
      #expect(tensors.count == expected.count)
      for (name, value) in expected {
        let read = try #require(tensors.first { $0.name == name }?.value)
        #expect(read.type == value.type)
        let same = read.withUnsafeBytes { a in value.withUnsafeBytes { a.elementsEqual($0) } }
        #expect(same, "\(name)")
      }
    }
  }

  @Test func somebodysEntryOfTheNameIsKept() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("sparse")
      let numbers = (0..<200).map { Float($0 % 7 == 0 ? $0 : 0) }
      for entry in ["yes", "{}", "{\"x\": [200]}", "{\"other\": [3]}", "[1]"] {
        for tensors in [[("x", NDArray(numbers))], [("x", NDArray([Float(1)]))]] {
          try SparseSafetensors.write(tensors, metadata: ["sparse": entry, "a": "b"], to: url)
          let (read, metadata) = try SparseSafetensors.read(url)
          #expect(read.map(\.value) == tensors.map(\.1))
          #expect(metadata == ["sparse": entry, "a": "b"])
        }
        try Safetensors.write([("y", NDArray([Float(1)]))], metadata: ["sparse": entry], to: url)
        let plain = try SparseSafetensors.read(url)
        #expect(plain.tensors.map(\.name) == ["y"] && plain.metadata == ["sparse": entry])
      }
      #expect(throws: FormatError.self) {
        try SparseSafetensors.write([("x", NDArray(numbers))], metadata: ["accelerando.sparse": "mine"], to: url)
      }
    }
  }

  @Test func filesOfEarlierVersionsAreRead() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("former")
      try Safetensors.write(
        [
          ("x.nonzero", NDArray([Float(5), 7])), ("x.places", NDArray([UInt8(0b10_0010)])), ("y", NDArray([Int32(3)])),
        ],
        metadata: ["sparse": "{\"x\":[2,3]}", "a": "b"], to: url)
      let (tensors, metadata) = try SparseSafetensors.read(url)
      #expect(tensors.map(\.name) == ["x", "y"] && metadata == ["a": "b"])
      #expect(try tensors[0].value == NDArray([Float(0), 5, 0, 0, 0, 7], shape: [2, 3]))
    }
  }

  @Test func zerosTakeABitEachAndDenseTensorsStayAsTheyAre() throws {
    try withTemporaryDirectory { directory in
      let (sparse, dense) = (directory.appendingPathComponent("a"), directory.appendingPathComponent("b"))
      let zeros = (0..<80_000).map { Float($0 % 10 == 0 ? $0 + 1 : 0) }
      let full = (0..<100).map { Float($0 + 1) }
      try SparseSafetensors.write([("zeros", NDArray(zeros)), ("full", NDArray(full))], to: sparse)
      let size = try FileContents(sparse).count
      #expect(size < 8_000 * 4 + 10_000 + 400 + 512)
      // A file without zeros is a plain one.
      try SparseSafetensors.write([("full", NDArray(full))], to: sparse)
      try Safetensors.write([("full", NDArray(full))], to: dense)
      #expect(try Data(contentsOf: sparse) == Data(contentsOf: dense))
    }
  }

  @Test func damageIsAnErrorThatNamesTheFile() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("sparse")
      for (places, shape) in [
        ([UInt8](repeating: 255, count: 2), "[9]"), ([1], "[-1]"), ([3], "[8]"), ([1, 0], "[8]"),
      ] {
        try Safetensors.write(
          [("x.nonzero", NDArray([Float(1)])), ("x.places", NDArray(places))],
          metadata: ["accelerando.sparse": "{\"x\":\(shape)}"], to: url)
        #expect(throws: FormatError.self) { try SparseSafetensors.read(url) }
      }
    }
  }
}
