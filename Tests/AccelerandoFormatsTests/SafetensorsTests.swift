import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct SafetensorsTests {
  @Test func aFileOfTheReferenceImplementationIsRead() throws {
    let (tensors, metadata) = try Safetensors.read(fixture("all.safetensors"))
    #expect(metadata == ["format": "np", "Größe": "a \"quoted\"\nline"])
    #expect(tensors.count == DType.allCases.count + 2)
    let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.value) })
    for dtype in DType.allCases {
      let array = try #require(byName["a.\(dtype.rawValue)"])
      #expect(array.type == TensorType(dtype, [2, 3]))
      #expect(array.elements(as: Double.self) == fixtureValues(dtype, count: 6))
    }
    #expect(byName["scalar"] == NDArray(scalar: Float(2.5)))
    #expect(byName["empty"]?.type == TensorType(.float32, [0, 5]))
  }

  private func samples() throws -> [(name: String, value: NDArray)] {
    try DType.allCases.map { dtype in
      let values = try NDArray(fixtureValues(dtype, count: 6), shape: [3, 2])
      return ("layers.\"0\"\\\u{1}ü.\(dtype.rawValue)", values.converted(to: dtype))
    }
  }

  @Test func whatIsWrittenIsReadBackAlignedAndAlwaysInTheSameBytes() throws {
    try withTemporaryDirectory { directory in
      let urls = ["a", "b"].map { directory.appendingPathComponent($0) }
      for url in urls { try Safetensors.write(samples(), metadata: ["b": "2", "a": "1\n"], to: url) }
      #expect(try Data(contentsOf: urls[0]) == Data(contentsOf: urls[1]))
      let (tensors, metadata) = try Safetensors.read(urls[0])
      #expect(metadata == ["a": "1\n", "b": "2"])
      let expected = try samples()
      for (name, value) in expected { #expect(tensors.first { $0.name == name }?.value == value) }
      #expect(tensors.count == expected.count)
      #expect(tensors.map(\.value.dtype.byteCount) == tensors.map(\.value.dtype.byteCount).sorted(by: >))
    }
  }

  @Test func tensorsOfOneTypeKeepTheirOrder() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("weights")
      let names = (0..<40).map { "layers.\($0 * 7 % 40).weight" }
      try Safetensors.write(names.map { ($0, NDArray([Float(1), 2])) }, to: url)
      #expect(try Safetensors.read(url).tensors.map(\.name) == names)
    }
  }

  @Test func tensorsOfALargeFileOutliveItsRemoval() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("weights")
      let value = NDArray((0..<200_000).map { Float($0) })
      try Safetensors.write([("a", value), ("b", NDArray([true, false]))], to: url)
      let (tensors, _) = try Safetensors.read(url)
      try FileManager.default.removeItem(at: url)
      #expect(tensors[0].value == value)
      var copy = tensors[0].value
      copy.withUnsafeMutableBytes { $0[0] = 1 }
      #expect(copy != value)
      #expect(tensors[0].value == value)
    }
  }

  private func refusal(_ header: String, data: Int) -> String {
    let text = Array(header.utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    let bytes = length + text + [UInt8](repeating: 0, count: data)
    do {
      _ = try Safetensors.read(FileContents(bytes, name: "x"))
      return ""
    } catch { return "\(error)" }
  }

  @Test func whatIsWrongWithAHeaderIsSaid() {
    let whole = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    #expect(refusal(whole, data: 8) == "")
    #expect(refusal(whole, data: 4).contains("which are 4 bytes long"))
    #expect(refusal(whole, data: 9).contains("the tensors take 8 bytes; the file has 9"))
    #expect(refusal(whole.replacing("[2]", with: "[3]"), data: 8).contains("needs 12 bytes, not 8"))
    #expect(refusal(whole.replacing("[2]", with: "[-2]"), data: 8).contains("impossible shape"))
    #expect(refusal(whole.replacing("[2]", with: "[4611686018427387904,4]"), data: 8).contains("impossible shape"))
    #expect(refusal(whole.replacing("F32", with: "F8_E4M3"), data: 8).contains("F8_E4M3, which are not read"))
    #expect(refusal(whole.replacing("[0,8]", with: "[4,12]"), data: 12).contains("neither overlap nor leave gaps"))
    #expect(refusal(String(repeating: "[", count: 50_000), data: 0).contains("not the JSON expected"))
    #expect(refusal("{\"__metadata__\":{\"a\":1}}", data: 0).contains("not the JSON expected"))
  }

  @Test func twoTensorsOfOneNameAreRefused() {
    let twice = [("a", NDArray([Float(1)])), ("a", NDArray([Float(2)]))]
    #expect(throws: FormatError.self) { try Safetensors.write(twice, to: URL(fileURLWithPath: "/nowhere/x")) }
  }
}
