// All features of a sample in one axis.

import AccelerandoCore

/// `[N, …]` to `[N, features]`, row-major. Inputs with channels first are turned before, so that the features are in the
/// order that they have with channels last.
public struct Flatten: ConfigurableLayer {
  /// Where the channels are.
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.dataFormat = dataFormat
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1 else { return x.rejected("needs an input with a batch axis; received a scalar.") }
    let isTurned = dataFormat == .channelsFirst && x.rank > 2
    let rows = isTurned ? x.transposed([0] + Array(2..<x.rank) + [1]) : x
    return rows.reshaped([x.shape[0], Array(x.shape.dropFirst()).elementCount])
  }

  public static var summary: String { "All features of a sample in one axis: [N, …] to [N, features]." }

  public init(config: ConfigReader) throws {
    self.init(dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config { Config(name: name, [("data_format", dataFormat.config)]) }
}

extension Flatten {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow {
    // Of a vector for each sample, or a number, there is nothing to be made flat.
    (inputs.first?.rank ?? 0) >= 2 ? ChannelFlow(.tiled).where(dataFormat) : .mixed
  }
}
