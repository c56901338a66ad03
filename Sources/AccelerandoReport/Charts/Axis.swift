// Where an axis begins and ends, and where it has ticks: round numbers, so that a reader can read values off a line.

import Foundation

/// The scale of one axis of a chart.
public struct Axis: Sendable, Hashable {
  /// The first and the last value.
  public let range: ClosedRange<Double>
  /// Whether equal distances are equal ratios.
  public let isLogarithmic: Bool
  /// The values that have a tick, in order.
  public let ticks: [Double]

  /// Makes the axis for values; those that are not finite do not count.
  /// - Parameters:
  ///   - values: the values that the axis shows.
  ///   - includesZero: whether it begins or ends at 0.
  ///   - isWhole: whether only whole numbers get a tick.
  ///   - mayBeLogarithmic: whether positive values over more than two powers of ten get a logarithmic axis.
  ///   - count: about how many ticks there are.
  public init(
    _ values: some Sequence<Double>, includesZero: Bool = false, isWhole: Bool = false, mayBeLogarithmic: Bool = false,
    count: Int = 5
  ) {
    let finite = values.filter(\.isFinite)
    var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
    if mayBeLogarithmic, low > 1e-300, high < 1e300, high / low > 100 {
      let powers = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
      isLogarithmic = true
      range = pow(10, Double(powers.lowerBound))...pow(10, Double(powers.upperBound))
      let step = max((powers.count - 1) / max(count, 1), 1)
      ticks = stride(from: powers.lowerBound, through: powers.upperBound, by: step).map { pow(10, Double($0)) }
      return
    }
    isLogarithmic = false
    if includesZero { (low, high) = (min(low, 0), max(high, 0)) }
    // A range around a single value, or one that is too narrow to be told apart.
    let size = max(abs(low), abs(high))
    if !(high - low > max(size * 1e-9, 1e-300)) {
      let margin = isWhole || size < 1e-290 ? 1 : size * 0.1
      (low, high) = (low - margin, high + margin)
    }
    let step = Self.roundStep((high - low) / Double(max(count, 1)), isWhole: isWhole)
    guard (high - low).isFinite, step.isNormal, (low / step).isFinite, (high / step).isFinite else {
      range = low...high
      ticks = [low, high]
      return
    }
    let (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
    range = isWhole ? low...high : first * step...last * step
    ticks = stride(from: first, through: last, by: 1).map { $0 * step }.filter { [range] in range.contains($0) }
  }

  /// The next of 1, 2, 2.5 and 5 times a power of ten.
  private static func roundStep(_ rough: Double, isWhole: Bool) -> Double {
    let power = pow(10, log10(rough).rounded(.down))
    let step = ([1, 2, 2.5, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10) * power
    return isWhole ? max(step.rounded(), 1) : step
  }

  /// Where a value lies, from 0 at the beginning to 1 at the end; nil for one that is not finite or, on a logarithmic axis, not
  /// positive.
  public func place(_ value: Double) -> Double? {
    guard value.isFinite else { return nil }
    // Halves, since the distance of the largest numbers is no number.
    guard isLogarithmic else {
      return (value / 2 - range.lowerBound / 2) / (range.upperBound / 2 - range.lowerBound / 2)
    }
    guard value > 0 else { return nil }
    let (low, high) = (log10(range.lowerBound), log10(range.upperBound))
    return (log10(value) - low) / (high - low)
  }

  /// A value as text, as short as the ticks allow.
  public func label(_ value: Double) -> String {
    if value == 0 { return "0" }
    let size = abs(value)
    if isLogarithmic || size >= 1e6 || size < 1e-4 { return Self.short(value) }
    let step = ticks.count > 1 ? abs(ticks[1] - ticks[0]) : size
    let decimals = min(max(0, Int((-log10(step) + 1e-9).rounded(.up))), 9)
    let text = String(format: "%.\(decimals + 1)f", value)
    return text.hasSuffix("0") ? String(format: "%.\(decimals)f", value) : text
  }

  private static func short(_ value: Double) -> String {
    let text = String(format: "%.2g", value)
    return text.replacingOccurrences(of: "e-0", with: "e-").replacingOccurrences(of: "e+0", with: "e")
      .replacingOccurrences(of: "e+", with: "e")
  }
}
