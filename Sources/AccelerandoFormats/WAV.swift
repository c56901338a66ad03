// Recorded sound in the form that every program writes: samples without compression behind a short header.

import AccelerandoCore
import Foundation

/// WAV files: PCM of 8, 16, 24 and 32 bits, and float32 or float64.
public struct WAV: Sendable {
  /// The samples as `float32[frames, channels]`. Those of whole numbers are scaled to −1 … 1.
  public let samples: NDArray
  /// The number of frames in a second.
  public let sampleRate: Int

  /// What the header says.
  public struct Header: Sendable, Hashable {
    /// The number of frames: of samples of each channel.
    public let frames: Int
    /// The number of channels.
    public let channels: Int
    /// The number of frames in a second.
    public let sampleRate: Int
    fileprivate let encoding: Encoding
    fileprivate let dataOffset: Int
  }

  /// How a sample is stored.
  fileprivate enum Encoding: Hashable {
    case integer(bytes: Int)
    case float32, float64

    var width: Int {
      switch self {
      case .integer(let bytes): bytes
      case .float32: 4
      case .float64: 8
      }
    }
  }

  /// Reads a file.
  /// - Throws: `FormatError` when it cannot be read, is no WAV file, is compressed, truncated or damaged.
  public init(_ url: URL) throws { try self.init(FileContents(url)) }

  /// Reads a file that is already open.
  public init(_ contents: FileContents) throws {
    let header = try Self.header(contents)
    sampleRate = header.sampleRate
    samples = try Self.samples(contents, header, 0..<header.frames)
  }

  /// Reads a part of a file's frames as `float32[frames, channels]`; silence follows where the file is shorter.
  /// - Parameters:
  ///   - contents: the file.
  ///   - count: the number of frames, from the first on.
  /// - Throws: `FormatError` as `init` does.
  public static func frames(_ contents: FileContents, count: Int) throws -> NDArray {
    let header = try header(contents)
    let read = try samples(contents, header, 0..<min(header.frames, max(count, 0)))
    guard read.shape[0] < count else { return read }
    var padded = NDArray(zeros: TensorType(.float32, [count, header.channels]))
    padded.withUnsafeMutableBytes { target in read.withUnsafeBytes { target.copyBytes(from: $0) } }
    return padded
  }

  /// Reads the header of a file.
  /// - Throws: `FormatError` as `init` does.
  public static func header(_ contents: FileContents) throws -> Header {
    var reader = ByteReader(contents)
    guard contents.count >= 12, try reader.bytes(4, of: "a WAV header") == Array("RIFF".utf8) else {
      throw FormatError.wrongKind(contents, expected: "a WAV file", remedy: "Convert it: ffmpeg -i FILE NEW.wav")
    }
    try reader.skip(4, of: "a WAV header")
    guard try reader.bytes(4, of: "a WAV header") == Array("WAVE".utf8) else {
      throw reader.error("is a RIFF file, but no WAV file", at: 8, remedy: "Convert it: ffmpeg -i FILE NEW.wav")
    }
    var format: (encoding: Encoding, channels: Int, rate: Int)?
    while contents.count - reader.offset >= 8 {
      let place = reader.offset
      let name = try reader.bytes(4, of: "a chunk")
      let size = Int(try reader.littleEndian(UInt32.self, of: "the size of a chunk"))
      let rest = contents.count - reader.offset
      if name == Array("fmt ".utf8) {
        format = try Self.format(&reader, size: size)
        try reader.skip(place + 8 + size - reader.offset, of: "the format")
      } else if name == Array("data".utf8) {
        guard let format else { throw reader.error("the samples come before their format", at: place) }
        // Programs that write to a pipe do not know the size.
        let isOpen = size == Int(UInt32.max) || size == 0
        guard isOpen || size <= rest else {
          throw reader.error(
            "the samples need \(size) bytes; the file has \(rest) left", at: place + 8,
            remedy: "The file is truncated; get it again")
        }
        let frame = format.encoding.width * format.channels
        return Header(
          frames: (isOpen ? rest : size) / frame, channels: format.channels, sampleRate: format.rate,
          encoding: format.encoding, dataOffset: place + 8)
      } else {
        try reader.skip(min(size, rest), of: "a chunk")
      }
      // Chunks begin at even places.
      if size % 2 == 1, reader.offset < contents.count { try reader.skip(1, of: "a chunk") }
    }
    throw reader.error(
      format == nil ? "has no format" : "has no samples", remedy: "The file is truncated or damaged; get it again")
  }

