// What any optimizer can do beside its formula: average the weights over the steps, and collect the gradients of several
// batches before it takes a step. As in Keras, learning-rate schedules count batches, and everything else counts updates.

import AccelerandoCore

/// A running mean of the weights (Polyak and Juditsky, 1992): it is often better than the weights of the last step.
public struct WeightAveraging: Hashable, Sendable {
  /// The part of the mean that a step keeps.
  public var momentum: Double
  /// The number of steps after which the weights become the mean, again and again; nil to leave them alone until training
  /// ends.
  public var overwriteFrequency: Int?

  /// Describes the mean.
  public init(momentum: Double = 0.99, overwriteFrequency: Int? = nil) {
    self.momentum = momentum
    self.overwriteFrequency = overwriteFrequency
  }
}

/// What an optimizer does beside its formula.
public struct OptimizerOptions: Hashable, Sendable {
  /// The mean of the weights that is kept beside them, and that they become when `fit` ends; nil for none.
  public var averaging: WeightAveraging?
  /// The number of batches whose mean gradient makes one update. The others change no weight.
  public var accumulationSteps = 1

  /// Makes options that change nothing.
  public init() {}

  /// The name of the slot with the mean of a weight.
  package static let average = "average"
  /// The name of the slot with the sum of a weight's gradients since the last update.
  package static let gradientSum = "gradient_sum"

  /// What is kept for each weight, beside the slots of the formula.
  package var slots: [Slot] {
    (averaging == nil ? [] : [Slot(Self.average)]) + (accumulationSteps > 1 ? [Slot(Self.gradientSum)] : [])
  }
}

/// An optimizer with options: all that come with the library.
public protocol AdjustableOptimizer: Optimizer {
  /// What it does beside its formula.
  var options: OptimizerOptions { get set }
}

extension AdjustableOptimizer {
  /// The optimizer with a running mean of the weights, which they become when `fit` ends. `SwapEMAWeights` evaluates with it
  /// before.
  /// - Parameters:
  ///   - momentum: the part of the mean that a step keeps.
  ///   - overwriteFrequency: the number of steps after which the weights become the mean; nil for the end only.
  public func averagingWeights(momentum: Double = 0.99, overwriteFrequency: Int? = nil) -> Self {
    var copy = self
    copy.options.averaging = WeightAveraging(momentum: momentum, overwriteFrequency: overwriteFrequency)
    return copy
  }

  /// The optimizer with one update for several batches, by the mean of their gradients: large batches in little memory.
  /// - Parameter steps: the number of batches.
  public func accumulatingGradients(steps: Int) -> Self {
    var copy = self
    copy.options.accumulationSteps = steps
    return copy
  }
}

extension OptimizerOptions {
  init(config: ConfigReader) throws {
    self.init()
    let momentum = try config.double(
      "ema_momentum", default: 0.99, in: .fraction, about: "The part of the mean that a step keeps")
    let frequency = try config.optionalInt(
      "ema_overwrite_frequency", in: .counts, about: "The steps after which the weights become the mean")
    if try config.bool(
      "use_ema", default: false, about: "Keeps a running mean of the weights; they become it at the end")
    {
      averaging = WeightAveraging(momentum: momentum, overwriteFrequency: frequency)
    }
    // One is what nobody needs to say; Keras refuses it.
    accumulationSteps =
      try config.optionalInt(
        "gradient_accumulation_steps", in: .counts, about: "The batches whose mean gradient makes one update") ?? 1
  }

  /// The options for files, where they change something.
  var entries: [Config.Entry] {
    var entries: [Config.Entry] = []
    if let averaging {
      entries.append(Config.Entry("use_ema", Config(.bool(true))))
      entries.append(Config.Entry("ema_momentum", Config(.double(averaging.momentum))))
      if let frequency = averaging.overwriteFrequency {
        entries.append(Config.Entry("ema_overwrite_frequency", Config(.int(frequency))))
      }
    }
    if accumulationSteps != 1 {
      entries.append(Config.Entry("gradient_accumulation_steps", Config(.int(accumulationSteps))))
    }
    return entries
  }
}
