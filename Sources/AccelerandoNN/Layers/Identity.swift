// A layer that changes nothing: a place that a name can be given to.

import AccelerandoCore

/// The input itself.
public struct Identity: ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor { x }

  public static var summary: String { "The input itself." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(name: name, []) }
}

extension Identity {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
