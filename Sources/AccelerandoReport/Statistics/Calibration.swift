// Whether probabilities mean what they say: of all answers with 80 %, four of five should be right.

/// Answers sorted by their probability, and how often they were right.
public struct Calibration: Sendable, Hashable {
  /// The answers within one range of probabilities.
  public struct Bin: Sendable, Hashable {
    /// The range: above the lower end, up to the upper one.
    public let range: ClosedRange<Double>
    /// The number of answers.
    public let count: Int
    /// The mean of their probabilities; NaN for none.
    public let confidence: Double
    /// The part of them that is right; NaN for none.
    public let frequency: Double
  }

  private var counts: [Int]
  private var right: [Int]
  private var sums: [Double]

  /// Makes an empty one with bins of equal width.
  public init(binCount: Int = 10) {
    counts = [Int](repeating: 0, count: max(binCount, 1))
    right = counts
    sums = [Double](repeating: 0, count: counts.count)
  }

  /// Counts one answer. One whose probability is no number from 0 to 1 does not count.
  public mutating func add(probability: Double, isRight: Bool) {
    guard probability >= 0, probability <= 1 else { return }
    // A probability on the edge of two bins belongs to the lower one.
    let bin = (1..<max(counts.count, 1)).first { probability <= Double($0) / Double(counts.count) } ?? counts.count
    counts[bin - 1] += 1
    sums[bin - 1] += probability
    if isRight { right[bin - 1] += 1 }
  }

  /// The bins from 0 to 1.
  public var bins: [Bin] {
    counts.indices.map { index in
      let (low, high) = (Double(index) / Double(counts.count), Double(index + 1) / Double(counts.count))
      return Bin(
        range: low...high, count: counts[index], confidence: sums[index] / Double(counts[index]),
        frequency: Double(right[index]) / Double(counts[index]))
    }
  }

  /// The number of answers.
  public var total: Int { counts.reduce(0, +) }

  /// The expected calibration error: the mean distance of confidence and frequency, weighted by the answers (Naeini, Cooper and
  /// Hauskrecht, 2015); NaN for no answers.
  public var expectedError: Double {
    let all = Double(total)
    guard all > 0 else { return .nan }
    return bins.reduce(0) { $1.count == 0 ? $0 : $0 + Double($1.count) / all * abs($1.frequency - $1.confidence) }
  }
}
