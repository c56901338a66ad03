// Quantiles of more numbers than one wants to keep: some of the numbers in order, and how many each stands for. The way
// in which Keras makes, joins and shortens such summaries is followed step by step, since boundaries have to be equal.

/// Some numbers in ascending order, each with the number of those that it stands for.
struct QuantileSummary {
  private(set) var values: [Float] = []
  private(set) var weights: [Float] = []

  /// The number of steps of `step` from 0 to below 1, as NumPy's `arange` counts them.
  static func steps(_ step: Double) -> Int { Int((1 / step).rounded(.up)) }

  /// Takes in numbers.
  /// - Parameter epsilon: the part of the numbers by which quantiles may be off.
  mutating func add(_ numbers: [Float], epsilon: Double) {
    let sorted = numbers.sorted()
    let step = max(Double(sorted.count) / (1 / epsilon), 1)
    // The numbers at equal distances stand for those before them.
    var added = QuantileSummary()
    var place = Int(step - 1)
    while place < sorted.count {
      added.values.append(sorted[place])
      added.weights.append(Float(step))
      place += Int(step)
    }
    let all = zip(added.values + values, added.weights + weights).sorted { $0.0 < $1.0 }
    (values, weights) = (all.map(\.0), all.map(\.1))
    compress(epsilon)
  }

  /// The boundaries of bins that hold as many numbers each.
  func boundaries(of bins: Int) -> [Float] {
    var result = self
    result.compress(1 / Double(bins))
    return Array(result.values.dropLast())
  }

  /// Keeps values at equal distances, where there are more: interpolated between those that there are.
  private mutating func compress(_ epsilon: Double) {
    guard Double(values.count) * epsilon >= 1 else { return }
    // NumPy adds up float32 in float32.
    var sums: [Float] = []
    for weight in weights { sums.append((sums.last ?? 0) + weight) }
    let total = sums[sums.count - 1]
    let parts = sums.map { Double($0 / total) }
    let points = (0..<Self.steps(epsilon)).map { epsilon + Double($0) * epsilon }
    let bins = Self.interpolated(points, parts, values.map(Double.init))
    let reached = Self.interpolated(points, parts, sums.map(Double.init))
    values = bins.map { Float($0) }
    weights = zip(reached, [0] + reached).map { Float($0 - $1) }
  }

  /// Values at some points of a curve through others, which is constant beyond its ends.
  private static func interpolated(_ points: [Double], _ x: [Double], _ y: [Double]) -> [Double] {
    var index = 0
    return points.map { point in
      guard point >= x[0] else { return y[0] }
      // The last place that is not beyond the point; points ascend.
      while index + 1 < x.count, x[index + 1] <= point { index += 1 }
      guard index + 1 < x.count else { return y[x.count - 1] }
      if x[index] == point { return y[index] }
      let slope = (y[index + 1] - y[index]) / (x[index + 1] - x[index])
      return slope * (point - x[index]) + y[index]
    }
  }
}
