// FTRL: follow the regularized leader, for sparse linear models.

import AccelerandoCore

/// Each weight minimizes the sum of all gradients so far, with penalties on its size (McMahan et al., 2013). A penalty on
/// absolute values sets weights to exactly zero.
public struct Ftrl: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// How the rate falls with the sum of squares; at most 0.
  public let learningRatePower: Double
  /// What the sum of squares starts at.
  public let initialAccumulator: Double
  /// The penalty on absolute values.
  public let l1: Double
  /// The penalty on squares.
  public let l2: Double
  /// The penalty on squares that acts on the gradients alone.
  public let l2Shrinkage: Double
  /// What is added to the root of the sum of squares.
  public let beta: Double
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, learningRatePower: Double = -0.5, initialAccumulator: Double = 0.1,
    l1: Double = 0, l2: Double = 0, l2Shrinkage: Double = 0, beta: Double = 0, weightDecay: Double? = nil,
    clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.learningRatePower = learningRatePower
    self.initialAccumulator = initialAccumulator
    self.l1 = l1
    self.l2 = l2
    self.l2Shrinkage = l2Shrinkage
    self.beta = beta
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("accumulator", initialValue: initialAccumulator), Slot("linear")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let shrunk = l2Shrinkage == 0 ? gradient : gradient + weight * (2 * l2Shrinkage)
    let squares = slots[0] + gradient.squared()
    let (before, after) = (slots[0].power(-learningRatePower), squares.power(-learningRatePower))
    let linear = slots[1] + shrunk - weight * ((after - before) / rate)
    let quadratic = after / rate + (rate.scalar(beta / 2) / rate + l2) * 2
    let limit = linear.filled(l1)
    let clipped = l1 == 0 ? linear.zerosLike() : linear.clamped(-limit, limit)
    return ((clipped - linear) / quadratic, [squares, linear])
  }
}

extension Ftrl: Configurable {
  public var configName: String { "ftrl" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("learning_rate_power", Config(.double(learningRatePower))),
        Config.Entry("initial_accumulator_value", Config(.double(initialAccumulator))),
        Config.Entry("l1_regularization_strength", Config(.double(l1))),
        Config.Entry("l2_regularization_strength", Config(.double(l2))),
        Config.Entry("l2_shrinkage_regularization_strength", Config(.double(l2Shrinkage))),
        Config.Entry("beta", Config(.double(beta))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001),
      learningRatePower: try config.double("learning_rate_power", default: -0.5, in: .notPositive),
      initialAccumulator: try config.double("initial_accumulator_value", default: 0.1, in: .notNegative),
      l1: try config.double("l1_regularization_strength", default: 0, in: .notNegative),
      l2: try config.double("l2_regularization_strength", default: 0, in: .notNegative),
      l2Shrinkage: try config.double("l2_shrinkage_regularization_strength", default: 0, in: .notNegative),
      beta: try config.double("beta", default: 0, in: .notNegative),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
