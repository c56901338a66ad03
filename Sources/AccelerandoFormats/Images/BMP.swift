// BMP is what scanners, instruments and old programs write. The format is a header and rows of pixels, so it is read here.

import Foundation

/// BMP images without compression.
public enum BMP {}

extension BMP: ImageDecoder {
  static func matches(_ start: [UInt8]) -> Bool { start.starts(with: Array("BM".utf8)) }

  static func header(_ contents: FileContents) throws -> ImageHeader {
    let layout = try Layout(contents)
    return ImageHeader(
      format: "BMP", height: layout.height, width: layout.width, channels: layout.hasOpacity ? .rgba : .rgb)
  }

  static func decode(_ contents: FileContents, _ header: ImageHeader, _ wanted: ImageChannels) throws -> Pixels {
    let layout = try Layout(contents)
    // Rows begin at multiples of four bytes. The header has been checked, so that nothing here can overflow.
    let rowBytes = (layout.width * layout.depth + 31) / 32 * 4
    let channels = layout.hasOpacity ? 4 : 3
    let data = try ByteReader(contents, at: layout.start).all(layout.height * rowBytes, of: "the image")
    return try contents.withUnsafeBytes(data) { bytes in
      var pixels = [UInt8](repeating: 255, count: layout.height * layout.width * channels)
      for row in 0..<layout.height {
        let line = (layout.isTopDown ? row : layout.height - 1 - row) * rowBytes
        for column in 0..<layout.width {
          let target = (row * layout.width + column) * channels
          let color = try layout.color(bytes, line: line, column: column, file: contents.name)
          for channel in 0..<channels { pixels[target + channel] = color[channel] }
        }
      }
      return Pixels(height: layout.height, width: layout.width, channels: channels, bytes: pixels)
    }
  }

  /// What the header says.
  private struct Layout {
    var width: Int
    var height: Int
    var isTopDown: Bool
    /// The bits of a pixel.
    var depth: Int
    /// Where the pixels begin.
    var start: Int
    /// Red, green and blue of each index.
    var palette: [SIMD4<UInt8>] = []
    /// The bits of red, green, blue and opacity in a pixel of 16 or 32 bits.
    var masks: SIMD4<UInt32> = [0, 0, 0, 0]

    var hasOpacity: Bool { masks[3] != 0 }

    init(_ contents: FileContents) throws {
      var reader = ByteReader(contents, at: 10)
      start = Int(try reader.littleEndian(UInt32.self, of: "the header"))
      let headerSize = Int(try reader.littleEndian(UInt32.self, of: "the header"))
      var compression: UInt32 = 0
      var colors = 0
      if headerSize == 12 {
        width = Int(try reader.littleEndian(UInt16.self, of: "the width"))
        height = Int(try reader.littleEndian(UInt16.self, of: "the height"))
        isTopDown = false
        try reader.skip(2, of: "the header")
        depth = Int(try reader.littleEndian(UInt16.self, of: "the depth"))
      } else {
        guard (40...1024).contains(headerSize) else {
          throw reader.error("is a BMP file of an unknown version", at: 14)
        }
        width = Int(Int32(bitPattern: try reader.littleEndian(UInt32.self, of: "the width")))
        let signedHeight = Int(Int32(bitPattern: try reader.littleEndian(UInt32.self, of: "the height")))
        height = abs(signedHeight)
        isTopDown = signedHeight < 0
        try reader.skip(2, of: "the header")
        depth = Int(try reader.littleEndian(UInt16.self, of: "the depth"))
        compression = try reader.littleEndian(UInt32.self, of: "the compression")
        try reader.skip(12, of: "the header")
        colors = Int(try reader.littleEndian(UInt32.self, of: "the number of colours"))
      }
      guard width > 0, height > 0 else { throw reader.error("the image has no pixels: \(width) × \(height)", at: 18) }
      guard [1, 4, 8, 16, 24, 32].contains(depth) else {
        throw reader.error("pixels of \(depth) bits do not occur in BMP files", at: 28)
      }
      guard compression == 0 || [3, 6].contains(compression) && [16, 32].contains(depth) else {
        throw reader.error(
          "compressed BMP files (method \(compression)) are not read", at: 30,
          remedy: "Save it without compression, or as PNG")
      }
      // 2³¹ × 2³¹ pixels of 32 bits fit into an Int, but no memory is asked for that many.
      if depth <= 8 {
        try readPalette(contents, at: 14 + headerSize, count: colors, width: headerSize == 12 ? 3 : 4)
      } else if compression == 0 {
        masks = depth == 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0]
      } else {
        // They stand behind the first version of the header, and inside the later ones.
        var fields = ByteReader(contents, at: 54)
        for index in 0..<3 { masks[index] = try fields.littleEndian(UInt32.self, of: "the masks") }
        if headerSize >= 56 || compression == 6 {
          masks[3] = try fields.littleEndian(UInt32.self, of: "the masks")
        }
      }
    }

    private mutating func readPalette(_ contents: FileContents, at offset: Int, count: Int, width: Int) throws {
      let most = 1 << depth
      var reader = ByteReader(contents, at: offset)
      // A wrong count is common; the pixels say where the palette has to end.
      let room = start > offset ? (start - offset) / width : most
      for _ in 0..<min(count == 0 ? most : min(count, most), room) {
        let entry = try reader.bytes(width, of: "the palette")
        palette.append([entry[2], entry[1], entry[0], 255])
      }
    }

    /// The colour of a pixel. The row has as many bytes as the width needs.
    func color(_ bytes: UnsafeRawBufferPointer, line: Int, column: Int, file: String) throws -> SIMD4<UInt8> {
      switch depth {
      case 24:
        let place = line + column * 3
        return [bytes[place + 2], bytes[place + 1], bytes[place], 255]
      case 16, 32:
        let width = depth / 8
        let value = (0..<width).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[line + column * width + $1]) }
        var color: SIMD4<UInt8> = [0, 0, 0, 255]
        for channel in 0..<4 where masks[channel] != 0 {
          let mask = masks[channel]
          let shift = UInt32(mask.trailingZeroBitCount)
          let (part, most) = (UInt64((value & mask) >> shift), UInt64(mask >> shift))
          color[channel] = UInt8(truncatingIfNeeded: part * 255 / most)
        }
        return color
      default:
        let bit = column * depth
        let shift = 8 - depth - bit % 8
        let index = Int(bytes[line + bit / 8] >> UInt8(shift)) & (1 << depth - 1)
        guard index < palette.count else {
          throw FormatError(
            file: file, offset: start + line + bit / 8,
            reason: "a pixel has colour \(index) of a palette of \(palette.count)",
            remedy: "The file is damaged; get it again")
        }
        return palette[index]
      }
    }
  }
}

extension ByteReader {
  /// The places of the next `count` bytes, if the file has them.
  func all(_ count: Int, of what: String) throws -> Range<Int> {
    var end = self
    try end.skip(count, of: what)
    return offset..<offset + count
  }
}
