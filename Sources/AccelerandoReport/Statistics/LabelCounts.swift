// Labels that a sample may have any number of: each is a decision of its own, counted on its own.

/// How often each of several yes-or-no labels was found, missed and invented.
public struct LabelCounts: Sendable, Hashable {
  /// Labels that were predicted and are right.
  public private(set) var hits: [Int]
  /// Labels that were predicted.
  public private(set) var predicted: [Int]
  /// Labels that are there.
  public private(set) var support: [Int]
  /// The number of samples.
  public private(set) var total = 0
  /// Samples all of whose labels were found and none invented.
  private var exact = 0

  /// Makes an empty table for some labels.
  public init(labelCount: Int) {
    hits = [Int](repeating: 0, count: max(labelCount, 0))
    (predicted, support) = (hits, hits)
  }

  /// Counts one sample.
  /// - Parameters:
  ///   - truth: for each label whether the sample has it.
  ///   - prediction: for each label whether it was predicted.
  public mutating func add(truth: [Bool], prediction: [Bool]) {
    for label in hits.indices where label < truth.count && label < prediction.count {
      if truth[label] { support[label] += 1 }
      if prediction[label] { predicted[label] += 1 }
      if truth[label], prediction[label] { hits[label] += 1 }
    }
    total += 1
    if truth == prediction { exact += 1 }
  }

  /// The part of the samples all of whose labels are right; NaN for no samples.
  public var exactMatch: Double { Double(exact) / Double(total) }

  /// Precision, recall and F1 of each label.
  public var scores: [ConfusionCounts.Scores] {
    hits.indices.map { ConfusionCounts.Scores(hits: hits[$0], predicted: predicted[$0], support: support[$0]) }
  }

  /// The scores of all labels counted together.
  public var microAverage: ConfusionCounts.Scores {
    ConfusionCounts.Scores(hits: hits.reduce(0, +), predicted: predicted.reduce(0, +), support: support.reduce(0, +))
  }
}
