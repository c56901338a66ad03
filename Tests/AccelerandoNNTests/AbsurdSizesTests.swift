// Sizes that no tensor has are answered with an error: arithmetic on them must not overflow on the way to it.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct AbsurdSizesTests {
  private static let huge = Int(Int32.max)

  static let layers: [any Layer] = [
    Conv2D(4, kernelSize: (3, 3), padding: .same, dilation: (huge, huge)),
    Conv2D(4, kernelSize: (huge, huge), padding: .same),
    Conv2D(4, kernelSize: (huge, huge)),
    MaxPooling2D(poolSize: (huge, huge), padding: .same),
    AveragePooling2D(poolSize: (huge, huge), padding: .same),
  ]

  @Test(arguments: layers.indices)
  func aLayerOfAbsurdSizeIsRefused(_ index: Int) {
    #expect(throws: GraphError.self) {
      try Outline(of: Self.layers[index], inputs: [TensorType(.float32, [2, 28, 28, 1])])
    }
  }

  @Test func aStrideBeyondTheImageGivesOneWindow() throws {
    let layer = Conv2D(4, kernelSize: (3, 3), strides: (Self.huge, Self.huge))
    let outline = try Outline(of: layer, inputs: [TensorType(.float32, [2, 28, 28, 1])])
    #expect(outline.output.shape == [2, 1, 1, 4])
  }

  @Test(arguments: ["9223372036854775807", "4294967296", "-4294967296"])
  func aSettingBeyondThirtyTwoBitsIsRefusedByName(_ number: String) throws {
    let config = Config(["units": Config(.int(try #require(Int(number))))])
    #expect(throws: ConfigError.self) { try ConfigReader(config, subject: "Dense").int("units") }
  }
}
