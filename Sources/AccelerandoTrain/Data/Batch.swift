// The data of one training step.

import AccelerandoCore

/// Some samples with their labels and weights. The first axis of every array is the sample.
public struct Batch: Sendable {
  /// The inputs of the model, one array for each.
  public var features: [NDArray]
  /// The targets; nil if there are only features to predict from.
  public var labels: NDArray?
  /// The weight of each sample, `float32[N]`; nil for equal weights.
  public var sampleWeights: NDArray?

  /// Makes a batch.
  public init(features: [NDArray], labels: NDArray? = nil, sampleWeights: NDArray? = nil) {
    self.features = features
    self.labels = labels
    self.sampleWeights = sampleWeights
  }

  /// The number of samples.
  public var count: Int { features.first?.shape.first ?? 0 }

  /// Checks that all arrays have the same number of samples.
  /// - Throws: `TrainingError` when they do not, or there are no features.
  func checkCounts() throws {
    guard !features.isEmpty else { throw TrainingError("a batch needs at least one array of features.") }
    let named =
      features.enumerated().map { ("features \($0.offset)", $0.element) }
      + (labels.map { [("labels", $0)] } ?? []) + (sampleWeights.map { [("sample weights", $0)] } ?? [])
    for (name, array) in named where array.shape.first != count || array.shape.isEmpty {
      throw TrainingError(
        "all arrays need as many samples on the first axis: features 0 have the shape \(features[0].shape), "
          + "\(name) have \(array.shape).")
    }
    if let sampleWeights, sampleWeights.shape.count != 1 {
      throw TrainingError("sample weights need the shape [N]; received \(sampleWeights.shape).")
    }
  }

  /// The rows of a range.
  func rows(_ range: Range<Int>) throws -> Batch {
    Batch(
      features: try features.map { try $0.rows(range) }, labels: try labels?.rows(range),
      sampleWeights: try sampleWeights?.rows(range))
  }
}
