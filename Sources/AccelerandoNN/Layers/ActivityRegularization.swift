// A penalty on activities as a layer of its own, for any place in a model.

import AccelerandoCore

/// The input as it is; `l1 · Σ|x| + l2 · Σx²`, divided by the number of samples, is added to the loss.
public struct ActivityRegularization: ConfigurableLayer {
  /// The penalty.
  public let regularizer: L1L2
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  /// - Parameters:
  ///   - l1: the factor of the sum of magnitudes.
  ///   - l2: the factor of the sum of squares.
  ///   - name: the layer's name.
  public init(l1: Double = 0, l2: Double = 0, name: String? = nil) {
    regularizer = L1L2(l1: l1, l2: l2)
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    Scope.current?.regularize(x, by: regularizer)
    return x
  }

  public static var summary: String { "Adds a penalty on the input to the loss, and passes the input on." }

  public init(config: ConfigReader) throws {
    self.init(
      l1: try config.double("l1", default: 0, in: .notNegative),
      l2: try config.double("l2", default: 0, in: .notNegative), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("l1", Config(.double(regularizer.l1))), ("l2", Config(.double(regularizer.l2)))])
  }
}

extension ActivityRegularization {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
