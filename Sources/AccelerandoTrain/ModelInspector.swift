// What happens inside of a model while it trains: how large outputs and gradients are, which units never say anything. It is computed
// beside the training, for a batch now and then; the steps themselves know nothing of it.

import AccelerandoCore
import AccelerandoNN

/// Looks into a model between two steps.
public struct ModelInspector {
  /// The outputs of one layer for a batch.
  public struct LayerOutputs: Sendable {
    /// The names of the layers around it and its own.
    public let path: [String]
    /// The mean of the outputs.
    public let mean: Double
    /// Their standard deviation.
    public let deviation: Double
    /// The part of them that is 0.
    public let zeros: Double
    /// For layers that end with a ReLU: the part of the units, places of the last axis, that are 0 for every sample. Nil for others.
    public let dead: Double?
    /// Whether all outputs are finite.
    public let isFinite: Bool
  }

  /// What was seen.
  public struct Look: Sendable {
    /// The layers in the order of their calls.
    public let layers: [LayerOutputs]
    /// The gradients of the losses by parameter, of those that one reaches, in the order of the layers. Regularizers have no part in
    /// them.
    public let gradients: [(name: String, value: NDArray)]

    /// Where numbers stop being finite, as a sentence; nil if they are all finite. Outputs come first; a gradient comes from the
    /// end of the model, so of several the last one is the first that was spoilt.
    public var cause: String? {
      if let layer = layers.first(where: { !$0.isFinite }) {
        return "Numbers that are not finite appear first in the output of \(layer.path.joined(separator: " › "))."
      }
      guard
        let gradient = gradients.last(where: { $0.value.firstElement(where: { !$0.isFinite }) != nil })
      else { return nil }
      return "All layers give finite numbers; the gradient of '\(gradient.name)' is the first that is not finite."
    }
  }

  private let model: Model
  private let batches: () throws -> Batch?

  /// - Parameters:
  ///   - model: a compiled model.
  ///   - data: samples with labels. Each look takes another batch of them, in an order of its own.
  ///   - batchSize: the number of samples to look at.
  /// - Throws: `TrainingError` when the model is not compiled.
  public init(_ model: Model, on data: Dataset, batchSize: Int) throws {
    _ = try model.compiled()
    self.model = model
    var pass = 0
    var iterator: BatchIterator?
    batches = {
      if let batch = try iterator?.next() { return batch }
      iterator = try data.batches(of: batchSize, pass: pass)
      pass += 1
      return try iterator?.next()
    }
  }

  /// Looks at the next batch.
  /// - Throws: `TrainingError` when there is no batch, or it does not fit the model.
  public func look() throws -> Look {
    guard let batch = try batches() else { throw TrainingError("the dataset is empty: there is nothing to look at.") }
    let expectation = DataExpectation(
      inputs: model.inputs, names: model.inputNames, outline: try model.outline(), tasks: model.tasks)
    return try Self.look(into: model, try expectation.fitted(batch))
  }

  /// Looks at a batch in the model's shapes, with labels.
  static func look(into model: Model, _ batch: Batch) throws -> Look {
    var paths: [(path: [String], cutsOff: Bool)] = []
    var statistics: [Tensor] = []
    let forward = try InspectedForward(model, batch, weights: try model.settledWeights()) { path, layer, result in
      // Containers have the outputs of their last layers.
      guard result.dtype.isFloating, !(layer is Sequential), !(layer is Functional) else { return }
      let cutsOff = result.definition?.operation is Relu && result.rank > 1
      paths.append((path, cutsOff))
      let x = result.converted(to: .float32)
      let mean = x.mean()
      let isZero = x.equal(to: x.zerosLike())
      let difference = x - mean.broadcast(to: x.shape)
      let dead = cutsOff ? isZero.all(axes: Array(0..<x.rank - 1)).converted(to: .float32).mean() : mean.zerosLike()
      statistics += [
        mean, (difference * difference).mean().sqrt(), isZero.converted(to: .float32).mean(), dead,
        x.isFinite().all(axes: Array(0..<x.rank)).converted(to: .float32),
      ]
    }
    var loss: Tensor?
    for (task, prediction, labels) in forward.tasks {
      guard let own = task.loss else { continue }
      let weighted = own(prediction, labels).converted(to: .float32) * task.lossWeight
      loss = loss.map { $0 + weighted } ?? weighted
    }
    let plan = try ParameterPlan(try model.compiled(), for: try model.outline())
    let trained = plan.trained.map(\.name).filter { forward.parameters[$0] != nil }
    var gradients: [(name: String, tensor: Tensor)] = []
    if let loss {
      let found = pullback(
        of: [loss], seeds: [loss.onesLike()], withRespectTo: trained.compactMap { forward.parameters[$0] })
      gradients = zip(trained, found).compactMap { name, gradient in gradient.map { (name, $0) } }
    }
    let results = try forward.run(on: model.backend, outputs: statistics + gradients.map(\.tensor))
    let numbers = results.prefix(statistics.count).map { $0.elements(as: Double.self).first ?? .nan }
    return Look(
      layers: paths.enumerated().map { index, layer in
        let own = Array(numbers[5 * index..<5 * index + 5])
        return LayerOutputs(
          path: layer.path, mean: own[0], deviation: own[1], zeros: own[2], dead: layer.cutsOff ? own[3] : nil,
          isFinite: own[4] == 1)
      }, gradients: zip(gradients, results.dropFirst(statistics.count)).map { ($0.name, $1) })
  }
}
