// Keras' learning rate schedules, one formula each. Steps count from 0, as in Keras.

import AccelerandoCore

/// Decays along half a cosine from `initial` to `alpha`·`initial` in `steps` steps and stays there. With a
/// `warmupTarget` it first rises linearly from `initial` to the target in `warmupSteps` steps, and decays from there.
public struct CosineDecay: LearningRateSchedule, Hashable {
  /// The learning rate at the start.
  public let initial: Double
  /// The number of steps of the decay.
  public let steps: Int
  /// The final rate, as a proportion of the rate at the start of the decay.
  public let alpha: Double
  /// The learning rate after the warm-up; nil for none.
  public let warmupTarget: Double?
  /// The number of steps of the warm-up.
  public let warmupSteps: Int

  /// Makes the schedule.
  public init(_ initial: Double, steps: Int, alpha: Double = 0, warmupTarget: Double? = nil, warmupSteps: Int = 0) {
    self.initial = initial
    self.steps = steps
    self.alpha = alpha
    self.warmupTarget = warmupTarget
    self.warmupSteps = warmupSteps
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    guard let target = warmupTarget else { return fall(from: initial, iteration) }
    let warmup = ScheduleValue.known(Double(warmupSteps))
    let rising = iteration / .known(Double(max(warmupSteps, 1))) * .known(target - initial) + .known(initial)
    return iteration.choosing(below: warmup, rising, else: fall(from: target, iteration - warmup))
  }

  private func fall(from start: Double, _ iteration: ScheduleValue) -> ScheduleValue {
    let steps = ScheduleValue.known(Double(max(self.steps, 1)))
    let angle = iteration.minimum(steps) / steps * .known(.pi)
    let cosine = (angle.cosine() + 1) * 0.5
    return (cosine * .known(1 - alpha) + .known(alpha)) * .known(start)
  }
}

/// `initial`·`decayRate`^(iteration / `steps`); with `staircase` the exponent is rounded down.
public struct ExponentialDecay: LearningRateSchedule, Hashable {
  /// The learning rate at the start.
  public let initial: Double
  /// The number of steps in which the rate is multiplied by `decayRate` once.
  public let steps: Int
  /// The factor.
  public let decayRate: Double
  /// Whether the rate decays in steps instead of smoothly.
  public let staircase: Bool

  /// Makes the schedule.
  public init(_ initial: Double, steps: Int, decayRate: Double, staircase: Bool = false) {
    self.initial = initial
    self.steps = steps
    self.decayRate = decayRate
    self.staircase = staircase
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    let progress = iteration / .known(Double(max(steps, 1)))
    return ScheduleValue.known(decayRate).power(staircase ? progress.floor() : progress) * .known(initial)
  }
}

/// `initial` / (1 + `decayRate`·iteration / `steps`); with `staircase` the quotient is rounded down.
public struct InverseTimeDecay: LearningRateSchedule, Hashable {
  /// The learning rate at the start.
  public let initial: Double
  /// The number of steps that counts as one unit of time.
  public let steps: Int
  /// How fast the rate decays.
  public let decayRate: Double
  /// Whether the rate decays in steps instead of smoothly.
  public let staircase: Bool

  /// Makes the schedule.
  public init(_ initial: Double, steps: Int, decayRate: Double, staircase: Bool = false) {
    self.initial = initial
    self.steps = steps
    self.decayRate = decayRate
    self.staircase = staircase
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    let progress = iteration / .known(Double(max(steps, 1)))
    return .known(initial) / ((staircase ? progress.floor() : progress) * .known(decayRate) + 1)
  }
}

/// Decays from `initial` to `end` in `steps` steps: (`initial` − `end`)·(1 − iteration / `steps`)^`power` + `end`. With
/// `cycle`, starts again with twice, three times … the steps whenever it reaches the end.
public struct PolynomialDecay: LearningRateSchedule, Hashable {
  /// The learning rate at the start.
  public let initial: Double
  /// The number of steps of the decay.
  public let steps: Int
  /// The learning rate at the end.
  public let end: Double
  /// The power; 1 is linear.
  public let power: Double
  /// Whether the decay starts again after its end.
  public let cycle: Bool

  /// Makes the schedule.
  public init(_ initial: Double, steps: Int, end: Double = 0.0001, power: Double = 1, cycle: Bool = false) {
    self.initial = initial
    self.steps = steps
    self.end = end
    self.power = power
    self.cycle = cycle
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    let unit = ScheduleValue.known(Double(max(steps, 1)))
    let rounds: ScheduleValue = cycle ? (iteration / unit).ceil().maximum(1) : 1
    let progress = cycle ? iteration / (unit * rounds) : iteration.minimum(unit) / unit
    let rest: ScheduleValue = 1 - progress
    return rest.power(.known(power)) * .known(initial - end) + .known(end)
  }
}

/// `values[0]` up to and including step `boundaries[0]`, then `values[1]`, and so on: one value more than boundaries.
public struct PiecewiseConstantDecay: LearningRateSchedule, Hashable {
  /// The last step of each value but the last.
  public let boundaries: [Int]
  /// The learning rates.
  public let values: [Double]

  /// Makes the schedule. Values without a boundary before them are never reached.
  public init(boundaries: [Int], values: [Double]) {
    self.boundaries = boundaries
    self.values = values
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    var rate = ScheduleValue.known(values.first ?? 0)
    for (boundary, value) in zip(boundaries, values.dropFirst()) {
      rate = iteration.choosing(below: .known(Double(boundary) + 1), rate, else: .known(value))
    }
    return rate
  }
}
