// Layers one after the other: the shape of most models.

import AccelerandoCore

/// Applies layers in order, each to the result of the one before.
public struct Sequential: Layer {
  /// The layers, first to last.
  public let layers: [any Layer]
  public let name: String?

  /// Makes a model of the layers in the block; `if`, `for` and arrays of layers work inside it.
  public init(name: String? = nil, @LayerBuilder _ layers: () -> [any Layer]) {
    self.init(layers(), name: name)
  }

  /// Makes a model of the layers in an array.
  public init(_ layers: [any Layer], name: String? = nil) {
    self.layers = layers
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    var before = "input"
    var counts: [String: Int] = [:]
    return layers.reduce(x) { x, layer in
      guard layer.outputCount == 1 else {
        return x.rejected(
          "takes layers with one output; '\(layer.name ?? layer.typeName)' has \(layer.outputCount). "
            + "Describe the model as a graph of layers.")
      }
      defer { before = layer.name ?? numbered(snakeCase(layer.typeName), &counts) }
      return layer.called([x], name: nil, reads: [before])[0]
    }
  }
}

extension Sequential: ConfigurableLayer {
  public static var summary: String { "Layers one after the other, as one layer." }

  public init(config: ConfigReader) throws {
    self.init(try config.layers("layers"), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(["name": name.map { Config(.string($0)) }, "layers": Config(.array(try layers.map { try Config(of: $0) }))])
  }
}

/// Collects the layers of a block.
@resultBuilder public enum LayerBuilder {
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  public static func buildExpression(_ activation: Activation) -> [any Layer] { [ActivationLayer(activation)] }
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap { $0 } }
  public static func buildLimitedAvailability(_ part: [any Layer]) -> [any Layer] { part }
}
