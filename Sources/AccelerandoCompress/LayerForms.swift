// Zeros in a layer can pay in two ways: the engine skips them, or there is a smaller dense layer without the outputs
// that are all zeros. Which one does, if any, is measured layer by layer, one sample at a time, as the engine runs it.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// The forms of one layer, with the time per sample.
public struct LayerForms: Sendable, Encodable {
  /// How a layer can be computed.
  public enum Form: String, Sendable, Encodable {
    /// Unchanged.
    case dense
    /// Skipping zeros, as the engine decided.
    case sparse
    /// With fewer outputs or inputs.
    case smallerDense = "smaller dense"
  }

  /// The layer's name in the summary.
  public let layer: String
  /// The proportion of zeros in its kernel.
  public let sparsity: Double
  /// The time of the original layer, with a full kernel, in seconds.
  public let dense: Double
  /// The time of the layer if the engine skips its zeros; nil if it does not.
  public let sparse: Double?
  /// The time of the layer without the outputs that are all zeros, or as compression left it; nil if it has all
  /// outputs.
  public let smallerDense: Double?
  /// The fastest of them.
  public let fastest: Form

  static func table(_ layers: [LayerForms]) -> String {
    let rows = layers.map { layer in
      [
        layer.layer, layer.fastest.rawValue, percent(layer.sparsity), time(layer.dense),
        layer.sparse.map { time($0) } ?? "–", layer.smallerDense.map { time($0) } ?? "–",
      ]
    }
    return textTable(
      ["Layer, one sample", "Fastest form", "Zeros", "Dense", "Sparse", "Smaller dense"], rows, left: 2)
  }

  /// Measures the layers with kernels. Layers of the two models are matched by their order.
  static func measure(before: Model, after: Model, seconds: Double) throws -> [LayerForms] {
    let olds = try before.kernelLayers()
    let news = try after.kernelLayers()
    guard olds.count == news.count else { return [] }
    return try zip(olds, news).map { old, new in
      let dense = try old.filled().call().run
      var smaller = new.weight.type == old.weight.type ? nil : try new.filled().call().run
      if smaller == nil, let shrunk = try new.withoutZeroOutputs() { smaller = try shrunk.filled().call().run }
      let asItIs = try new.call()
      let sparse = asItIs.isSparse ? asItIs.run : nil
      let times = try Stopwatch.compare(dense, sparse ?? smaller ?? {}, seconds: seconds)
      let sparseTime = sparse == nil ? nil : times.second
      var smallerTime = sparse == nil && smaller != nil ? times.second : nil
      if sparse != nil, let smaller { smallerTime = try Stopwatch.time(seconds: seconds, smaller) }
      var fastest = Form.dense
      var best = times.first / CompressionVerdict.sameTime
      if let sparseTime, sparseTime < best { (fastest, best) = (.sparse, sparseTime) }
      if let smallerTime, smallerTime < best { fastest = .smallerDense }
      return LayerForms(
        layer: new.name, sparsity: new.sparsity, dense: times.first, sparse: sparseTime, smallerDense: smallerTime,
        fastest: fastest)
    }
  }
}

/// A dense layer or a convolution with its values, extracted from its model.
private struct KernelLayer {
  let name: String
  let layer: any Layer
  let input: TensorType
  let output: TensorType
  let values: Store
  let weight: NDArray
  let backend: any Backend

  var sparsity: Double {
    let elements = weight.elements(as: Float.self)
    return Double(elements.reduce(0) { $0 + ($1 == 0 ? 1 : 0) }) / Double(max(elements.count, 1))
  }

  /// The layer on its own, for one sample, and whether the engine skips zeros.
  func call() throws -> (run: () throws -> Void, isSparse: Bool) {
    let shape = Array(input.shape.dropFirst())
    let model = Model(layer, inputs: [ModelInput(shape, dtype: input.dtype)], backend: backend)
    try model.setWeights(values)
    let prediction = try model.repeatedPrediction(batchSize: 1)
    return (prediction.run, !prediction.sparseOperations.isEmpty)
  }

  /// The layer with zeros replaced by other numbers: the time of a dense layer does not depend on its values.
  func filled() throws -> KernelLayer {
    let entries = try values.entries.map { name, value in
      guard name == "weight" else { return (name, value) }
      let numbers = value.elements(as: Float.self).map { $0 == 0 ? 0.01 : $0 }
      return (name, try NDArray(numbers, shape: value.shape).converted(to: value.dtype))
    }
    return KernelLayer(
      name: name, layer: layer, input: input, output: output, values: Store(entries), weight: weight, backend: backend)
  }

  /// The layer without the outputs that are all zeros; nil if there are none or all are.
  func withoutZeroOutputs() throws -> KernelLayer? {
    let outputs = weight.shape[weight.shape.count - 1]
    let elements = weight.elements(as: Float.self)
    var isZero = [Bool](repeating: true, count: outputs)
    for (index, element) in elements.enumerated() where element != 0 { isZero[index % outputs] = false }
    let kept = (0..<outputs).filter { !isZero[$0] }
    guard !kept.isEmpty, kept.count < outputs, let smaller = try layer.resized(outputs: kept.count) else { return nil }
    let sliced = Store(
      try values.entries.map { name, value in (name, try value.taking(kept, axis: value.shape.count - 1)) })
    return KernelLayer(
      name: name, layer: smaller, input: input, output: output, values: sliced, weight: weight, backend: backend)
  }
}

extension Model {
  /// The dense layers and convolutions called directly in the model, each once.
  fileprivate func kernelLayers() throws -> [KernelLayer] {
    let weights = try settledWeights()
    return try outline().layerCalls.compactMap { call -> KernelLayer? in
      guard case .produced = call.layer.channelFlow(of: call.inputs).outputs, call.inputs.count == 1 else { return nil }
      let own = ParameterNames(of: call.layer).all
      let values = own.compactMap { name -> (String, NDArray)? in
        guard let full = call.parameters.first(where: { $0.hasSuffix(".\(name)") }), let value = weights[full]
        else { return nil }
        return (name, value)
      }
      guard let weight = values.first(where: { $0.0 == "weight" })?.1 else { return nil }
      return KernelLayer(
        name: call.name, layer: call.layer, input: call.inputs[0], output: call.output, values: Store(values),
        weight: weight, backend: backend)
    }
  }
}
