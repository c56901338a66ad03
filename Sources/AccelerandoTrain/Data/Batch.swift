// The data of one training step.

import AccelerandoCore

/// Some samples with their labels and weights. The first axis of every array is the sample.
public struct Batch: Sendable {
  /// The inputs of the model, one array for each.
  public var features: NamedArrays
  /// The targets, one array for each output; empty if there are only features to predict from.
  public var targets: NamedArrays
  /// The weights of the samples, `float32[N]`: one array for all outputs, or one by the name of each; empty for equal
  /// weights.
  public var weights: NamedArrays

  /// Makes a batch of named arrays, or of arrays in the order of the model's inputs and outputs.
  public init(features: NamedArrays, targets: NamedArrays = [], weights: NamedArrays = []) {
    self.features = features
    self.targets = targets
    self.weights = weights
  }

  /// Makes a batch for a model with one output.
  public init(features: [NDArray], labels: NDArray? = nil, sampleWeights: NDArray? = nil) {
    self.init(
      features: NamedArrays(features), targets: labels.map { [$0] } ?? [], weights: sampleWeights.map { [$0] } ?? [])
  }

  /// The targets of the only output, or of the first; nil if there are none.
  public var labels: NDArray? {
    get { targets.first }
    set { targets = newValue.map { [$0] } ?? [] }
  }

  /// The weights of the samples, or those for the first output; nil for equal weights.
  public var sampleWeights: NDArray? {
    get { weights.first }
    set { weights = newValue.map { [$0] } ?? [] }
  }

  /// The number of samples.
  public var count: Int { features.first?.shape.first ?? 0 }

  /// Checks that all arrays have the same number of samples.
  /// - Throws: `TrainingError` when they do not, or there are no features.
  func checkCounts() throws {
    guard let first = features.first else { throw TrainingError("a batch needs at least one array of features.") }
    let firstName = features.names.isEmpty ? "features 0" : features.label(0, of: "features")
    for (things, arrays) in [("features", features), ("labels", targets), ("sample weights", weights)] {
      for (index, array) in arrays.enumerated() where array.shape.first != count || array.shape.isEmpty {
        let name = things == "features" && arrays.names.isEmpty ? "features \(index)" : arrays.label(index, of: things)
        throw TrainingError(
          "all arrays need as many samples on the first axis: \(firstName) have the shape \(first.shape), "
            + "\(name) have \(array.shape).")
      }
    }
  }

  /// The rows of a range.
  func rows(_ range: Range<Int>) throws -> Batch {
    Batch(
      features: try features.mapArrays { try $0.rows(range) }, targets: try targets.mapArrays { try $0.rows(range) },
      weights: try weights.mapArrays { try $0.rows(range) })
  }
}
