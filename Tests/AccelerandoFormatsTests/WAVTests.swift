import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoFormats

@Suite struct WAVTests {
  /// A file of one chunk of samples.
  private func file(
    _ data: [UInt8], tag: Int = 1, channels: Int = 1, rate: Int = 8000, bits: Int = 16, isExtensible: Bool = false,
    extra: [UInt8] = [], size: Int? = nil
  ) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let frame = channels * bits / 8
    var format = number(isExtensible ? 0xFFFE : tag, 2) + number(channels, 2) + number(rate, 4)
    format += number(rate * frame, 4) + number(frame, 2) + number(bits, 2)
    if isExtensible {
      format += number(22, 2) + number(bits, 2) + number(0, 4) + number(tag, 2)
      format += [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]
    }
    let body =
      Array("WAVEfmt ".utf8) + number(format.count, 4) + format + extra + Array("data".utf8)
      + number(size ?? data.count, 4) + data
    return Array("RIFF".utf8) + number(body.count, 4) + body
  }

  private func read(_ bytes: [UInt8]) throws -> WAV { try WAV(FileContents(bytes, name: "x.wav")) }

  @Test func samplesOfEveryWidthAreScaledToOne() throws {
    #expect(try read(file([0, 128, 255], bits: 8)).samples.elements(as: Float.self) == [-1, 0, 127.0 / 128])
    #expect(
      try read(file([0, 0x80, 0xFF, 0x7F, 1, 0])).samples.elements(as: Float.self) == [
        -1, 32767.0 / 32768, 1.0 / 32768,
      ])
    #expect(try read(file([0, 0, 0x80, 0, 0, 0x40], bits: 24)).samples.elements(as: Float.self) == [-1, 0.5])
    #expect(try read(file([0, 0, 0, 0x80, 0, 0, 0, 0x20], bits: 32)).samples.elements(as: Float.self) == [-1, 0.25])
    let float = withUnsafeBytes(of: Float(-0.3).bitPattern.littleEndian) { Array($0) }
    #expect(try read(file(float, tag: 3, bits: 32)).samples.elements(as: Float.self) == [-0.3])
    let double = withUnsafeBytes(of: Double(0.75).bitPattern.littleEndian) { Array($0) }
    #expect(try read(file(double, tag: 3, bits: 64)).samples.elements(as: Float.self) == [0.75])
  }

  @Test func channelsTakeTurns() throws {
    let wav = try read(file([0, 0x40, 0, 0xC0, 0, 0x20, 0, 0xE0], channels: 2, rate: 44100))
    #expect(wav.samples.type == TensorType(.float32, [2, 2]))
    #expect(wav.samples.elements(as: Float.self) == [0.5, -0.5, 0.25, -0.25])
    #expect(wav.sampleRate == 44100)
  }

  @Test func otherChunksAndFormsOfTheHeaderAreRead() throws {
    let list = Array("LIST".utf8) + [3, 0, 0, 0, 1, 2, 3, 0]
    for isExtensible in [false, true] {
      let wav = try read(file([0, 0x40], isExtensible: isExtensible, extra: list))
      #expect(wav.samples.elements(as: Float.self) == [0.5])
    }
    // Written to a pipe, where the size was not known.
    #expect(try read(file([0, 0x40, 0, 0x20], size: Int(UInt32.max))).samples.elementCount == 2)
  }

  @Test func aPartIsFilledWithSilence() throws {
    let contents = FileContents(file([0, 0x40, 0, 0x20]), name: "x.wav")
    #expect(try WAV.frames(contents, count: 3).elements(as: Float.self) == [0.5, 0.25, 0])
    #expect(try WAV.frames(contents, count: 1).elements(as: Float.self) == [0.5])
  }

  @Test func whatCannotBeReadIsToldWithItsReason() {
    func reason(_ bytes: [UInt8]) -> String {
      let error = #expect(throws: FormatError.self) { try read(bytes) }
      return error?.description ?? ""
    }
    #expect(reason(file([0, 0], size: 8)).contains("the samples need 8 bytes; the file has 2 left"))
    #expect(reason(file([0, 0], tag: 85)).contains("of kind 85 with 16 bits"))
    #expect(reason(file([0, 0], bits: 12)).contains("with 12 bits"))
    #expect(reason(file([0, 0], channels: 0)).contains("0 channels"))
    #expect(reason(Array("{\"a\": 1}    ".utf8)).contains("is not a WAV file: it is text"))
    #expect(reason(Array(file([0, 0]).prefix(30))).contains("truncated"))
  }

  @Test func damagedFilesAreReadOrRefusedAndNeverTrap() {
    let original = file(
      (0..<64).map { UInt8($0) }, channels: 2, bits: 24, isExtensible: true,
      extra: Array("LIST".utf8) + [2, 0, 0, 0, 1, 2])
    var random = RandomSource(seed: 12)
    var refused = 0
    for round in 0..<Mutation.rounds {
      let damaged = Mutation.damaged(original, using: &random)
      do {
        let wav = try read(damaged)
        #expect(wav.samples.elements(as: Float.self).count == wav.samples.elementCount)
      } catch let error as FormatError {
        refused += 1
        #expect(error.file == "x.wav", "round \(round)")
      } catch {
        Issue.record("round \(round) threw something else: \(error)")
      }
    }
    #expect(refused > Mutation.rounds / 10)
  }
}
