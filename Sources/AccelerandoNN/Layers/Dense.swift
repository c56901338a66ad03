// The fully connected layer.

import AccelerandoCore

/// `activation(x · weight + bias)` on the last axis: `[N, …, inputs]` to `[N, …, units]`.
public struct Dense: ConfigurableLayer {
  /// The size of the output's last axis.
  public let units: Int
  /// Applied to the result.
  public let activation: Activation
  /// Whether a bias is added.
  public let usesBias: Bool
  public let name: String?
  public var passesMask: Bool { true }
  let weight: Parameter
  let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - units: the number of outputs.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - weightInitializer: of the weight, `[inputs, units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .linear, usesBias: Bool = true,
    weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.units = units
    self.activation = activation
    self.usesBias = usesBias
    self.name = name
    weight = Parameter(weightInitializer)
    bias = Parameter(biasInitializer)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 2 else { return x.rejected("needs an input [N, …, features]; received \(x.shape).") }
    let product = x.matmul(weight[x.dim(-1), units])
    return activation(usesBias ? product + bias[units] : product)
  }

  public static var summary: String { "The fully connected layer, on the last axis: [N, …, inputs] to [N, …, units]." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.int("units", in: .counts), activation: try config.activation("activation", default: .linear),
      usesBias: try config.bool("use_bias", default: true),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "units": Config(.int(units)),
      "activation": try Catalog.activations.config(of: activation), "use_bias": Config(.bool(usesBias)),
      "kernel_initializer": try Catalog.initializers.config(of: weight.initializer),
      "bias_initializer": try Catalog.initializers.config(of: bias.initializer),
    ])
  }
}
