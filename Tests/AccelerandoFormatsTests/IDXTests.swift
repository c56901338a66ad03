import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct IDXTests {
  @Test(arguments: ["images.idx", "images.idx.gz"])
  func plainAndGzippedFilesGiveTheSameBytes(_ name: String) throws {
    let array = try IDX.read(fixture(name))
    #expect(array.type == TensorType(.uint8, [3, 4, 5]))
    #expect(array.elements(as: UInt8.self) == Array(0..<60))
  }

  @Test(arguments: [
    ("09", DType.int8), ("0b", .int32), ("0c", .int32), ("0d", .float32), ("0e", .float64),
  ])
  func everyElementTypeIsReadBigEndian(_ code: String, _ dtype: DType) throws {
    let array = try IDX.read(fixture("type-\(code).idx"))
    #expect(array.type == TensorType(dtype, [2, 3]))
    #expect(array.elements(as: Double.self) == fixtureValues(dtype, count: 6))
  }

  @Test(arguments: [DType.uint8, .int8, .int32, .float32, .float64], [false, true])
  func whatIsWrittenIsReadBack(_ dtype: DType, _ compressed: Bool) throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("array")
      let array = try NDArray(fixtureValues(dtype, count: 24), shape: [2, 3, 4]).converted(to: dtype)
      try IDX.write(array, to: url, compressed: compressed)
      #expect(try IDX.read(url) == array)
    }
  }

  @Test func aLargePlainFileIsMappedAndStaysWholeWhenReplaced() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("array")
      let array = try NDArray((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 * 7) }, shape: [1 << 10, 1 << 10])
      try IDX.write(array, to: url)
      let mapped = try IDX.read(url)
      try IDX.write(NDArray(zeros: array.type), to: url)
      #expect(mapped == array)
      #expect(try IDX.read(url) == NDArray(zeros: array.type))
    }
  }

  @Test func severalGzipMembersAreOneFile() throws {
    let plain = try [UInt8](Data(contentsOf: fixture("images.idx")))
    let members = try [plain[..<10], plain[10...]].map { part in
      try Array(part).withUnsafeBytes { try Gzip.compress($0) }
    }
    let array = try IDX.read(FileContents(members[0] + members[1], name: "two members"))
    #expect(array.elements(as: UInt8.self) == Array(0..<60))
  }

  @Test func aSizeBeyondTheDataIsRefusedBeforeAnythingIsAllocated() throws {
    let header: [UInt8] = [0, 0, 0x0e, 3, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9]
    let overflowing = #expect(throws: FormatError.self) { try IDX.read(FileContents(header, name: "x")) }
    #expect(overflowing?.offset == 4)
    let large: [UInt8] = [0, 0, 8, 2, 0, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff]
    let compressed = try large.withUnsafeBytes { try Gzip.compress($0) }
    let error = #expect(throws: FormatError.self) { try IDX.read(FileContents(compressed, name: "x")) }
    #expect(error?.reason.contains("more than the compressed data or memory can hold") == true)
  }

  @Test func errorsNameTheFileAndTheReason() throws {
    let missing = #expect(throws: FormatError.self) { try IDX.read(URL(fileURLWithPath: "/nowhere/images.idx")) }
    #expect(missing?.description.contains("/nowhere/images.idx: cannot open the file: No such file") == true)
    let wrong = #expect(throws: FormatError.self) { try IDX.read(fixture("float32.npy")) }
    #expect(wrong?.description.contains("is not an IDX file: it is an NPY file") == true)
    let directory = #expect(throws: FormatError.self) { try IDX.read(fixture("")) }
    #expect(directory?.description.contains("is a directory") == true)
  }

  @Test func aTypeWithoutACodeIsRefused() {
    #expect(throws: FormatError.self) {
      try IDX.write(NDArray(zeros: TensorType(.bool, [2])), to: URL(fileURLWithPath: "/nowhere/x"))
    }
  }
}
