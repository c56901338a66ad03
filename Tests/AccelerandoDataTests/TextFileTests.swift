import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoData

@Suite struct TextFileTests {
  private func contents(_ bytes: [UInt8]) -> FileContents { FileContents(bytes, name: "notes.txt") }

  @Test func linesEndWithAnyOfTheUsualEnds() throws {
    let lines = try TextFile.lines(contents(Array("a\nb\r\n\rc\n\n".utf8)))
    #expect(lines == ["a", "b", "", "c", ""])
    #expect(try TextFile.lines(contents([])).isEmpty)
    #expect(try TextFile.lines(contents(Array("last".utf8))) == ["last"])
  }

  @Test func aByteOrderMarkIsNoText() throws {
    #expect(try TextFile.read(contents([0xEF, 0xBB, 0xBF] + Array("é".utf8))) == "é")
    #expect(try TextFile.lines(contents([0xEF, 0xBB, 0xBF] + Array("a\nb".utf8))) == ["a", "b"])
  }

  @Test(arguments: [
    ([0x61, 0xE9, 0x62] as [UInt8], 1), ([0xC3, 0xA9, 0x0A, 0xC3], 3), ([0xEF, 0xBB, 0xBF, 0x61, 0xFF], 4),
    ([0xFF, 0xFE, 0x61, 0], 0),
  ])
  func bytesThatAreNoUTF8AreNamed(_ bytes: [UInt8], _ offset: Int) throws {
    #expect { try TextFile.read(contents(bytes)) } throws: { ($0 as? FormatError)?.offset == offset }
    #expect { try TextFile.lines(contents(bytes)) } throws: { ($0 as? FormatError)?.offset == offset }
  }

  @Test func latin1TakesAnyByte() throws {
    let text = try TextFile.read(contents(Array(0...255)), encoding: .latin1)
    #expect(text.unicodeScalars.map(\.value) == Array(0...255))
  }

  @Test func damagedTextIsReadOrRefusedWithItsPlace() throws {
    let original = Array("Ünï\r\ncödé\n猫 \u{1F600}\n".utf8)
    var random = RandomSource(seed: 3)
    for _ in 0..<Mutation.rounds {
      let damaged = Mutation.damaged(original, using: &random)
      do {
        #expect(Array(try TextFile.read(contents(damaged)).utf8).count <= damaged.count)
        _ = try TextFile.lines(contents(damaged))
      } catch let error as FormatError {
        #expect(damaged.indices.contains(try #require(error.offset)))
      }
    }
  }
}
