// AdamW without a schedule: the average of all steps takes the place of a falling rate.

import AccelerandoCore

/// AdamW on z, whose average x is what is wanted; gradients are taken at y, between both (Defazio et al., 2024). The weights
/// are y.
public struct ScheduleFreeAdamW: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the gradient's mean.
  public let beta1: Double
  /// The rate of the squared gradient's mean.
  public let beta2: Double
  /// What is added to a root or a sum, so that nothing is divided by zero.
  public let epsilon: Double
  /// The number of steps in which the learning rate rises from 0.
  public let warmupSteps: Int
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.0025, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    warmupSteps: Int = 0, weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.warmupSteps = warmupSteps
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("momentum"), Slot("velocity")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    // z starts at the weights.
    let isFirst = step.lessOrEqual(to: step.onesLike()).broadcast(to: weight.shape)
    let point = select(isFirst, weight, slots[0])
    let weight = decayed(weight, by: weightDecay, learningRate)
    let warmup = warmupSteps > 0 ? (step / Double(warmupSteps)).minimum(1) : step.onesLike()
    let size = (learningRate * warmup).converted(to: weight.dtype)
    let correction = (1 - step.scalar(beta2).power(step)).converted(to: weight.dtype)
    let square = slots[1] + (gradient.squared() - slots[1]) * (1 - beta2)
    let next = point - gradient * size / ((square / correction).sqrt() + epsilon)
    let share = (1 / step).converted(to: weight.dtype)
    let average = (weight - point * (1 - beta1)) * (1 / beta1)
    let newAverage = average * (1 - share) + next * share
    return (next * (1 - beta1) + newAverage * beta1, [next, square])
  }
}

extension ScheduleFreeAdamW: Configurable {
  public var configName: String { "schedule_free_adamw" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("beta_1", Config(.double(beta1))), Config.Entry("beta_2", Config(.double(beta2))),
        Config.Entry("epsilon", Config(.double(epsilon))), Config.Entry("warmup_steps", Config(.int(warmupSteps))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.0025), beta1: try config.double("beta_1", default: 0.9, in: .positiveFraction),
      beta2: try config.double("beta_2", default: 0.999, in: .belowOne),
      epsilon: try config.double("epsilon", default: 1e-8, in: .notNegative),
      warmupSteps: try config.int("warmup_steps", default: 0, in: .notNegative),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
