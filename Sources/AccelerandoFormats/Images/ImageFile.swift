// Pictures come as files of several formats. Here the format is found by the first bytes, sizes are checked before any
// memory is taken, and whatever is in the file becomes bytes [height, width, channels].

import AccelerandoCore
import Foundation

/// The channels of an image.
public enum ImageChannels: Int, CaseIterable, Hashable, Sendable {
  /// Brightness.
  case gray = 1
  /// Red, green and blue.
  case rgb = 3
  /// Red, green, blue and opacity.
  case rgba = 4
}

/// What the beginning of an image file says.
public struct ImageHeader: Hashable, Sendable {
  /// The format: JPEG, PNG, BMP or PNM.
  public var format: String
  /// The number of rows.
  public var height: Int
  /// The number of columns.
  public var width: Int
  /// The channels that the image is read with when none are asked for.
  public var channels: ImageChannels
}

/// Image files: JPEG, PNG, BMP, and PGM, PPM and PBM.
///
/// Pixels are those that Pillow shows. JPEG is decoded by libjpeg-turbo and PNG by libpng, which are loaded when the first
/// such file is read. 16-bit channels are cut to their upper 8 bits. Orientation tags of cameras are not applied.
public enum ImageFile {
  /// The endings of the names of image files, in lower case.
  public static let fileExtensions = ["bmp", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm"]

  /// The most pixels that are decoded unless another limit is given: a file of a few bytes can claim billions.
  public static let defaultPixelLimit = 100_000_000

  /// Reads an image.
  /// - Parameters:
  ///   - url: the file.
  ///   - channels: the channels to read; nil for those in the file. Gray is 0.299 red + 0.587 green + 0.114 blue;
  ///     opacity is dropped, or full where the file has none.
  ///   - pixelLimit: the most pixels to decode.
  /// - Returns: uint8 `[height, width, channels]`.
  /// - Throws: `FormatError` when the file cannot be read, is damaged or truncated, is of another format or larger than
  ///   the limit, or the library that decodes it is missing.
  public static func read(
    _ url: URL, channels: ImageChannels? = nil, pixelLimit: Int = defaultPixelLimit
  ) throws -> NDArray {
    try read(FileContents(url), channels: channels, pixelLimit: pixelLimit)
  }

  /// Reads an image.
  /// - Parameters:
  ///   - contents: the file.
  ///   - channels: the channels to read; nil for those in the file.
  ///   - pixelLimit: the most pixels to decode.
  /// - Returns: uint8 `[height, width, channels]`.
  /// - Throws: `FormatError`, as the other function.
  public static func read(
    _ contents: FileContents, channels: ImageChannels? = nil, pixelLimit: Int = defaultPixelLimit
  ) throws -> NDArray {
    let image = try pixels(contents, channels: channels, pixelLimit: pixelLimit)
    return try NDArray(image.bytes, shape: [image.height, image.width, image.channels])
  }

  /// What the beginning of a file says, without decoding it.
  /// - Throws: `FormatError` when the file is damaged or of another format.
  public static func header(_ contents: FileContents) throws -> ImageHeader {
    let decoder = try decoder(of: contents)
    let header = try decoder.header(contents)
    guard header.height > 0, header.width > 0 else {
      throw FormatError(file: contents.name, reason: "the image has no pixels: \(header.width) × \(header.height)")
    }
    return header
  }

  /// The bytes of an image.
  package static func pixels(
    _ contents: FileContents, channels: ImageChannels?, pixelLimit: Int = defaultPixelLimit
  ) throws -> Pixels {
    let header = try header(contents)
    let (count, overflow) = header.width.multipliedReportingOverflow(by: header.height)
    guard !overflow, count <= min(pixelLimit, mostPixels) else {
      throw FormatError(
        file: contents.name,
        reason:
          "claims \(header.width) × \(header.height) pixels, more than the \(min(pixelLimit, mostPixels)) allowed",
        remedy: "Raise the limit if the file is what it should be")
    }
    return try decoder(of: contents).decode(contents, header, channels ?? header.channels)
      .converted(to: channels ?? header.channels)
  }

  /// Sizes computed from fewer pixels never overflow.
  private static let mostPixels = 1 << 40

  private static func decoder(of contents: FileContents) throws -> any ImageDecoder.Type {
    let start = contents.withUnsafeBytes { Array($0.prefix(8)) }
    let decoders: [any ImageDecoder.Type] = [JPEG.self, PNG.self, BMP.self, PNM.self]
    if let found = decoders.first(where: { $0.matches(start) }) { return found }
    throw FormatError.wrongKind(contents, expected: "an image", remedy: "JPEG, PNG, BMP, PGM and PPM are read")
  }
}

/// A format of images.
protocol ImageDecoder {
  /// Whether a file that begins so is of this format.
  static func matches(_ start: [UInt8]) -> Bool
  /// What the beginning says.
  static func header(_ contents: FileContents) throws -> ImageHeader
  /// The pixels, with the wanted channels where that is cheaper than converting them afterwards. The header has been
  /// checked.
  static func decode(_ contents: FileContents, _ header: ImageHeader, _ wanted: ImageChannels) throws -> Pixels
}

/// Bytes `[height, width, channels]`; two channels are gray and opacity.
package struct Pixels {
  package var height: Int
  package var width: Int
  package var channels: Int
  package var bytes: [UInt8]

  package init(height: Int, width: Int, channels: Int, bytes: [UInt8]) {
    self.height = height
    self.width = width
    self.channels = channels
    self.bytes = bytes
  }

  /// The image with other channels.
  func converted(to wanted: ImageChannels) -> Pixels {
    if channels == wanted.rawValue { return self }
    let (source, target, count) = (channels, wanted.rawValue, height * width)
    let result = [UInt8](unsafeUninitializedCapacity: count * target) { result, made in
      bytes.withUnsafeBufferPointer { bytes in
        for pixel in 0..<count {
          let (from, to) = (pixel * source, pixel * target)
          let isGray = source < 3
          let (red, green, blue) = (bytes[from], bytes[isGray ? from : from + 1], bytes[isGray ? from : from + 2])
          if target == 1 {
            result[to] = isGray ? red : Self.gray(red, green, blue)
          } else {
            result[to] = red
            result[to + 1] = green
            result[to + 2] = blue
            if target == 4 { result[to + 3] = source == 2 ? bytes[from + 1] : 255 }
          }
        }
      }
      made = count * target
    }
    return Pixels(height: height, width: width, channels: target, bytes: result)
  }

  /// The brightness of a colour by ITU-R BT.601, in 16 bits behind the point.
  private static func gray(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let sum = UInt32(red) * 19595 + UInt32(green) * 38470 + UInt32(blue) * 7471
    return UInt8(truncatingIfNeeded: (sum + 0x8000) >> 16)
  }
}
