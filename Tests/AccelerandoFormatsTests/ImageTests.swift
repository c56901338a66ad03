import AccelerandoCore
import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

/// The libraries that decode JPEG and PNG are the system's; without them these tests say that they are skipped.
private let canRead = JPEG.isAvailable && PNG.isAvailable

@Suite struct ImageTests {
  private static let names = [
    "bits.bmp", "bits.pbm", "bits.png", "color-16.png", "color-444.jpg", "color-555.bmp", "color-565.bmp", "color.bmp",
    "color.jpg", "color.png", "color.ppm", "deep.ppm", "few.pgm", "four.bmp", "gamma.png", "gray-16.png", "gray-4.png",
    "gray-opacity.png", "gray.bmp", "gray.jpg", "gray.pgm", "gray.png", "inks.jpg", "interlaced.png", "opacity.bmp",
    "opacity.png", "palette-opacity.png", "palette.bmp", "palette.png", "progressive.jpg", "text.pbm", "text.pgm",
    "text.ppm", "top-down.bmp",
  ]

  private func pixels(_ name: String) throws -> NDArray {
    try #require(try NPZ.read(fixture("images/pixels.npz")).first { $0.name == name }?.value)
  }

  @Test(.enabled(if: canRead), arguments: names)
  func pixelsAreThoseThatPillowShows(_ name: String) throws {
    let expected = try pixels(name)
    let channels = ImageChannels(rawValue: expected.shape[2])
    let found = try ImageFile.read(fixture("images/\(name)"), channels: channels)
    #expect(found.type == expected.type)
    let tolerance: Double = name.hasSuffix("jpg") ? 1 : 0
    let differences = zip(found.elements(as: Double.self), expected.elements(as: Double.self)).map { abs($0 - $1) }
    #expect((differences.max() ?? 0) <= tolerance)
  }

  @Test(.enabled(if: canRead), arguments: names)
  func theHeaderSaysWhatTheImageBecomes(_ name: String) throws {
    let url = fixture("images/\(name)")
    let header = try ImageFile.header(FileContents(url))
    #expect(try ImageFile.read(url).shape == [header.height, header.width, header.channels.rawValue])
  }

  @Test(
    .enabled(if: canRead),
    arguments: [
      ("color.png", "L", 1), ("color.png", "RGBA", 4), ("opacity.png", "RGB", 3), ("gray.png", "RGBA", 4),
      ("gray.png", "RGB", 3),
    ])
  func channelsAreConvertedAsPillowDoes(_ name: String, _ mode: String, _ channels: Int) throws {
    let found = try ImageFile.read(fixture("images/\(name)"), channels: ImageChannels(rawValue: channels))
    #expect(try found == pixels("\(name) \(mode)"))
  }

  @Test(.enabled(if: canRead), arguments: [1, 3, 4])
  func whatIsWrittenAsPNGIsReadBack(_ channels: Int) throws {
    let elements = (0..<17 * 29 * channels).map { UInt8(truncatingIfNeeded: $0 * $0 / 7 + ($0 % 11) * 20) }
    let image = try NDArray(elements, shape: [17, 29, channels])
    #expect(try ImageFile.read(FileContents(PNG.encoded(image), name: "x")) == image)
  }

  @Test(.enabled(if: canRead), arguments: names)
  func anImageLargerThanTheLimitIsRefusedByItsHeader(_ name: String) throws {
    let error = #expect(throws: FormatError.self) {
      try ImageFile.read(fixture("images/\(name)"), pixelLimit: 19 * 23 - 1)
    }
    #expect(error?.description.contains("claims 23 × 19 pixels, more than the 436 allowed") == true)
  }

  @Test func anEnormousClaimIsRefusedWithoutMemory() throws {
    let bomb = Array("P6 2000000000 2000000000 255\n".utf8)
    let error = #expect(throws: FormatError.self) { try ImageFile.read(FileContents(bomb, name: "bomb.ppm")) }
    #expect(error?.description.contains("bomb.ppm: claims 2000000000 × 2000000000 pixels") == true)
    // With the limit out of the way, the file is still too short for its claim.
    #expect(throws: FormatError.self) { try ImageFile.read(FileContents(bomb, name: "b"), pixelLimit: .max) }
  }

  @Test(.enabled(if: canRead), arguments: names)
  func aTruncatedImageIsAnErrorWithItsPath(_ name: String) throws {
    let original = try [UInt8](Data(contentsOf: fixture("images/\(name)")))
    // The last number of a text may be shorter, and there may be bytes behind an image.
    let last = name.hasPrefix("text") ? original.count - 4 : original.count - 2
    for count in stride(from: 0, to: last, by: max(1, last / 150)) {
      let error = #expect(throws: FormatError.self, "\(name) cut to \(count) bytes") {
        try ImageFile.read(FileContents(Array(original[..<count]), name: name))
      }
      #expect(error?.file == name)
    }
  }

  @Test func whatIsNoImageIsNamed() throws {
    let text = #expect(throws: FormatError.self) {
      try ImageFile.read(FileContents(Array("a,b\n1,2\n".utf8), name: "x.png"))
    }
    #expect(text?.description.contains("x.png, byte 0: is not an image: it is text") == true)
    #expect(throws: FormatError.self) { try ImageFile.read(FileContents([], name: "empty")) }
  }

  @Test func compressedBMPIsRefusedWithARemedy() throws {
    var bytes = try [UInt8](Data(contentsOf: fixture("images/gray.bmp")))
    bytes[30] = 1
    let error = #expect(throws: FormatError.self) { try ImageFile.read(FileContents(bytes, name: "x.bmp")) }
    #expect(error?.description.contains("Save it without compression") == true)
  }
}
