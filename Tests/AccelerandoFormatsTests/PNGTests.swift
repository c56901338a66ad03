import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct PNGTests {
  @Test(arguments: [1, 3, 4])
  func aFileHasItsChunksAndItsSizeInTheHeader(_ channels: Int) throws {
    let (height, width) = (7, 5)
    let pixels = (0..<height * width * channels).map { UInt8(truncatingIfNeeded: $0 * $0 / 3 + ($0 % 11) * 20) }
    let bytes = try PNG.encoded(NDArray(pixels, shape: [height, width, channels]))
    #expect(bytes.prefix(8) == [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    var offset = 8
    var names: [String] = []
    while offset + 12 <= bytes.count {
      let length = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
      names.append(String(decoding: bytes[offset + 4..<offset + 8], as: UTF8.self))
      offset += 12 + length
    }
    #expect(offset == bytes.count)
    #expect(names == ["IHDR", "IDAT", "IEND"])
    #expect(bytes[16..<26].elementsEqual([0, 0, 0, 5, 0, 0, 0, 7, 8, [1: 0, 3: 2, 4: 6][channels] ?? 9]))
  }

  @Test func whatIsNoImageIsRefused() throws {
    for type in [TensorType(.uint8, [4, 4]), TensorType(.uint8, [4, 4, 2]), TensorType(.float32, [4, 4, 3])] {
      let error = #expect(throws: FormatError.self) { try PNG.encoded(NDArray(zeros: type)) }
      #expect(error?.description.contains("uint8 [height, width, channels]") == true)
    }
    #expect(throws: FormatError.self) { try PNG.encoded(NDArray(zeros: TensorType(.uint8, [0, 4, 3]))) }
  }
}
