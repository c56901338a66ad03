// Adagrad: steps become smaller for weights that have had large gradients.

import AccelerandoCore

/// a ← a + g²; w ← w − lr·g/√(a + ε) (Duchi et al., 2011).
public struct Adagrad: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// What a starts at.
  public let initialAccumulator: Double
  /// What is added to a root or a sum, so that nothing is divided by zero.
  public let epsilon: Double
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, initialAccumulator: Double = 0.1, epsilon: Double = 1e-7,
    weightDecay:
      Double? = nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.initialAccumulator = initialAccumulator
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("accumulator", initialValue: initialAccumulator)] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let accumulator = slots[0] + gradient.squared()
    return (weight - gradient * rate / (accumulator + epsilon).sqrt(), [accumulator])
  }
}

extension Adagrad: Configurable {
  public var configName: String { "adagrad" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("initial_accumulator_value", Config(.double(initialAccumulator))),
        Config.Entry("epsilon", Config(.double(epsilon))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001),
      initialAccumulator: try config.double("initial_accumulator_value", default: 0.1, in: .notNegative),
      epsilon: try config.double("epsilon", default: 1e-7, in: .notNegative),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
