// Adam and AdamW: steps scaled by running means of the gradient and of its square.

import AccelerandoCore

/// Adam of Kingma and Ba (2015): m and v follow g and g²; w ← w − α·m/(√v + ε) with α = lr·√(1−β₂ᵗ)/(1−β₁ᵗ).
/// ε stands outside of the bias correction, as in Keras. With a weight decay, this is AdamW.
public struct Adam: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the gradient's mean, β₁.
  public let beta1: Double
  /// The rate of the squared gradient's mean, β₂.
  public let beta2: Double
  /// What is added to √v.
  public let epsilon: Double
  /// Whether steps are scaled by the largest v so far (AMSGrad).
  public let amsgrad: Bool
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-7,
    amsgrad: Bool = false, weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.amsgrad = amsgrad
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] {
    [Slot("momentum"), Slot("velocity")] + (amsgrad ? [Slot("largest_velocity")] : [])
  }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let correction1 = 1 - step.scalar(beta1).power(step)
    let correction2 = (1 - step.scalar(beta2).power(step)).sqrt()
    let size = (learningRate * correction2 / correction1).converted(to: weight.dtype)
    if amsgrad {
      let (m, v, largest) = (slots[0], slots[1], slots[2])
      let nextM = m + (gradient - m) * (1 - beta1)
      let nextV = v + (gradient * gradient - v) * (1 - beta2)
      let scale = largest.maximum(nextV)
      let change = nextM * size / (scale.sqrt() + epsilon)
      return (decayed(weight, by: weightDecay, learningRate) - change, [nextM, nextV, scale])
    }
    let update = AdamUpdate(beta1: beta1, beta2: beta2, epsilon: epsilon, decays: weightDecay != nil)
    let decay = weightDecay.map { [(learningRate * $0).converted(to: weight.dtype)] } ?? []
    let results = weight.graph.add(update, [weight, slots[0], slots[1], gradient, size] + decay)
    return (results[0], Array(results[1...2]))
  }
}
