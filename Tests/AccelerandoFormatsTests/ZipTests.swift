import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

/// Archives that only NumPy's own reader would have been asked about: members that nobody needs, bytes before and after, and
/// directories that lie.
@Suite struct ZipTests {
  /// A member of an archive that is put together by hand.
  private struct Member {
    let name: String
    let data: [UInt8]
    var method: UInt8 = 0
    var flags: UInt8 = 0
    var size: Int?
    var checksum: UInt32 = 0
    /// Whether the directory names it without the archive having another copy of its bytes.
    var sharesTheFirst = false
  }

  private func bytes(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private func archive(_ members: [Member]) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for member in members {
      let common =
        [20, 0, member.flags, 0, member.method, 0, 0, 0, 0x21, 0] + bytes(Int(member.checksum), 4)
        + bytes(member.data.count, 4) + bytes(member.size ?? member.data.count, 4) + bytes(member.name.utf8.count, 2)
        + [0, 0]
      let place = member.sharesTheFirst ? 0 : file.count
      if !member.sharesTheFirst { file += [0x50, 0x4b, 3, 4] + common + Array(member.name.utf8) + member.data }
      directory += [0x50, 0x4b, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10) + bytes(place, 4)
      directory += Array(member.name.utf8)
    }
    return file + directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + bytes(members.count, 2) + bytes(members.count, 2)
      + bytes(directory.count, 4) + bytes(file.count, 4) + [0, 0]
  }

  private func contents(_ bytes: [UInt8]) -> FileContents { FileContents(bytes, name: "x.npz") }

  /// A member with an array, with its right checksum, taken from an archive that is known to be right.
  private func good() throws -> (member: Member, value: NDArray) {
    let value = NDArray([Float(1), 2, 3])
    var result: Member?
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("a.npz")
      try NPZ.write([("a", value)], to: url)
      let whole = try [UInt8](Data(contentsOf: url))
      let checksum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(whole[14 + $1]) << UInt32(8 * $1) }
      result = Member(name: "a.npy", data: NPY.encoded(value), checksum: checksum)
    }
    return (try #require(result), value)
  }

  @Test func onlyTheMembersThatAreNamedAreRead() throws {
    let (member, value) = try good()
    let objects = try [UInt8](Data(contentsOf: fixture("objects.npy")))
    let whole = archive([
      Member(name: "README.txt", data: Array("hello".utf8)), Member(name: "folder/", data: []),
      Member(name: "objects.npy", data: objects), member, Member(name: "secret.npy", data: [1, 2], flags: 1),
      Member(name: "strange.npy", data: [1, 2], method: 99), Member(name: "wrong.npy", data: [1, 2, 3], checksum: 7),
      Member(name: "huge.npy", data: [1], method: 8, size: 0x7fff_ffff),
    ])
    let opened = try NPZArchive(contents(whole))
    #expect(opened.names == ["objects", "a", "secret", "strange", "wrong", "huge"])
    #expect(try opened.array("a") == value)
    #expect(try opened.array("README.txt") == nil && opened.array("A") == nil)
    for (name, reason) in [
      ("objects", "checksum"), ("secret", "encrypted"), ("strange", "method 99"), ("wrong", "checksum"),
      ("huge", "more than its data or this machine's memory can hold"),
    ] {
      let error = #expect(throws: FormatError.self) { try opened.array(name) }
      #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }
  }

  @Test func bytesBeforeAndAfterTheArchiveDoNotMatter() throws {
    let (member, value) = try good()
    let whole = archive([member])
    for (before, after) in [
      ([UInt8](), [UInt8](repeating: 0, count: 1)), ([], [UInt8](repeating: 7, count: 70)),
      (Array("#!/bin/sh\n".utf8), []), (Array("PK".utf8), Array("the end".utf8)),
    ] {
      #expect(try NPZ.read(contents(before + whole + after)).map(\.value) == [value], "\(before) \(after)")
    }
  }

  @Test func membersThatShareBytesAreRefused() throws {
    let (member, _) = try good()
    var copies = [member]
    for index in 0..<30 {
      copies.append(
        Member(name: "b\(index).npy", data: member.data, checksum: member.checksum, sharesTheFirst: true))
    }
    let error = #expect(throws: FormatError.self) { try NPZArchive(contents(archive(copies))) }
    #expect(error?.description.contains("overlap") == true)
    // The second member's header is hidden inside the first one's extra field.
    let inner = Member(name: "b.npy", data: member.data, checksum: member.checksum)
    var quoted = archive([member, inner])
    let headerLength = 30 + inner.name.utf8.count
    quoted.replaceSubrange(28..<30, with: bytes(member.data.count + headerLength, 2))
    let hidden = #expect(throws: FormatError.self) { try NPZArchive(contents(quoted)) }
    #expect(hidden?.description.contains("overlap") == true, "\(hidden?.description ?? "")")
  }

  @Test func filesOfOtherKindsAreCalledWhatTheyAre() throws {
    for (bytes, kind) in [
      (Array("a,b\n1,2\n".utf8), "text, such as CSV"), ([0x89, 0x50, 0x4e, 0x47, 0x0d], "a PNG image"),
      ([], "it is empty"),
      ([0x1f, 0x8b, 8, 0], "a gzip file"), ([0x80, 4, 0x95, 0x2e], "a Python pickle"),
      ([0x89, 0x48, 0x44, 0x46, 0x0d], "an HDF5 file"),
      (try [UInt8](Data(contentsOf: fixture("int8.npy"))), "an NPY file"),
      (try [UInt8](Data(contentsOf: fixture("all.safetensors"))), "a safetensors file"),
      (try [UInt8](Data(contentsOf: fixture("images.idx"))), "an IDX file"), ([1, 2, 3, 4], "not known here"),
      ([0x63, 0x61, 0x66, 0xe9, 0x0a], "not UTF-8"),
    ] {
      let error = #expect(throws: FormatError.self) { try NPZArchive(contents(bytes)) }
      #expect(
        error?.description.contains("is not a zip archive: it is") == true && error?.description.contains(kind) == true)
    }
    let text = Array("{'descr': 1}".utf8)
    #expect(throws: FormatError.self) { try NPY.read(contents(text)) }
    let zipped = archive([try good().member])
    for read in [{ _ = try NPY.read($0) }, { _ = try IDX.read($0) }, { _ = try Safetensors.read($0) }]
      as [(FileContents) throws -> Void]
    {
      let error = #expect(throws: FormatError.self) { try read(contents(zipped)) }
      #expect(error?.description.contains("it is a zip archive") == true, "\(error?.description ?? "")")
    }
  }
}
