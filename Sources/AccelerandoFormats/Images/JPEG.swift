// JPEG is how photographs come. libjpeg-turbo decodes it, several times faster than portable code could, through its
// TurboJPEG interface, which never leaves by a jump.

import Foundation

/// JPEG images, through libjpeg-turbo.
public enum JPEG {
  /// Whether libjpeg-turbo is on this machine.
  public static var isAvailable: Bool { (try? TurboJPEG.shared.get()) != nil }
}

extension JPEG: ImageDecoder {
  static func matches(_ start: [UInt8]) -> Bool { start.starts(with: [0xff, 0xd8, 0xff]) }

  static func header(_ contents: FileContents) throws -> ImageHeader {
    let found = try Session(contents).header()
    return ImageHeader(
      format: "JPEG", height: found.height, width: found.width, channels: found.space == .gray ? .gray : .rgb)
  }

  static func decode(_ contents: FileContents, _ header: ImageHeader, _ wanted: ImageChannels) throws -> Pixels {
    let session = try Session(contents)
    let found = try session.header()
    guard found.width == header.width, found.height == header.height else {
      throw FormatError(file: contents.name, reason: "the file changed while it was read")
    }
    if found.space == .inks { return try session.decoded(found, format: .inks, channels: 4).printed() }
    let format: TurboJPEG.PixelFormat =
      switch wanted {
      case .gray: .gray
      case .rgb: .rgb
      case .rgba: .rgba
      }
    return try session.decoded(found, format: format, channels: wanted.rawValue)
  }

  /// One file and a decoder for it.
  private final class Session {
    private let library: TurboJPEG
    private let handle: UnsafeMutableRawPointer
    private let contents: FileContents

    init(_ contents: FileContents) throws {
      self.contents = contents
      library = try TurboJPEG.shared.get()
      guard let handle = library.start() else {
        throw FormatError(file: contents.name, reason: "libjpeg-turbo cannot be started: there is no memory left")
      }
      self.handle = handle
    }

    deinit { _ = library.stop(handle) }

    struct Found {
      var width: Int
      var height: Int
      var space: TurboJPEG.ColorSpace
    }

    func header() throws -> Found {
      var (width, height, sampling, space): (Int32, Int32, Int32, Int32) = (0, 0, -1, -1)
      let status = contents.withUnsafeBytes { bytes in
        library.header(
          handle, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt(bytes.count), &width, &height, &sampling,
          &space)
      }
      // The library also complains about unusual sampling of colours, which only its other functions cannot handle.
      guard status == 0 || sampling < 0 && space >= 0, width > 0, height > 0 else { throw failure() }
      return Found(
        width: Int(width), height: Int(height), space: TurboJPEG.ColorSpace(rawValue: space) ?? .color)
    }

    func decoded(_ found: Found, format: TurboJPEG.PixelFormat, channels: Int) throws -> Pixels {
      let count = found.width * found.height * channels
      guard let width = Int32(exactly: found.width), let height = Int32(exactly: found.height),
        let pitch = Int32(exactly: found.width * channels)
      else { throw FormatError(file: contents.name, reason: "the image is too wide") }
      let bytes = try [UInt8](unsafeUninitializedCapacity: count) { pixels, made in
        let status = contents.withUnsafeBytes { bytes in
          library.decode(
            handle, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt(bytes.count), pixels.baseAddress,
            width, pitch, height, format.rawValue, TurboJPEG.accurateTransform)
        }
        guard status == 0 || isHarmless() else { throw failure() }
        made = count
      }
      return Pixels(height: found.height, width: found.width, channels: channels, bytes: bytes)
    }

    private var reason: String { library.reason(handle).map { String(cString: $0) } ?? "unknown" }

    /// Whether the library only noticed bytes between segments that belong to none: all pixels are there.
    private func isHarmless() -> Bool {
      library.code(handle) == TurboJPEG.warning && reason.contains("extraneous bytes before marker")
    }

    private func failure() -> FormatError {
      // "tjDecompress2(): Premature end of JPEG file"
      let text = reason.range(of: "(): ").map { String(reason[$0.upperBound...]) } ?? reason
      return FormatError(
        file: contents.name, reason: "cannot be decoded as JPEG: \(text)",
        remedy: "The file is truncated or damaged; get it again")
    }
  }
}

extension Pixels {
  /// Inks as files store them, 255 for none, turned into red, green and blue.
  fileprivate func printed() -> Pixels {
    let count = height * width
    let result = [UInt8](unsafeUninitializedCapacity: count * 3) { result, made in
      for pixel in 0..<count {
        let black = Int(bytes[pixel * 4 + 3])
        for channel in 0..<3 {
          let product = (255 - Int(bytes[pixel * 4 + channel])) * black + 128
          result[pixel * 3 + channel] = UInt8(clamping: black - ((product >> 8) + product) >> 8)
        }
      }
      made = count * 3
    }
    return Pixels(height: height, width: width, channels: 3, bytes: result)
  }
}

/// The functions of the TurboJPEG interface that are used.
private struct TurboJPEG: Sendable {
  typealias Handle = UnsafeMutableRawPointer
  typealias Number = UnsafeMutablePointer<Int32>

  let start: @convention(c) @Sendable () -> Handle?
  let stop: @convention(c) @Sendable (Handle) -> Int32
  let header: @convention(c) @Sendable (Handle, UnsafePointer<UInt8>?, UInt, Number, Number, Number, Number) -> Int32
  let decode:
    @convention(c) @Sendable (
      Handle, UnsafePointer<UInt8>?, UInt, UnsafeMutablePointer<UInt8>?, Int32, Int32, Int32, Int32, Int32
    ) -> Int32
  let reason: @convention(c) @Sendable (Handle) -> UnsafePointer<CChar>?
  let code: @convention(c) @Sendable (Handle) -> Int32

  /// TJPF: how pixels are delivered.
  enum PixelFormat: Int32 { case rgb = 0, gray = 6, rgba = 7, inks = 11 }

  /// TJCS: what a file holds.
  enum ColorSpace {
    case color, gray, inks

    init?(rawValue: Int32) {
      switch rawValue {
      case 0, 1: self = .color
      case 2: self = .gray
      case 3, 4: self = .inks
      default: return nil
      }
    }
  }

  /// TJFLAG_ACCURATEDCT: the transform that Pillow and browsers use.
  static let accurateTransform: Int32 = 4096
  /// TJERR_WARNING.
  static let warning: Int32 = 0

  /// The library, loaded once.
  static let shared = Result<TurboJPEG, any Error> {
    let library = try SystemLibrary(
      ["libturbojpeg.so.0", "libturbojpeg.so"], macName: "libturbojpeg.dylib", purpose: "to read JPEG images",
      packages: (apt: "libturbojpeg0", brew: "jpeg-turbo"))
    func function<Function>(_ name: String) throws -> Function { try library.function(name, as: Function.self) }
    return TurboJPEG(
      start: try function("tjInitDecompress"), stop: try function("tjDestroy"),
      header: try function("tjDecompressHeader3"), decode: try function("tjDecompress2"),
      reason: try function("tjGetErrorStr2"), code: try function("tjGetErrorCode"))
  }
}
