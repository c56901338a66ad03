// The forward pass of one training step, layer by layer, to find out where numbers stop being finite.

import AccelerandoCore
import AccelerandoNN

/// The outputs of every layer for a batch: whether they are finite, sample by sample.
struct StepInspection {
  private let model: Model
  private let batch: Batch
  /// The numbers of the batch's samples in the data, where they are known.
  private let samples: [Int]?
  private var layers: [(path: [String], isFinite: [Bool])] = []
  private var lookUps: [(layer: String, rows: Int, indices: NDArray)] = []
  private var lossIsFinite: [Bool] = []
  private var largestPrediction = 0.0
  private let weights: Store

  /// Runs the forward pass with the values that the model has now.
  /// - Parameter batch: a batch in the model's shapes, with labels.
  init(_ model: Model, _ batch: Batch, samples: [Int]?) throws {
    (self.model, self.batch, self.samples) = (model, batch, samples)
    weights = try model.settledWeights()
    var flags: [Tensor] = []
    var paths: [[String]] = []
    let count = batch.count
    func isFinite(_ value: Tensor) -> Tensor {
      value.rank > 1 ? value.isFinite().all(axes: Array(1..<value.rank)) : value.isFinite()
    }
    let forward = try InspectedForward(model, batch, weights: weights) { path, _, result in
      guard result.dtype.isFloating, result.shape.first == count else { return }
      flags.append(isFinite(result))
      paths.append(path)
    }
    let losses = forward.tasks.compactMap { task, prediction, labels in task.loss?.values(prediction, labels) }
    let largest = forward.predictions.map { $0.converted(to: .float32).abs().max() }
    var outputs =
      flags + forward.scope.lookUps.map(\.indices) + [largest.dropFirst().reduce(largest[0]) { $0.maximum($1) }]
    // A sample's losses are finite together or not.
    let finite = losses.map(isFinite)
    if let first = finite.first { outputs.append(finite.dropFirst().reduce(first) { $0.and($1) }) }
    let results = try forward.run(on: model.backend, outputs: outputs)
    layers = zip(paths, results).map { ($0, $1.elements(as: Bool.self)) }
    lookUps = zip(forward.scope.lookUps, results.dropFirst(paths.count)).map { ($0.layer, $0.rows, $1) }
    largestPrediction = results[paths.count + lookUps.count].elements(as: Double.self).first ?? 0
    if !finite.isEmpty { lossIsFinite = results.last?.elements(as: Bool.self) ?? [] }
  }

  /// Whether values of the model are not finite before the pass.
  var beginsSpoilt: Bool {
    weights.entries.contains { $0.1.firstElement(where: { !$0.isFinite }) != nil }
  }

  /// Where numbers stop being finite, as a sentence; nil if they are all finite.
  func cause() -> String? {
    for (name, value) in weights.entries where value.firstElement(where: { !$0.isFinite }) != nil {
      return "The step before has made '\(name)' infinite or NaN."
    }
    for (layer, rows, indices) in lookUps {
      let known = 0..<Double(rows)
      guard let wrong = indices.firstElement(where: { !known.contains($0) }) else { continue }
      let perSample = max(indices.elementCount / max(batch.count, 1), 1)
      return "\(layer) has the rows 0 to \(rows - 1); \(sample(wrong.index / perSample)) has the index "
        + "\(wrong.value.formatted)."
    }
    for (path, isFinite) in layers {
      guard let first = isFinite.firstIndex(of: false) else { continue }
      return
        "Numbers that are not finite appear first in the output of \(path.joined(separator: " › ")), for \(sample(first))."
    }
    guard let first = lossIsFinite.firstIndex(of: false) else { return nil }
    return "All layers give finite numbers, up to \(Float(largestPrediction)); the loss of \(sample(first)) does not."
  }

  private func sample(_ index: Int) -> String {
    guard let samples, index < samples.count else { return "sample \(index) of the batch" }
    return "sample \(samples[index])"
  }
}
