// Lion: steps of one size, in the direction of a mean's sign.

import AccelerandoCore

/// w ← w − lr·sign(β₁·m + (1−β₁)·g); m ← β₂·m + (1−β₂)·g (Chen et al., 2023).
public struct Lion: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the gradient's mean.
  public let beta1: Double
  /// The rate of the mean that is kept.
  public let beta2: Double
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, beta1: Double = 0.9, beta2: Double = 0.99, weightDecay: Double? = nil,
    clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("momentum")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let direction = (slots[0] * beta1 + gradient * (1 - beta1)).sign()
    return (weight - direction * rate, [slots[0] * beta2 + gradient * (1 - beta2)])
  }
}

extension Lion: Configurable {
  public var configName: String { "lion" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("beta_1", Config(.double(beta1))), Config.Entry("beta_2", Config(.double(beta2))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001), beta1: try config.double("beta_1", default: 0.9, in: .fraction),
      beta2: try config.double("beta_2", default: 0.99, in: .fraction),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
