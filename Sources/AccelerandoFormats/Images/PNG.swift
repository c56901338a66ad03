// PNG is the form in which pictures go into reports and contact sheets: every browser and viewer reads it, and it needs
// nothing but zlib.

import AccelerandoCore
import CZlib
import Foundation

/// PNG images.
public enum PNG {
  static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// The bytes of a PNG file.
  /// - Parameter image: uint8 `[height, width, channels]`: 1 channel is gray, 3 are red, green and blue, 4 have opacity
  ///   too.
  /// - Returns: the bytes; the same image gives the same bytes.
  /// - Throws: `FormatError` when the array is no such image.
  public static func encoded(_ image: NDArray) throws -> [UInt8] {
    let shape = image.type.shape
    let colorTypes: [Int: UInt8] = [1: 0, 3: 2, 4: 6]
    guard image.dtype == .uint8, shape.count == 3, let colorType = colorTypes[shape[2]],
      (1...maximumSide).contains(shape[0]), (1...maximumSide).contains(shape[1])
    else {
      throw FormatError(
        file: "PNG", reason: "an array \(image.type) cannot be written as an image",
        remedy: "Images are uint8 [height, width, channels] with 1, 3 or 4 channels")
    }
    let (height, width, channels) = (shape[0], shape[1], shape[2])
    var result = signature
    try appendChunk(
      "IHDR", bigEndian(width) + bigEndian(height) + [8, colorType, 0, 0, 0], to: &result)
    let lines = image.withUnsafeBytes { filtered($0, height: height, rowBytes: width * channels, pixelBytes: channels) }
    try appendChunk("IDAT", try lines.withUnsafeBytes { try deflated($0, level: 6, windowBits: 15) }, to: &result)
    try appendChunk("IEND", [], to: &result)
    return result
  }

  /// The largest width and height that fit into a header.
  private static let maximumSide = Int(Int32.max)

  /// Every row behind a byte that names its filter: of three filters the one that leaves the smallest differences,
  /// which compress best.
  private static func filtered(
    _ bytes: UnsafeRawBufferPointer, height: Int, rowBytes: Int, pixelBytes: Int
  ) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(height * (rowBytes + 1))
    var candidates = [[UInt8]](repeating: [UInt8](repeating: 0, count: rowBytes), count: 3)
    for row in 0..<height {
      let start = row * rowBytes
      var costs = [0, 0, 0]
      for column in 0..<rowBytes {
        let value = bytes[start + column]
        let left = column >= pixelBytes ? bytes[start + column - pixelBytes] : 0
        let above = row > 0 ? bytes[start + column - rowBytes] : 0
        for filter in 0..<3 {
          let difference = value &- (filter == 0 ? 0 : filter == 1 ? left : above)
          candidates[filter][column] = difference
          costs[filter] += Int(Int8(bitPattern: difference).magnitude)
        }
      }
      let best = costs.indices.min { costs[$0] < costs[$1] } ?? 0
      result.append(UInt8(best))
      result.append(contentsOf: candidates[best])
    }
    return result
  }

  /// Length, name, contents and checksum.
  private static func appendChunk(_ name: String, _ contents: [UInt8], to result: inout [UInt8]) throws {
    guard contents.count <= maximumSide else {
      throw FormatError(file: "PNG", reason: "the image is too large for a PNG file")
    }
    let body = Array(name.utf8) + contents
    let checksum = crc32(crc32(0, nil, 0), body, UInt32(body.count))
    result += bigEndian(contents.count) + body + bigEndian(Int(checksum))
  }

  private static func bigEndian(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }
}
