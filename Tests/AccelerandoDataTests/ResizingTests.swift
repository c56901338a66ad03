import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoData

/// Numbers from Keras' loader, which keeps fractions: ours are rounded to bytes.
@Suite struct ResizingTests {
  private static let archive = Result {
    try Safetensors.read(
      URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Goldens/data/images.safetensors")
        .standardized)
  }

  struct Case: Codable {
    struct Settings: Codable {
      let interpolation: String?
      let aspectRatio: String?
      let size: [Int]?

      enum CodingKeys: String, CodingKey {
        case interpolation, size
        case aspectRatio = "aspect_ratio"
      }
    }
    let name: String
    let kind: String
    let config: Settings
    let tensors: [String: String]
  }

  @Test func resizedPixelsAreThoseOfKerasRounded() throws {
    let file = try Self.archive.get()
    let cases = try JSONDecoder().decode([Case].self, from: Data((file.metadata["cases"] ?? "").utf8))
      .filter { $0.kind == "resize" }
    #expect(cases.count == 24)
    for golden in cases {
      func tensor(_ role: String) throws -> NDArray {
        try #require(file.tensors.first { $0.name == golden.tensors[role] }?.value)
      }
      let (image, expected) = (try tensor("image"), try tensor("result"))
      let sides = try #require(golden.config.size)
      let size = ImageForm.Size(height: sides[0], width: sides[1])
      let form = ImageForm(
        size: size, interpolation: try #require(Interpolation(rawValue: golden.config.interpolation ?? "")),
        aspectRatio: try #require(ImageForm.AspectRatio(rawValue: golden.config.aspectRatio ?? "")))
      let pixels = Pixels(
        height: image.shape[0], width: image.shape[1], channels: image.shape[2], bytes: image.elements(as: UInt8.self))
      let resized = pixels.resized(to: size, form)
      let differences = zip(resized.bytes, expected.elements(as: Float.self)).map { byte, value in
        (Float(byte) - min(max(value, 0), 255)).magnitude
      }
      #expect(resized.bytes.count == expected.elementCount)
      #expect((differences.max() ?? 0) < 0.501, "\(golden.name)")
    }
  }
}