  private static func format(
    _ reader: inout ByteReader, size: Int
  ) throws -> (encoding: Encoding, channels: Int, rate: Int) {
    let place = reader.offset
    guard size >= 16 else { throw reader.error("the format has \(size) bytes; it needs 16") }
    var tag = try reader.littleEndian(UInt16.self, of: "the format")
    let channels = Int(try reader.littleEndian(UInt16.self, of: "the number of channels"))
    let rate = Int(try reader.littleEndian(UInt32.self, of: "the sampling rate"))
    try reader.skip(4, of: "the bytes per second")
    let frame = Int(try reader.littleEndian(UInt16.self, of: "the size of a frame"))
    let bits = Int(try reader.littleEndian(UInt16.self, of: "the bits of a sample"))
    // The extensible form repeats the kind of samples at the beginning of an identifier.
    if tag == 0xFFFE, size >= 26 {
      try reader.skip(8, of: "the extension of the format")
      tag = try reader.littleEndian(UInt16.self, of: "the kind of samples")
    }
    let encoding: Encoding
    switch (tag, bits) {
    case (1, 8), (1, 16), (1, 24), (1, 32): encoding = .integer(bytes: bits / 8)
    case (3, 32): encoding = .float32
    case (3, 64): encoding = .float64
    default:
      throw reader.error(
        "the samples are of kind \(tag) with \(bits) bits; PCM (1) of 8, 16, 24 or 32 bits and floating point (3) are read",
        at: place, remedy: "Convert it: ffmpeg -i FILE -c:a pcm_s16le NEW.wav")
    }
    guard channels > 0, rate > 0, frame == channels * encoding.width else {
      throw reader.error(
        "\(channels) channels of \(bits) bits at \(rate) Hz do not make frames of \(frame) bytes", at: place,
        remedy: "The file is damaged; get it again")
    }
    return (encoding, channels, rate)
  }

  private static func samples(_ contents: FileContents, _ header: Header, _ frames: Range<Int>) throws -> NDArray {
    let width = header.encoding.width
    let frame = width * header.channels
    let range = header.dataOffset + frames.lowerBound * frame..<header.dataOffset + frames.upperBound * frame
    var result = NDArray(zeros: TensorType(.float32, [frames.count, header.channels]))
    try contents.withUnsafeBytes(range) { bytes in
      result.withUnsafeMutableBytes { target in
        let numbers = target.bindMemory(to: Float.self)
        switch header.encoding {
        case .float32:
          for index in numbers.indices {
            numbers[index] = Float(
              bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
          }
        case .float64:
          for index in numbers.indices {
            numbers[index] = Float(
              Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))))
          }
        case .integer(bytes: 1):
          // The only one without a sign.
          for index in numbers.indices { numbers[index] = (Float(bytes[index]) - 128) / 128 }
        case .integer:
          for index in numbers.indices {
            // The highest byte goes to the top of 32 bits, so that the sign is in its place.
            var bits: UInt32 = 0
            for byte in 0..<width { bits |= UInt32(bytes[index * width + byte]) << UInt32(32 - 8 * (width - byte)) }
            numbers[index] = Float(Double(Int32(bitPattern: bits)) / 0x1p31)
          }
        }
      }
    }
    return result
  }
}
