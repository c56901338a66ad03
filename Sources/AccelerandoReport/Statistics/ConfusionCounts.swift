// Which class was taken for which: the one table that all scores of a classification follow from.

/// How often each class was taken for each.
public struct ConfusionCounts: Sendable, Hashable {
  /// The number of classes.
  public let classCount: Int
  /// The counts that are not zero: vocabularies have too many pairs of classes to keep all.
  private var counts: [Pair: Int] = [:]

  private struct Pair: Hashable {
    let truth: Int
    let prediction: Int
  }

  /// One kind of mistake.
  public struct Confusion: Sendable, Hashable {
    /// The right class.
    public let truth: Int
    /// The class that was predicted.
    public let prediction: Int
    /// How often it was.
    public let count: Int
  }

  /// Precision, recall and F1 of a class, or of several on average.
  public struct Scores: Sendable, Hashable {
    /// The part of the predictions of the class that are right; 0 where it was never predicted.
    public let precision: Double
    /// The part of the class' samples that were found; 0 where there are none.
    public let recall: Double
    /// The harmonic mean of both; 0 where both are.
    public let f1: Double
    /// The number of samples of the class.
    public let support: Int

    init(precision: Double, recall: Double, f1: Double, support: Int) {
      (self.precision, self.recall, self.f1, self.support) = (precision, recall, f1, support)
    }

    /// The scores that follow from three counts. What would be divided by zero is 0.
    init(hits: Int, predicted: Int, support: Int) {
      precision = predicted > 0 ? Double(hits) / Double(predicted) : 0
      recall = support > 0 ? Double(hits) / Double(support) : 0
      f1 = predicted + support > 0 ? 2 * Double(hits) / Double(predicted + support) : 0
      self.support = support
    }
  }

  /// Makes an empty table.
  public init(classCount: Int) { self.classCount = max(classCount, 0) }

  /// Counts one sample. Classes outside of `0 ..< classCount` do not count.
  /// - Returns: whether it counts.
  @discardableResult
  public mutating func add(truth: Int, prediction: Int) -> Bool {
    guard (0..<classCount).contains(truth), (0..<classCount).contains(prediction) else { return false }
    counts[Pair(truth: truth, prediction: prediction), default: 0] += 1
    return true
  }

  /// How many samples of a class were taken for a class.
  public subscript(truth truth: Int, prediction prediction: Int) -> Int {
    counts[Pair(truth: truth, prediction: prediction)] ?? 0
  }

  /// The number of samples.
  public var total: Int { counts.values.reduce(0, +) }

  /// The part of the samples whose class was found; NaN for none.
  public var accuracy: Double {
    Double(counts.reduce(0) { $0 + ($1.key.truth == $1.key.prediction ? $1.value : 0) }) / Double(total)
  }

  /// The table: a row for each true class, a column for each predicted one.
  public var rows: [[Int]] {
    (0..<classCount).map { truth in (0..<classCount).map { self[truth: truth, prediction: $0] } }
  }

  /// Precision, recall and F1 of each class.
  public var scores: [Scores] {
    var (hits, predicted, support) = (
      [Int](repeating: 0, count: classCount), [Int](repeating: 0, count: classCount),
      [Int](repeating: 0, count: classCount)
    )
    for (pair, count) in counts {
      support[pair.truth] += count
      predicted[pair.prediction] += count
      if pair.truth == pair.prediction { hits[pair.truth] += count }
    }
    return (0..<classCount).map { Scores(hits: hits[$0], predicted: predicted[$0], support: support[$0]) }
  }

  /// The mistakes that were made most often, most often first; of equal ones those of the first class first.
  public func commonest(_ limit: Int) -> [Confusion] {
    counts.filter { $0.key.truth != $0.key.prediction }
      .map { Confusion(truth: $0.key.truth, prediction: $0.key.prediction, count: $0.value) }
      .sorted { ($1.count, $0.truth, $0.prediction) < ($0.count, $1.truth, $1.prediction) }
      .prefix(limit).map { $0 }
  }
}

extension [ConfusionCounts.Scores] {
  /// The plain mean over all classes, also those without samples.
  public var macroAverage: ConfusionCounts.Scores { average { _ in 1 } }

  /// The mean weighted by how many samples the classes have.
  public var weightedAverage: ConfusionCounts.Scores { average { Double($0.support) } }

  private func average(_ weight: (ConfusionCounts.Scores) -> Double) -> ConfusionCounts.Scores {
    let total = reduce(0) { $0 + weight($1) }
    func mean(_ score: (ConfusionCounts.Scores) -> Double) -> Double {
      total > 0 ? reduce(0) { $0 + weight($1) * score($1) } / total : 0
    }
    return ConfusionCounts.Scores(
      precision: mean(\.precision), recall: mean(\.recall), f1: mean(\.f1), support: reduce(0) { $0 + $1.support })
  }
}
