// All features of a sample in one axis.

import AccelerandoCore

/// `[N, …]` to `[N, features]`, row-major.
public struct Flatten: ConfigurableLayer {
  public let name: String?

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1 else { return x.rejected("needs an input with a batch axis; received a scalar.") }
    return x.reshaped([x.shape[0], Array(x.shape.dropFirst()).elementCount])
  }

  public static var summary: String { "All features of a sample in one axis: [N, …] to [N, features]." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }

  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}
