// Dropout: while training, a random part of the features is set to zero, a different one in each step.

import AccelerandoCore

/// While training, sets each element to zero with probability `rate` and divides the others by 1 − `rate`; otherwise
/// changes nothing.
public struct Dropout: ConfigurableLayer {
  /// The probability of zero, 0 to 1.
  public let rate: Double
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(_ rate: Double, name: String? = nil) {
    self.rate = rate
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let scope = Scope.current, scope.isTraining, rate > 0 else { return x }
    return scope.dropout(x, rate: rate)
  }

  public static var summary: String {
    "While training, sets elements to zero with probability rate and scales the others up."
  }

  public init(config: ConfigReader) throws {
    self.init(try config.double("rate", in: .fraction), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "rate": Config(.double(rate))])
  }
}
