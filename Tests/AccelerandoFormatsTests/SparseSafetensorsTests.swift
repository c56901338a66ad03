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
          metadata: ["sparse": "{\"x\":\(shape)}"], to: url)
        #expect(throws: FormatError.self) { try SparseSafetensors.read(url) }
      }
    }
  }
}
