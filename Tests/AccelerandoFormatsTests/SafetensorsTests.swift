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

  private func file(_ header: [UInt8], data: [UInt8]) -> FileContents {
    FileContents((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + data, name: "x")
  }

  private func refusal(_ header: String, data: Int) -> String { refusal(Array(header.utf8), data: data) }

  private func refusal(_ header: [UInt8], data: Int) -> String {
    do {
      _ = try Safetensors.read(file(header, data: [UInt8](repeating: 0, count: data)))
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
    #expect(refusal(whole.replacing("F32", with: "U64"), data: 8).contains("U64, which are not read"))
    #expect(refusal(whole.replacing("[0,8]", with: "[4,12]"), data: 12).contains("neither overlap nor leave gaps"))
    #expect(refusal(String(repeating: "[", count: 50_000), data: 0).contains("not the JSON expected"))
    #expect(refusal("{\"__metadata__\":{\"a\":1}}", data: 0).contains("not the JSON expected"))
  }

  @Test func headersAreTakenAndRefusedAsByTheReferenceReader() throws {
    let whole = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    let tensor = #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
    let taken = [
      " \(whole)", "\(whole)\n\t\r ", "{\"__metadata__\":null,\(tensor)}", "{\"__metadata__\":{\"x\":\"1\"},\(tensor)}",
      whole.replacing("\"shape\"", with: "\"later\":[1.5,null],\"shape\""),
    ]
    for header in taken { #expect(refusal(header, data: 8) == "", "\(header)") }
    let refused = [
      "{\(tensor),\(tensor)}", "{\(tensor),}", "\u{feff}\(whole)", "\(whole)\0", "\(whole)x", "[]", "", "{\"a\":null}",
      whole.replacing("[2]", with: "[2.0]"), whole.replacing("[2]", with: "[2e0]"),
      whole.replacing("[2]", with: "[02]"),
      whole.replacing("[2]", with: "[\"2\"]"), whole.replacing("[2]", with: "[2,]"),
      whole.replacing("[2]", with: "[null]"), whole.replacing("[0,8]", with: "[-0,8]"),
      whole.replacing("[0,8]", with: "[0,8,8]"), whole.replacing("\"a\"", with: "\"\\ud800\""),
      whole.replacing("\"a\"", with: "\"\n\""), whole.replacing("F32", with: "f32"),
      whole.replacing("\"F32\"", with: "\"F32\",\"dtype\":\"F32\""),
      "{\"__metadata__\":{\"x\":1},\(tensor)}", "{\"__metadata__\":[],\(tensor)}",
      "{\"__metadata__\":{},\"__metadata__\":{},\(tensor)}",
    ]
    for header in refused { #expect(refusal(header, data: 8) != "", "\(header)") }
    for encoding in [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian] {
      #expect(refusal([UInt8](try #require(whole.data(using: encoding))), data: 8) != "")
    }
    #expect(refusal([UInt8](whole.utf8).map { $0 == UInt8(ascii: "a") ? 0xff : $0 }, data: 8) != "")
  }

  @Test func namesAreComparedByTheirBytes() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("weights")
      let tensors = [("\u{e9}", NDArray([Float(1)])), ("e\u{301}", NDArray([Float(2)]))]
      for read in [Safetensors.read, SparseSafetensors.read]
        as [(URL) throws -> (
          tensors: [(name: String, value: NDArray)], metadata: [String: String]
        )]
      {
        try Safetensors.write(tensors, to: url)
        let names = try read(url).tensors.map { Array($0.name.utf8) }
        #expect(names == tensors.map { Array($0.0.utf8) })
      }
      let archive = directory.appendingPathComponent("a.npz")
      try NPZ.write(tensors.map { (name: $0.0, value: $0.1) }, to: archive)
      #expect(try NPZArchive(archive).array("e\u{301}") == NDArray([Float(2)]))
      #expect(try NPZArchive(archive).array("\u{e9}") == NDArray([Float(1)]))
    }
  }

  @Test func typesWithoutOneOfOursAreReadInOneThatHoldsTheirValues() throws {
    func read(_ code: String, _ data: [UInt8], count: Int) throws -> NDArray {
      let header = #"{"a":{"dtype":"\#(code)","shape":[\#(count),1],"data_offsets":[0,\#(data.count)]}}"#
      return try #require(try Safetensors.read(file(Array(header.utf8), data: data)).tensors.first).value
    }
    #expect(try read("I16", [0xff, 0xff, 1, 2], count: 2) == NDArray([Int32(-1), 513], shape: [2, 1]))
    #expect(try read("U16", [0xff, 0xff, 1, 2], count: 2) == NDArray([Int32(65535), 513], shape: [2, 1]))
    // The ends of both formats, from the OCP's specification, table 1.
    let e4m3 = try read("F8_E4M3", [0x7e, 0x08, 0x07, 0x01, 0x80, 0xb8, 0x7f] as [UInt8], count: 7)
    #expect(e4m3.dtype == .float16 && e4m3.shape == [7, 1])
    let expected: [Double] = [448, 0x1p-6, 0x1.cp-7, 0x1p-9, 0, -1, .nan]
    for (value, right) in zip(e4m3.elements(as: Double.self), expected) {
      #expect(value == right || value.isNaN && right.isNaN)
    }
    let bytes: [UInt8] = [0x7b, 0x04, 0x03, 0x01, 0x7c, 0xfc, 0xbc, 0x7d]
    let e5m2 = try read("F8_E5M2", bytes, count: 8).elements(as: Double.self)
    let ends: [Double] = [57344, 0x1p-14, 0x1.8p-15, 0x1p-16, .infinity, -.infinity, -1]
    #expect(Array(e5m2.dropLast()) == ends)
    #expect(e5m2.last?.isNaN == true)
  }

  @Test func twoTensorsOfOneNameAreRefused() {
    let twice = [("a", NDArray([Float(1)])), ("a", NDArray([Float(2)]))]
    #expect(throws: FormatError.self) { try Safetensors.write(twice, to: URL(fileURLWithPath: "/nowhere/x")) }
  }
}
