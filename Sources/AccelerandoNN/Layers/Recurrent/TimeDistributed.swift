// A layer for single elements, applied to each element of sequences.

import AccelerandoCore

/// The same layer for each element of sequences: `[N, T, …]` to `[N, T, …]`. All elements go through the layer as one
/// batch.
public struct TimeDistributed: ConfigurableLayer, TrainableLayer {
  /// The layer that is applied.
  public let layer: any Layer
  public let name: String?
  public var options = LayerOptions()

  /// Makes the layer.
  public init(_ layer: any Layer, name: String? = nil) {
    self.layer = layer
    self.name = name
  }

  public var acceptsIntegers: Bool { layer.acceptsIntegers }
  public var passesMask: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 2 else { return x.rejected("needs sequences [N, T, …]; received \(x.shape).") }
    guard layer.outputCount == 1 else {
      return x.rejected("takes a layer with one output; '\(layer.typeName)' has \(layer.outputCount).")
    }
    let (batch, time) = (x.shape[0], x.shape[1])
    let y = layer.called([x.reshaped([batch * time] + x.shape.dropFirst(2))], name: "layer")[0]
    guard y.rank >= 1, y.shape[0] == batch * time else {
      return x.rejected("needs a layer that keeps the batch axis; received \(y.shape) from '\(layer.typeName)'.")
    }
    return y.reshaped([batch, time] + y.shape.dropFirst())
  }

  public static var summary: String { "The same layer for each element of sequences: [N, T, …] to [N, T, …]." }

  public init(config: ConfigReader) throws {
    self.init(
      config.isDescribing ? Self.described(config) : try config.layer("layer"), name: try config.optionalString("name"))
  }

  private static func described(_ config: ConfigReader) -> any Layer {
    _ = try? config.required("layer", kind: "a layer")
    return Flatten()
  }

  public func config() throws -> Config {
    Config(["name": name.map { Config(.string($0)) }, "layer": try Config(of: layer)])
  }
}
