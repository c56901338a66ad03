import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct NPYTests {
  @Test(arguments: DType.allCases)
  func everyTypeIsReadAsNumPyWroteIt(_ dtype: DType) throws {
    let array = try NPY.read(fixture("\(dtype.rawValue).npy"))
    #expect(array.type == TensorType(dtype, [2, 3]))
    #expect(array.elements(as: Double.self) == fixtureValues(dtype, count: 6))
  }

  @Test(arguments: DType.allCases)
  func everyTypeIsWrittenByteForByteAsNumPyWritesIt(_ dtype: DType) throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("array.npy")
      try NPY.write(NDArray(fixtureValues(dtype, count: 6), shape: [2, 3]).converted(to: dtype), to: url)
      #expect(try Data(contentsOf: url) == Data(contentsOf: fixture("\(dtype.rawValue).npy")))
    }
  }

  @Test func fortranOrderIsTurnedIntoRows() throws {
    let array = try NPY.read(fixture("fortran.npy"))
    #expect(array.type == TensorType(.float32, [2, 3, 4]))
    #expect(array.elements(as: Double.self) == fixtureValues(.float32, count: 24))
  }

  @Test func bigEndianAndSixteenBitElementsAreConverted() throws {
    #expect(try NPY.read(fixture("big-endian.npy")).elements(as: Double.self) == fixtureValues(.float32, count: 6))
    let int16 = try NPY.read(fixture("int16.npy"))
    #expect(int16.dtype == .int32)
    #expect(int16.elements(as: Double.self) == fixtureValues(.int32, count: 6))
    let uint16 = try NPY.read(fixture("big-endian-fortran-uint16.npy"))
    #expect(uint16.type == TensorType(.int32, [2, 3]))
    #expect(uint16.elements(as: Double.self) == fixtureValues(.uint32, count: 6))
  }

  @Test(arguments: ["version2.npy", "version3.npy"])
  func laterVersionsAreRead(_ name: String) throws {
    #expect(try NPY.read(fixture(name)).elements(as: Double.self) == fixtureValues(.float32, count: 6))
  }

  @Test func scalarsAndEmptyArraysKeepTheirShape() throws {
    #expect(try NPY.read(fixture("scalar.npy")) == NDArray(scalar: 2.5))
    #expect(try NPY.read(fixture("empty.npy")).type == TensorType(.float32, [0, 5]))
  }

  @Test func whatCannotBeReadSaysWhy() throws {
    let structured = #expect(throws: FormatError.self) { try NPY.read(fixture("structured.npy")) }
    #expect(structured?.description.contains("structures of several fields") == true)
    let objects = #expect(throws: FormatError.self) { try NPY.read(fixture("objects.npy")) }
    #expect(objects?.description.contains("Python objects") == true)
  }

  /// An NPY file of two elements.
  private func file(_ code: String, width: Int) -> FileContents {
    let text = Array("{'descr': '\(code)', 'fortran_order': False, 'shape': (2,), }\n".utf8)
    let start: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, UInt8(text.count), 0]
    return FileContents(start + text + [UInt8](repeating: 0, count: 2 * width), name: "x.npy")
  }

  @Test func everySpellingOfATypeThatNumPyTakesIsRead() throws {
    let spellings: [(DType, Int, [String])] = [
      (.bool, 1, ["|b1", "b1", "?", "|?", "bool"]), (.int8, 1, ["i1", "b", "int8"]), (.uint8, 1, ["u1", "B", "uint8"]),
      (.int32, 2, ["i2", "h", ">u2", "uint16", "H"]), (.int32, 4, ["i4", "=i4", "i", "int32", ">i4"]),
      (.uint32, 4, ["u4", "I", "uint32"]), (.int64, 8, ["i8", "l", "q", "int64"]),
      (.float16, 2, ["f2", "e", "float16"]),
      (.float32, 4, ["f4", "f", "float32", "<f", ">f4"]), (.float64, 8, ["f8", "d", "float64"]),
      (.bfloat16, 2, ["V2", "<V2", "|V2", "bfloat16"]),
    ]
    for (dtype, width, codes) in spellings {
      for code in codes { #expect(try NPY.read(file(code, width: width)).type == TensorType(dtype, [2]), "\(code)") }
    }
    for (code, expected) in [
      ("<u8", "unsigned integers"), ("uint64", "int64 holds most"), ("<c8", "complex"), ("|S3", "texts"),
      ("<U5", "texts"), ("<M8[ns]", "dates"), ("|O", "Python objects"), ("<f16", "16 bytes"), ("|V8", "without a type"),
      ("wrong", "are not read"), ("", "are not read"),
    ] {
      let error = #expect(throws: FormatError.self, "\(code)") { try NPY.read(file(code, width: 8)) }
      #expect(error?.description.contains(expected) == true, "\(code): \(error?.description ?? "")")
    }
  }

  @Test func namedArraysAreReadStoredAndDeflated() throws {
    for name in ["stored.npz", "deflated.npz"] {
      let arrays = try NPZ.read(fixture(name))
      #expect(arrays.map(\.name) == ["layers.0.weight", "steps", "mask"])
      #expect(arrays[0].value.elements(as: Double.self) == fixtureValues(.float32, count: 12))
      #expect(arrays[1].value == NDArray(scalar: Int64(7)))
      #expect(arrays[2].value.elements(as: Double.self) == fixtureValues(.bool, count: 5))
    }
  }

  @Test(arguments: [false, true])
  func namedArraysAreWrittenAndReadBack(_ compressed: Bool) throws {
    try withTemporaryDirectory { directory in
      let arrays = try DType.allCases.map { dtype in
        (name: "größe/\(dtype.rawValue)", value: try NDArray(fixtureValues(dtype, count: 600), shape: [20, 30]))
      }
      let urls = ["a.npz", "b.npz"].map { directory.appendingPathComponent($0) }
      for url in urls { try NPZ.write(arrays, to: url, compressed: compressed) }
      let read = try NPZ.read(urls[0])
      #expect(read.map(\.name) == arrays.map(\.name))
      #expect(read.map(\.value) == arrays.map(\.value))
      #expect(try Data(contentsOf: urls[0]) == Data(contentsOf: urls[1]))
    }
  }

  @Test func aDeflatedEntryCannotPromiseMoreThanItHolds() throws {
    var bytes = try [UInt8](Data(contentsOf: fixture("deflated.npz")))
    let directory = try #require(bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    bytes.replaceSubrange(directory + 24..<directory + 28, with: [0xff, 0xff, 0xff, 0x7f])
    let error = #expect(throws: FormatError.self) { try NPZ.read(FileContents(bytes, name: "x")) }
    #expect(error?.reason.contains("more than its data or this machine's memory can hold") == true)
  }
}
