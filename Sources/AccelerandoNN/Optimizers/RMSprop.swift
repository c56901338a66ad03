// RMSprop: steps scaled by the running mean of the squared gradient.

import AccelerandoCore

/// v ← ρ·v + (1−ρ)·g²; w ← w − lr·g/√(v + ε). Centered, the square of the gradient's own running mean is taken from v, and
/// what is left is at least 0. With momentum μ, m ← μ·m + the change, and w ← w − m.
public struct RMSprop: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the running means, ρ.
  public let rho: Double
  /// The rate of the momentum, μ; 0 for none.
  public let momentum: Double
  /// What is added to v.
  public let epsilon: Double
  /// Whether to use the variance of the gradient instead of its square.
  public let centered: Bool
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, rho: Double = 0.9, momentum: Double = 0, epsilon: Double = 1e-7,
    centered: Bool = false, weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.rho = rho
    self.momentum = momentum
    self.epsilon = epsilon
    self.centered = centered
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] {
    [Slot("velocity")] + (momentum > 0 ? [Slot("momentum")] : []) + (centered ? [Slot("average_gradient")] : [])
  }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let velocity = slots[0] * rho + gradient * gradient * (1 - rho)
    var next = [velocity]
    var variance = velocity
    var mean: Tensor?
    if centered, let last = slots.last {
      let average = last * rho + gradient * (1 - rho)
      // E[g²] − E[g]² is no less than 0, but for rounding: below −ε its root would be NaN for ever.
      variance = (velocity - average * average).maximum(0)
      mean = average
    }
    var change = gradient * rate / (variance + epsilon).sqrt()
    if momentum > 0 {
      change = slots[1] * momentum + change
      next.append(change)
    }
    if let mean { next.append(mean) }
    return (decayed(weight, by: weightDecay, learningRate) - change, next)
  }
}
