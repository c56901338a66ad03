// When masks are computed, and how many weights they keep: a function of the step. The numbers are those of
// TensorFlow's model optimization toolkit, in its arithmetic (32-bit), so that the same run keeps the same weights.

import Foundation

/// How the sparsity of weights grows while a model trains. Steps count from 1: the first step of training is step 1.
public protocol PruningSchedule: Sendable {
  /// The first step that masks may be computed in.
  var begin: Int { get }
  /// The last step that masks may be computed in; nil for no last one.
  var end: Int? { get }
  /// Steps from one computation of the masks to the next.
  var frequency: Int { get }
  /// The proportion of weights that are zero from `step` on, at least 0 and below 1.
  func sparsity(at step: Int) -> Float
  /// The step after which the sparsity no longer changes.
  var settled: Int { get }
  /// Refuses invalid settings.
  /// - Throws: `CompressionError`.
  func validate() throws
}

extension PruningSchedule {
  /// Whether masks are computed in a step.
  public func fires(at step: Int) -> Bool {
    step >= begin && end.map { step <= $0 } ?? true && (step - begin) % frequency == 0
  }

  /// The first step from `step` on in which masks are computed; nil if there is none.
  public func firstFiring(from step: Int) -> Int? {
    let late = max(step - begin, 0)
    let (count, overflow) = ((late + frequency - 1) / frequency).multipliedReportingOverflow(by: frequency)
    guard !overflow, begin <= Int.max - count else { return nil }
    let firing = begin + count
    return end.map { firing <= $0 } ?? true ? firing : nil
  }

  /// The checks for all schedules.
  func validateSteps() throws {
    // The step counter is a 32-bit integer.
    let last = Int(Int32.max)
    guard (0...last).contains(begin), (1...last).contains(frequency) else {
      throw CompressionError(
        "a pruning schedule begins at a step of at least 0 and has a frequency of at least 1 step; "
          + "received begin \(begin) and frequency \(frequency).")
    }
    guard end.map({ (begin...last).contains($0) }) ?? true else {
      throw CompressionError(
        "a pruning schedule ends at its beginning, step \(begin), or later; received end \(end ?? 0).")
    }
  }
}

/// Constant sparsity.
public struct ConstantSparsity: PruningSchedule, Hashable {
  /// The proportion of weights that are zero.
  public var target: Double
  public var begin: Int
  public var end: Int?
  public var frequency: Int

  /// Makes a schedule.
  /// - Parameters:
  ///   - target: the proportion of weights that are zero, at least 0 and below 1.
  ///   - begin: the first step that masks may be computed in.
  ///   - end: the last one; nil for none.
  ///   - frequency: steps from one computation of the masks to the next.
  public init(_ target: Double, begin: Int = 0, end: Int? = nil, frequency: Int = 100) {
    self.target = target
    self.begin = begin
    self.end = end
    self.frequency = frequency
  }

  public func sparsity(at step: Int) -> Float { Float(target) }
  public var settled: Int { begin }

  public func validate() throws {
    try validateSteps()
    try requireSparsity(target, "a constant sparsity")
  }
}

/// From one sparsity to another, fast at first: `final + (initial − final) · (1 − p)^power`, where p goes from 0 at
/// step `begin` to 1 at step `end`. The toolkit calls it `PolynomialDecay`, which here is a learning rate schedule.
public struct PolynomialSparsity: PruningSchedule, Hashable {
  /// The sparsity at the beginning.
  public var initial: Double
  /// The sparsity at the end.
  public var final: Double
  public var begin: Int
  /// The last step that masks may be computed in.
  public var last: Int
  /// How fast the sparsity grows at first; 1 for linear growth.
  public var power: Double
  public var frequency: Int

  /// Makes a schedule.
  /// - Parameters:
  ///   - initial: the sparsity at the beginning, at least 0 and below 1.
  ///   - final: the sparsity at the end, at least 0 and below 1.
  ///   - begin: the first step that masks may be computed in.
  ///   - end: the last one.
  ///   - power: how fast the sparsity grows at first; 1 for linear growth.
  ///   - frequency: steps from one computation of the masks to the next.
  public init(
    from initial: Double, to final: Double, begin: Int = 0, end: Int, power: Double = 3, frequency: Int = 100
  ) {
    self.initial = initial
    self.final = final
    self.begin = begin
    self.last = end
    self.power = power
    self.frequency = frequency
  }

  public var end: Int? { last }
  public var settled: Int { last }

  public func sparsity(at step: Int) -> Float {
    let span = Float(last - begin)
    let p = span > 0 ? min(1, max(0, Float(step - begin) / span)) : 1
    return Float(initial - final) * powf(1 - p, Float(power)) + Float(final)
  }

  public func validate() throws {
    try validateSteps()
    try requireSparsity(initial, "the sparsity at the beginning")
    try requireSparsity(final, "the sparsity at the end")
    guard power > 0, power.isFinite else {
      throw CompressionError("the power of a polynomial schedule is above 0; received \(power).")
    }
  }
}

extension PruningSchedule where Self == ConstantSparsity {
  /// See `ConstantSparsity`.
  public static func constant(
    _ target: Double, begin: Int = 0, end: Int? = nil, frequency: Int = 100
  ) -> ConstantSparsity {
    ConstantSparsity(target, begin: begin, end: end, frequency: frequency)
  }
}

extension PruningSchedule where Self == PolynomialSparsity {
  /// See `PolynomialSparsity`.
  public static func polynomial(
    from initial: Double, to final: Double, begin: Int = 0, end: Int, power: Double = 3, frequency: Int = 100
  ) -> PolynomialSparsity {
    PolynomialSparsity(from: initial, to: final, begin: begin, end: end, power: power, frequency: frequency)
  }
}

private func requireSparsity(_ sparsity: Double, _ what: String) throws {
  guard sparsity >= 0, sparsity < 1 else {
    throw CompressionError(
      "\(what) is the part of the weights that become zero, at least 0 and below 1; received \(sparsity).")
  }
}

/// The number of weights out of `count` that are kept at a sparsity: at least one, rounding halves to even.
func keptCount(of count: Int, sparsity: Float) -> Int {
  let kept = (Float(count) * (1 - sparsity)).rounded(.toNearestOrEven)
  return min(max(Int(kept), 1), max(count, 1))
}
