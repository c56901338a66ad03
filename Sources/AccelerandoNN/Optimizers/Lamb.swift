// LAMB: Adam whose steps are as large as the weights, for large batches.

import AccelerandoCore

/// Adam's direction, scaled to the length of the weights (You et al., 2020).
public struct Lamb: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the gradient's mean.
  public let beta1: Double
  /// The rate of the squared gradient's mean.
  public let beta2: Double
  /// What is added to a root or a sum, so that nothing is divided by zero.
  public let epsilon: Double
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-7,
    weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("momentum"), Slot("velocity")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let correction1 = (1 - step.scalar(beta1).power(step)).converted(to: weight.dtype)
    let correction2 = (1 - step.scalar(beta2).power(step)).converted(to: weight.dtype)
    let mean = slots[0] + (gradient - slots[0]) * (1 - beta1)
    let square = slots[1] + (gradient.squared() - slots[1]) * (1 - beta2)
    let direction = mean / correction1 / ((square / correction2).sqrt() + epsilon)
    let (size, length) = (weight.squared().sum().sqrt(), direction.squared().sum().sqrt())
    let hasBoth = size.greater(than: size.zerosLike()).and(length.greater(than: length.zerosLike()))
    let ratio = select(hasBoth, size / select(hasBoth, length, length.onesLike()), size.onesLike())
    return (weight - direction * (ratio * rate), [mean, square])
  }
}

extension Lamb: Configurable {
  public var configName: String { "lamb" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("beta_1", Config(.double(beta1))), Config.Entry("beta_2", Config(.double(beta2))),
        Config.Entry("epsilon", Config(.double(epsilon))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001), beta1: try config.double("beta_1", default: 0.9, in: .belowOne),
      beta2: try config.double("beta_2", default: 0.999, in: .belowOne),
      epsilon: try config.double("epsilon", default: 1e-7, in: .notNegative),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
