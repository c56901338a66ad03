// PNG has palettes, interlacing, five filters and seven kinds of pixels; libpng knows them all.

import CPNG
import Foundation

extension PNG {
  /// Whether libpng is on this machine.
  public static var isAvailable: Bool { (try? library.get()) != nil }

  /// The library, loaded once.
  private static let library = Result<SystemLibrary, any Error> {
    let library = try SystemLibrary(
      ["libpng16.so.16", "libpng16.so"], macName: "libpng16.dylib", purpose: "to read PNG images",
      packages: (apt: "libpng16-16", brew: "libpng"))
    if let missing = acc_png_load(library.handle) {
      throw FormatError(
        file: "libpng", reason: "the library has no function '\(String(cString: missing))'",
        remedy: "Install a newer version")
    }
    return library
  }
}

extension PNG: ImageDecoder {
  static func matches(_ start: [UInt8]) -> Bool { start.starts(with: signature) }

  static func header(_ contents: FileContents) throws -> ImageHeader {
    let found = try read(contents, into: nil)
    let channels: ImageChannels = found.channels == 1 ? .gray : found.channels == 3 ? .rgb : .rgba
    return ImageHeader(format: "PNG", height: Int(found.height), width: Int(found.width), channels: channels)
  }

  static func decode(_ contents: FileContents, _ header: ImageHeader, _ wanted: ImageChannels) throws -> Pixels {
    let channels = Int(try read(contents, into: nil).channels)
    let count = header.height * header.width * channels
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { pixels, made in
      _ = try read(contents, into: UnsafeMutableBufferPointer(rebasing: pixels[..<count]))
      made = count
    }
    return Pixels(height: header.height, width: header.width, channels: channels, bytes: bytes)
  }

  private static func read(
    _ contents: FileContents, into pixels: UnsafeMutableBufferPointer<UInt8>?
  ) throws -> AccPNGHeader {
    _ = try library.get()
    var header = AccPNGHeader()
    return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { message in
      let isRead = contents.withUnsafeBytes { bytes in
        acc_png_read(
          bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &header, pixels?.baseAddress,
          pixels?.count ?? 0, message.baseAddress)
      }
      guard isRead == 1 else {
        throw FormatError(
          file: contents.name,
          reason: "cannot be decoded as PNG: \(message.baseAddress.map { String(cString: $0) } ?? "unknown")",
          remedy: "The file is truncated or damaged; get it again")
      }
      return header
    }
  }
}
