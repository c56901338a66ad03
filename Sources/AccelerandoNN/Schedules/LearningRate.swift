// The learning rate: a number, or a function of the step.

import AccelerandoCore

/// A learning rate as a function of the number of steps done.
public protocol LearningRateSchedule: Sendable {
  /// The learning rate of a step.
  /// - Parameter iteration: the number of steps done before, from 0.
  func rate(at iteration: ScheduleValue) -> ScheduleValue
}

/// A constant learning rate or a schedule. Number literals are constants.
public enum LearningRate: Sendable {
  /// The same rate for every step.
  case constant(Double)
  /// A function of the step.
  case schedule(any LearningRateSchedule)

  /// The learning rate in a program.
  /// - Parameter step: the number of the step, a `float32` scalar that counts from 1.
  /// - Returns: a `float32` scalar.
  public func value(step: Tensor) -> Tensor {
    switch self {
    case .constant(let rate): step.scalar(rate)
    case .schedule(let schedule): schedule.rate(at: .traced(step - 1)).tensor(like: step)
    }
  }

  /// The learning rate as a number.
  /// - Parameter iteration: the number of steps done before.
  public func value(iteration: Int) -> Double {
    switch self {
    case .constant(let rate): rate
    case .schedule(let schedule): schedule.rate(at: .known(Double(iteration))).known ?? .nan
    }
  }
}

extension LearningRate: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  public init(floatLiteral value: Double) { self = .constant(value) }
  public init(integerLiteral value: Int) { self = .constant(Double(value)) }
}

extension LearningRate {
  /// See `CosineDecay`.
  public static func cosineDecay(
    _ initial: Double, steps: Int, alpha: Double = 0, warmupTarget: Double? = nil, warmupSteps: Int = 0
  ) -> LearningRate {
    .schedule(
      CosineDecay(initial, steps: steps, alpha: alpha, warmupTarget: warmupTarget, warmupSteps: warmupSteps))
  }

  /// See `ExponentialDecay`.
  public static func exponentialDecay(
    _ initial: Double, steps: Int, rate: Double, staircase: Bool = false
  ) -> LearningRate {
    .schedule(ExponentialDecay(initial, steps: steps, decayRate: rate, staircase: staircase))
  }

  /// See `PiecewiseConstantDecay`.
  public static func piecewiseConstant(boundaries: [Int], values: [Double]) -> LearningRate {
    .schedule(PiecewiseConstantDecay(boundaries: boundaries, values: values))
  }

  /// See `PolynomialDecay`.
  public static func polynomialDecay(
    _ initial: Double, steps: Int, end: Double = 0.0001, power: Double = 1, cycle: Bool = false
  ) -> LearningRate {
    .schedule(PolynomialDecay(initial, steps: steps, end: end, power: power, cycle: cycle))
  }
}
