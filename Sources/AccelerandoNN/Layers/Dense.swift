// The fully connected layer.

import AccelerandoCore

/// `activation(x · weight + bias)` on the last axis: `[N, …, inputs]` to `[N, …, units]`.
public struct Dense: ConfigurableLayer, TrainableLayer {
  /// The size of the output's last axis.
  public let units: Int
  /// Applied to the result.
  public let activation: Activation
  /// Whether a bias is added.
  public let usesBias: Bool
  /// The low-rank change that is trained in the place of the weight; nil if the weight is trained.
  public let lora: LowRankAdaptation?
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["weight": "kernel", "bias": "bias"] }
  public var passesMask: Bool { true }
  let weight: Parameter
  let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - units: the number of outputs.
  ///   - activation: the function of the result.
  ///   - usesBias: whether a bias is added.
  ///   - lora: the rank and scale of a change that is trained in the place of the weight.
  ///   - weightInitializer: of the weight, `[inputs, units]`.
  ///   - biasInitializer: of the bias, `[units]`.
  ///   - name: the layer's name.
  public init(
    _ units: Int, activation: Activation = .linear, usesBias: Bool = true, lora: LowRankAdaptation? = nil,
    weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.units = units
    self.activation = activation
    self.usesBias = usesBias
    self.lora = lora
    self.name = name
    weight = Parameter(weightInitializer, role: lora == nil ? .trainable : .state)
    bias = Parameter(biasInitializer)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 2 else { return x.rejected("needs an input [N, …, features]; received \(x.shape).") }
    var product = x.matmul(weight[x.dim(-1), units])
    if let lora {
      let (a, b) = lora.factors(of: [x.dim(-1), units])
      product = product + x.matmul(a).matmul(b) * lora.scale
    }
    return activation(usesBias ? product + bias[units] : product)
  }

  public static var summary: String { "The fully connected layer, on the last axis: [N, …, inputs] to [N, …, units]." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.int("units", in: .counts), activation: try config.activation("activation", default: .linear),
      usesBias: try config.bool("use_bias", default: true), lora: try config.lowRankAdaptation(),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [
        ("units", Config(.int(units))), ("activation", try Catalog.activations.config(of: activation)),
        ("use_bias", Config(.bool(usesBias))),
      ] + LowRankAdaptation.entries(lora) + [
        ("kernel_initializer", try Catalog.initializers.config(of: weight.initializer)),
        ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
      ])
  }
}

extension Dense {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow {
    guard lora == nil else { return .mixed }
    let flow = ChannelFlow(.produced(by: weight, count: units, setting: "units")).followed(by: activation)
    return usesBias ? flow.with(bias) : flow
  }
}
