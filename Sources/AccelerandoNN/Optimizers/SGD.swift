// Gradient descent, optionally with momentum.

import AccelerandoCore

/// w ← w − lr·g; with momentum μ: m ← μ·m − lr·g, w ← w + m, or w ← w + μ·m − lr·g for Nesterov's.
public struct SGD: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The momentum μ; 0 for none.
  public let momentum: Double
  /// Whether to use Nesterov momentum.
  public let nesterov: Bool
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.01, momentum: Double = 0, nesterov: Bool = false, weightDecay: Double? = nil,
    clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { momentum == 0 ? [] : [Slot("momentum")] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    guard let memory = slots.first else {
      return (decayed(weight, by: weightDecay, learningRate) - gradient * rate, [])
    }
    let update = MomentumUpdate(momentum: momentum, nesterov: nesterov, decays: weightDecay != nil)
    let decay = weightDecay.map { [(learningRate * $0).converted(to: weight.dtype)] } ?? []
    let results = weight.graph.add(update, [weight, memory, gradient, rate] + decay)
    return (results[0], [results[1]])
  }
}
