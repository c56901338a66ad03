// Adadelta: steps as large as recent steps, relative to recent gradients.

import AccelerandoCore

/// a ← ρ·a + (1−ρ)·g²; Δ = −g·√(d + ε)/√(a + ε); d ← ρ·d + (1−ρ)·Δ²; w ← w + lr·Δ (Zeiler, 2012).
public struct Adadelta: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the running means.
  public let rho: Double
  /// What is added to a root or a sum, so that nothing is divided by zero.
  public let epsilon: Double
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, rho: Double = 0.95, epsilon: Double = 1e-7,
    weightDecay: Double? =
      nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.rho = rho
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("accumulated_gradient"), Slot("accumulated_change")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let gradients = slots[0] * rho + gradient.squared() * (1 - rho)
    let change = gradient * (slots[1] + epsilon).sqrt() / (gradients + epsilon).sqrt()
    return (weight - change * rate, [gradients, slots[1] * rho + change.squared() * (1 - rho)])
  }
}

extension Adadelta: Configurable {
  public var configName: String { "adadelta" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("rho", Config(.double(rho))),
        Config.Entry("epsilon", Config(.double(epsilon))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001), rho: try config.double("rho", default: 0.95, in: .fraction),
      epsilon: try config.double("epsilon", default: 1e-7, in: .notNegative),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
