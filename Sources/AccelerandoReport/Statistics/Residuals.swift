// How far quantities are from what they should be: the usual means, and the quantiles, which say whether a few errors are behind them.

/// The errors of predicted quantities, prediction minus target.
public struct Residuals: Sendable, Hashable {
  /// The number of values.
  public private(set) var count = 0
  /// The number of values that were not finite, which count nowhere else.
  public private(set) var notFinite = 0
  private var sum = 0.0
  private var absolute = 0.0
  private var squares = 0.0
  private var targetMean = 0.0
  private var targetSquares = 0.0
  /// Every `spacing`-th residual: all of them, until there are too many to keep.
  private var kept: [Double] = []
  private var spacing = 1

  /// Quantiles are exact up to this many values; beyond, they are those of every second, fourth, … value.
  static let mostKept = 1 << 21

  /// Makes an empty one.
  public init() {}

  /// Counts one value.
  public mutating func add(prediction: Double, target: Double) {
    let residual = prediction - target
    guard residual.isFinite else {
      notFinite += 1
      return
    }
    if count % spacing == 0 { kept.append(residual) }
    count += 1
    sum += residual
    absolute += abs(residual)
    squares += residual * residual
    // Welford's way: no difference of large sums.
    let step = target - targetMean
    targetMean += step / Double(count)
    targetSquares += step * (target - targetMean)
    guard kept.count > Self.mostKept else { return }
    kept = stride(from: 0, to: kept.count, by: 2).map { kept[$0] }
    spacing *= 2
  }

  /// The mean of the residuals: above 0 where predictions are too large.
  public var mean: Double { sum / Double(count) }
  /// The mean of their absolute values.
  public var meanAbsoluteError: Double { absolute / Double(count) }
  /// The root of the mean of their squares.
  public var rootMeanSquaredError: Double { (squares / Double(count)).squareRoot() }

  /// The part of the targets' variance that is explained: 1 − Σ(y − ŷ)² / Σ(y − ȳ)². Where all targets are equal, 1 for perfect
  /// predictions and 0 otherwise, as in scikit-learn.
  public var r2: Double {
    guard count > 0 else { return .nan }
    if targetSquares > 0 { return 1 - squares / targetSquares }
    return squares == 0 ? 1 : 0
  }

  /// A quantile of the residuals, between the two nearest ones in proportion, as NumPy's default does; NaN for no values.
  public func quantile(_ part: Double) -> Double { quantiles([part])[0] }

  /// Several quantiles.
  public func quantiles(_ parts: [Double]) -> [Double] {
    let sorted = kept.sorted()
    return parts.map { part in
      guard let last = sorted.indices.last, part >= 0, part <= 1 else { return .nan }
      let place = part * Double(last)
      let index = min(Int(place), last)
      let fraction = place - Double(index)
      return fraction == 0 ? sorted[index] : sorted[index] + fraction * (sorted[min(index + 1, last)] - sorted[index])
    }
  }

  /// How the residuals are spread.
  public var histogram: Histogram { Histogram(kept, binCount: 40) }
}
