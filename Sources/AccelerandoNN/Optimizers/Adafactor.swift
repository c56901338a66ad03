// Adafactor: Adam's second moment of a matrix as a column times a row, so that little has to be kept.

import AccelerandoCore

/// Steps relative to the size of the weights, scaled by an estimate of g² from the means of its rows and columns (Shazeer
/// and Stern, 2018).
public struct Adafactor: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The power of the step with which new gradients count less.
  public let beta2Decay: Double
  /// What is added to squared gradients.
  public let epsilon1: Double
  /// The least size of weights to which steps are relative.
  public let epsilon2: Double
  /// The root mean square of a step, before scaling, above which it is made smaller.
  public let clipThreshold: Double
  /// Whether the rate is at most 1/√t. Keras limits it in any case.
  public let relativeStep: Bool
  /// The weight decay: the proportion of each weight, times the learning rate, that a step subtracts; nil for none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, beta2Decay: Double = -0.8, epsilon1: Double = 1e-30, epsilon2: Double = 1e-3,
    clipThreshold: Double = 1, relativeStep: Bool = true, weightDecay: Double? = nil,
    clipping:
      GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.beta2Decay = beta2Decay
    self.epsilon1 = epsilon1
    self.epsilon2 = epsilon2
    self.clipThreshold = clipThreshold
    self.relativeStep = relativeStep
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("rows", shape: .rows), Slot("columns", shape: .columns)] }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let weight = decayed(weight, by: weightDecay, learningRate)
    let count = step.converted(to: weight.dtype)
    let size = rate.minimum(1 / count.sqrt()) * rootMeanSquare(weight).maximum(epsilon2)
    let squares = gradient.squared() + epsilon1
    let kept = 1 - count.power(beta2Decay)
    func moved(_ mean: Tensor, _ next: Tensor) -> Tensor { mean * kept + next * (1 - kept) }
    let (moments, next): (Tensor, [Tensor])
    if weight.rank >= 2 {
      let axis = weight.rank - 1
      let rows = moved(slots[0], squares.mean(axes: [axis]))
      let columns = moved(slots[1], squares.mean(axes: [axis - 1]))
      let shares = rows / rows.mean(axes: [axis - 1], keepDims: true)
      (moments, next) = (shares.expandingDims(-1) * columns.expandingDims(-2), [rows, columns])
    } else {
      let rows = moved(slots[0], squares)
      (moments, next) = (rows, [rows, slots[1]])
    }
    let change = gradient / moments.sqrt()
    let excess = (rootMeanSquare(change) / clipThreshold).maximum(1)
    return (weight - change * (size / excess), next)
  }

  private func rootMeanSquare(_ x: Tensor) -> Tensor {
    x.squared().mean().sqrt()
  }
}

extension Adafactor: Configurable {
  public var configName: String { "adafactor" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("beta_2_decay", Config(.double(beta2Decay))), Config.Entry("epsilon_1", Config(.double(epsilon1))),
        Config.Entry("epsilon_2", Config(.double(epsilon2))),
        Config.Entry("clip_threshold", Config(.double(clipThreshold))),
        Config.Entry("relative_step", Config(.bool(relativeStep))),
      ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.learningRate(default: 0.001),
      beta2Decay: try config.double("beta_2_decay", default: -0.8, in: .notPositive),
      epsilon1: try config.double("epsilon_1", default: 1e-30, in: .notNegative),
      epsilon2: try config.double("epsilon_2", default: 1e-3, in: .notNegative),
      clipThreshold: try config.double("clip_threshold", default: 1, in: .positive),
      relativeStep: try config.bool("relative_step", default: true),
      weightDecay: try config.weightDecay(default: nil), clipping: try config.clipping())
  }
}
