// Sequences of different lengths in one batch: elements that only fill up are marked.

import AccelerandoCore

/// Marks the elements of `[N, T, …, features]` whose features all equal a value: they become zero, and layers that use
/// masks skip them.
public struct Masking: ConfigurableLayer {
  /// The value of features that do not count.
  public let maskValue: Double
  public let name: String?

  /// Makes the layer.
  public init(maskValue: Double = 0, name: String? = nil) {
    self.maskValue = maskValue
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 2 else { return x.rejected("needs sequences [N, T, features]; received \(x.shape).") }
    let counts = x.notEqual(to: x.filled(maskValue)).any(axes: [x.rank - 1])
    let kept = counts.expandingDims(-1).broadcast(to: x.shape)
    return select(kept, x, x.zerosLike()).masked(by: counts)
  }

  public static var summary: String { "Marks elements of sequences whose features all have a value, to be skipped." }

  public init(config: ConfigReader) throws {
    self.init(maskValue: try config.double("mask_value", default: 0), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "mask_value": Config(.double(maskValue))])
  }
}
