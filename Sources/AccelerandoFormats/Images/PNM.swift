// PGM, PPM and PBM are the simplest image files there are: a few numbers in text, then the pixels.

import Foundation

/// PBM, PGM and PPM images, with pixels in text (P1, P2, P3) or in bytes (P4, P5, P6).
public enum PNM {}

extension PNM: ImageDecoder {
  static func matches(_ start: [UInt8]) -> Bool {
    start.count >= 3 && start[0] == UInt8(ascii: "P") && (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(start[1])
      && (isSpace(start[2]) || start[2] == UInt8(ascii: "#"))
  }

  static func header(_ contents: FileContents) throws -> ImageHeader {
    let layout = try contents.withUnsafeBytes { try Layout($0, file: contents.name) }
    return ImageHeader(
      format: "PNM", height: layout.height, width: layout.width, channels: layout.channels == 3 ? .rgb : .gray)
  }

  static func decode(_ contents: FileContents, _ header: ImageHeader, _ wanted: ImageChannels) throws -> Pixels {
    try contents.withUnsafeBytes { bytes in
      let layout = try Layout(bytes, file: contents.name)
      return Pixels(
        height: layout.height, width: layout.width, channels: layout.channels,
        bytes: try layout.isText ? layout.textPixels(bytes) : layout.bytePixels(bytes))
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// What the numbers before the pixels say.
  private struct Layout {
    let file: String
    let isText: Bool
    /// Whether a pixel is one bit, and 1 is black.
    let isBitmap: Bool
    let channels: Int
    let width: Int
    let height: Int
    /// The number that stands for white.
    let maximum: Int
    /// Where the pixels begin.
    let start: Int

    private static let remedy = "The file is truncated or damaged; get it again"

    init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
      self.file = file
      let kind = Int(bytes[1]) - 0x30
      isText = kind <= 3
      isBitmap = kind == 1 || kind == 4
      channels = kind == 3 || kind == 6 ? 3 : 1
      var numbers = TextNumbers(bytes, at: 2, file: file)
      width = try numbers.next("the width", in: 1...Int(Int32.max))
      height = try numbers.next("the height", in: 1...Int(Int32.max))
      maximum = isBitmap ? 1 : try numbers.next("the largest value", in: 1...65535)
      // One space ends the numbers.
      start = numbers.offset + 1
    }

    /// A value as a byte.
    private func scaled(_ value: Int) -> UInt8 {
      if isBitmap { return value == 0 ? 255 : 0 }
      if maximum == 255 { return UInt8(clamping: value) }
      return UInt8(clamping: Int((Double(value) / Double(maximum) * 255).rounded(.toNearestOrEven)))
    }

    func textPixels(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
      let count = width * height * channels
      // Every pixel takes at least one character.
      guard count <= bytes.count else { throw tooShort(bytes) }
      var result: [UInt8] = []
      result.reserveCapacity(count)
      var numbers = TextNumbers(bytes, at: start, file: file)
      for _ in 0..<count {
        result.append(
          scaled(isBitmap ? try numbers.nextDigit() : try numbers.next("a pixel", in: 0...maximum)))
      }
      return result
    }

    func bytePixels(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
      let width = width * channels
      let rowBytes = isBitmap ? (width + 7) / 8 : maximum > 255 ? width * 2 : width
      guard start <= bytes.count, height <= (bytes.count - start) / rowBytes else { throw tooShort(bytes) }
      return [UInt8](unsafeUninitializedCapacity: width * height) { result, made in
        for row in 0..<height {
          let line = start + row * rowBytes
          for column in 0..<width {
            let value =
              isBitmap
              ? Int(bytes[line + column / 8] >> UInt8(7 - column % 8)) & 1
              : maximum > 255
                ? Int(bytes[line + column * 2]) << 8 | Int(bytes[line + column * 2 + 1]) : Int(bytes[line + column])
            result[row * width + column] = scaled(value)
          }
        }
        made = width * height
      }
    }

    private func tooShort(_ bytes: UnsafeRawBufferPointer) -> FormatError {
      FormatError(
        file: file, offset: bytes.count, reason: "the file ends before its \(width) × \(height) pixels do",
        remedy: Self.remedy)
    }
  }

  /// Numbers in text, with spaces and comments between them.
  private struct TextNumbers {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset: Int
    private let file: String

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int, file: String) {
      self.bytes = bytes
      self.offset = offset
      self.file = file
    }

    private mutating func skipSpace() {
      while offset < bytes.count {
        if bytes[offset] == UInt8(ascii: "#") {
          while offset < bytes.count, bytes[offset] != 0x0a, bytes[offset] != 0x0d { offset += 1 }
        } else if PNM.isSpace(bytes[offset]) {
          offset += 1
        } else {
          return
        }
      }
    }

    mutating func next(_ what: String, in range: ClosedRange<Int>) throws -> Int {
      skipSpace()
      let start = offset
      var value = 0
      while offset < bytes.count, (0x30...0x39).contains(bytes[offset]), value <= Int(UInt32.max) {
        value = value * 10 + Int(bytes[offset]) - 0x30
        offset += 1
      }
      let isWhole = offset > start && (offset == bytes.count || PNM.isSpace(bytes[offset]) || bytes[offset] == 0x23)
      guard isWhole, range.contains(value) else { throw refused(what, range, at: start) }
      return value
    }

    mutating func nextDigit() throws -> Int {
      skipSpace()
      guard offset < bytes.count, (0x30...0x31).contains(bytes[offset]) else {
        throw refused("a pixel", 0...1, at: offset)
      }
      defer { offset += 1 }
      return Int(bytes[offset]) - 0x30
    }

    private func refused(_ what: String, _ range: ClosedRange<Int>, at place: Int) -> FormatError {
      FormatError(
        file: file, offset: place,
        reason: "\(what) is a number from \(range.lowerBound) to \(range.upperBound); here is something else",
        remedy: "The file is truncated or damaged; get it again")
    }
  }
}
