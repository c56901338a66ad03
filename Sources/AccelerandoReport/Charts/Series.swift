// The lines of a chart, and the curves of runs as such lines: for each number one chart, with training and validation of all runs.

/// One line of a chart.
public struct Series: Sendable, Hashable {
  /// What it is called in the legend.
  public var name: String
  /// The points in order; those with a value that is not finite leave a gap.
  public var points: [Point]
  /// Which colour it has, from 0.
  public var color: Int
  /// Whether it is drawn dashed: numbers on validation data are.
  public var isDashed: Bool

  /// A place in a chart.
  public struct Point: Sendable, Hashable {
    /// To the right.
    public var x: Double
    /// Upwards.
    public var y: Double

    /// Makes a point.
    public init(_ x: Double, _ y: Double) {
      (self.x, self.y) = (x, y)
    }
  }

  /// Makes a line.
  public init(name: String, points: [Point], color: Int, isDashed: Bool = false) {
    (self.name, self.points, self.color, self.isDashed) = (name, points, color, isDashed)
  }
}

/// The course of one number in some runs.
public struct Curves: Sendable, Hashable {
  /// The number's name: `loss`.
  public let name: String
  /// Its lines: training and validation of each run that has it.
  public let series: [Series]

  /// The curves of all numbers of some runs, the loss first.
  public static func all(of runs: [RunRecord]) -> [Curves] {
    var names: [String] = []
    for name in runs.flatMap(\.numberNames) where !names.contains(name) { names.append(name) }
    return names.map { name in
      let series = runs.enumerated().flatMap { number, run in
        [(name, false), ("val_" + name, true)].compactMap { key, isValidation -> Series? in
          let points = run.epochs.compactMap { epoch in
            epoch.numbers[key].map { Series.Point(Double(epoch.number), $0) }
          }
          guard !points.isEmpty else { return nil }
          let part = isValidation ? "validation" : "training"
          return Series(
            name: runs.count == 1 ? part : "\(run.name), \(part)", points: points,
            // A single run needs its colours for the two parts.
            color: runs.count == 1 ? (isValidation ? 1 : 0) : number, isDashed: isValidation)
        }
      }
      return Curves(name: name, series: series)
    }
  }
}
