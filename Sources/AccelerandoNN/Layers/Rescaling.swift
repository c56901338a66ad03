// Scales inputs, such as the bytes of an image, to a range in which networks learn well.

import AccelerandoCore

/// `x · scale + offset`, elementwise.
public struct Rescaling: ConfigurableLayer {
  /// The factor: 1/255 for images of bytes.
  public let scale: Double
  /// The offset to add.
  public let offset: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ scale: Double, offset: Double = 0, name: String? = nil) {
    self.scale = scale
    self.offset = offset
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor { offset == 0 ? x * scale : x * scale + offset }

  public static var summary: String { "x · scale + offset." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("scale"), offset: try config.double("offset", default: 0),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "scale": Config(.double(scale)), "offset": Config(.double(offset)),
    ])
  }
}

extension Rescaling {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
