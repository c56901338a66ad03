// A cosine that starts again and again, each time longer and lower.

import AccelerandoCore

/// Decays along half a cosine and starts again from the top (Loshchilov and Hutter, 2017). The first fall takes `steps`
/// steps, each next one `periodFactor` times as many, from a rate that is `rateFactor` times that of the last one.
public struct CosineDecayRestarts: LearningRateSchedule, Hashable {
  /// The learning rate at the start.
  public let initial: Double
  /// The number of steps of the first fall.
  public let steps: Int
  /// How much longer each fall is than the one before.
  public let periodFactor: Double
  /// How much higher each fall starts than the one before.
  public let rateFactor: Double
  /// The final rate, as a proportion of the initial one.
  public let alpha: Double

  /// Makes the schedule.
  public init(_ initial: Double, steps: Int, periodFactor: Double = 2, rateFactor: Double = 1, alpha: Double = 0) {
    self.initial = initial
    self.steps = steps
    self.periodFactor = periodFactor
    self.rateFactor = rateFactor
    self.alpha = alpha
  }

  public func rate(at iteration: ScheduleValue) -> ScheduleValue {
    let progress = iteration / .known(Double(max(steps, 1)))
    let (restarts, place): (ScheduleValue, ScheduleValue)
    if periodFactor == 1 {
      restarts = progress.floor()
      place = progress - restarts
    } else {
      // The falls before add up to a geometric series.
      let factor = ScheduleValue.known(periodFactor)
      let one: ScheduleValue = 1
      restarts = ((one - progress * (one - factor)).log() / factor.log()).floor()
      let period = factor.power(restarts)
      place = (progress - (one - period) / (one - factor)) / period
    }
    let height = ScheduleValue.known(rateFactor).power(restarts)
    let cosine = ((place * .known(.pi)).cosine() + 1) * 0.5 * height
    return (cosine * .known(1 - alpha) + .known(alpha)) * .known(initial)
  }
}

extension CosineDecayRestarts: Configurable {
  public var configName: String { "cosine_decay_restarts" }

  public func config() -> Config {
    Config([
      "initial_learning_rate": Config(.double(initial)), "first_decay_steps": Config(.int(steps)),
      "t_mul": Config(.double(periodFactor)), "m_mul": Config(.double(rateFactor)), "alpha": Config(.double(alpha)),
    ])
  }

  init(config: ConfigReader) throws {
    self.init(
      try config.double("initial_learning_rate", in: .notNegative),
      steps: try config.int("first_decay_steps", in: .counts),
      periodFactor: try config.double("t_mul", default: 2, in: .atLeastOne),
      rateFactor: try config.double("m_mul", default: 1, in: .positive),
      alpha: try config.double("alpha", default: 0, in: .notNegative))
  }
}
