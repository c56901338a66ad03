// An activation as a layer of its own. In a `Sequential` block, `Activation.relu` alone is one.

import AccelerandoCore

/// An elementwise function, or softmax along the last axis.
public struct ActivationLayer: ConfigurableLayer {
  /// The function.
  public let activation: Activation
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ activation: Activation, name: String? = nil) {
    self.activation = activation
    self.name = name
  }

  public static var layerName: String { "Activation" }
  public static var summary: String { "An activation function." }
  public var typeName: String { "Activation" }

  public func forward(_ x: Tensor) -> Tensor { activation(x) }

  public init(config: ConfigReader) throws {
    self.init(try config.activation("activation"), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(["name": name.map { Config(.string($0)) }, "activation": try Catalog.activations.config(of: activation)])
  }
}

extension ActivationLayer {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.followed(by: activation) }
}
