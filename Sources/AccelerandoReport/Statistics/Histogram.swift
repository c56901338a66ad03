// How numbers are spread: weights, gradients, residuals.

/// The counts of numbers within ranges of equal width.
public struct Histogram: Sendable, Hashable {
  /// From the smallest number to the largest.
  public let range: ClosedRange<Double>
  /// The numbers in each part of the range.
  public let counts: [Int]
  /// Numbers that are exactly 0.
  public let zeros: Int
  /// Numbers that are NaN or infinite, which are in no part.
  public let notFinite: Int

  /// Makes a histogram of known counts.
  public init(range: ClosedRange<Double>, counts: [Int], zeros: Int, notFinite: Int) {
    (self.range, self.counts, self.zeros, self.notFinite) = (range, counts, zeros, notFinite)
  }

  /// Counts numbers.
  public init(_ values: some Sequence<some BinaryFloatingPoint>, binCount: Int = 40) {
    var (low, high) = (Double.infinity, -Double.infinity)
    var (zeros, notFinite) = (0, 0)
    for value in values {
      guard value.isFinite else {
        notFinite += 1
        continue
      }
      if value == 0 { zeros += 1 }
      low = min(low, Double(value))
      high = max(high, Double(value))
    }
    if low > high { (low, high) = (0, 0) }
    // A single number is in the middle of a range around it.
    if low == high {
      let margin = max(abs(low) / 2, Double.leastNormalMagnitude * 4)
      (low, high) = (low == 0 ? -0.5 : low - margin, low == 0 ? 0.5 : low + margin)
    }
    var counts = [Int](repeating: 0, count: max(binCount, 1))
    let scale = Double(counts.count) / (high - low)
    for value in values where value.isFinite {
      // A range wider than numbers go has one bin for all.
      let place = scale > 0 && scale.isFinite ? (Double(value) - low) * scale : 0
      counts[min(max(Int(place), 0), counts.count - 1)] += 1
    }
    range = low.isFinite && high.isFinite ? low...high : 0...1
    self.counts = counts
    (self.zeros, self.notFinite) = (zeros, notFinite)
  }

  /// The numbers that are counted in parts of the range.
  public var total: Int { counts.reduce(0, &+) }
}
