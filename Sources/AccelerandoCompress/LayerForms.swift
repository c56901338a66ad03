// Zeros in a layer can pay in two ways: a sparse product that skips them, or a smaller dense layer that lacks the outputs
// of which nothing is left. Which one does, if any, is measured layer by layer, one sample at a time.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// The forms of one layer, with the times of a sample.
public struct LayerForms: Sendable, Encodable {
  /// How a layer can be computed.
  public enum Form: String, Sendable, Encodable {
    /// As it was.
    case dense
    /// Skipping zeros.
    case sparse
    /// With fewer outputs or inputs.
    case smallerDense = "smaller dense"
  }

  /// The layer's name in the summary.
  public let layer: String
  /// The part of its kernel that is zero.
  public let sparsity: Double
  /// The time of the layer as it was, in seconds.
  public let dense: Double
  /// The time of a sparse product with the kernel; nil where there are few zeros.
  public let sparse: Double?
  /// The time of the layer without the outputs that are all zeros, or as compression left it; nil if it has all of them.
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

  /// Measures the layers with kernels. Layers of the two models belong together by their order.
  static func measure(before: Model, after: Model, seconds: Double) throws -> [LayerForms] {
    let olds = try before.kernelLayers()
    let news = try after.kernelLayers()
    guard olds.count == news.count else { return [] }
    // Calling a program takes a little; the sparse product by itself does not have that yet.
    let identity = Model(ActivationLayer(.linear), inputShape: [1], backend: after.backend)
    let overhead = try Stopwatch.time(seconds: seconds, try identity.repeatedPrediction(batchSize: 1))
    return try zip(olds, news).map { old, new in
      let dense = try old.call()
      var smaller = new.weight.type == old.weight.type ? nil : try new.call()
      if smaller == nil, let shrunk = try new.withoutZeroOutputs() { smaller = try shrunk.call() }
      let sparse = new.sparsity > 0.3 ? new.sparseCall() : nil
      let times = try Stopwatch.compare(dense, sparse ?? smaller ?? {}, seconds: seconds)
      let sparseTime = sparse == nil ? nil : times.second + overhead
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

/// A dense layer or a convolution with its values, taken out of its model.
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

  /// The layer by itself.
  func call() throws -> () throws -> Void {
    let shape = Array(input.shape.dropFirst())
    let model = Model(layer, inputs: [ModelInput(shape, dtype: input.dtype)], backend: backend)
    try model.setWeights(values)
    return try model.repeatedPrediction(batchSize: 1)
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

  /// A product with the kernel that skips its zeros.
  func sparseCall() -> (() throws -> Void)? {
    let matrix = SparseMatrix(weight)
    switch layer {
    case is Dense:
      guard input.rank == 2 else { return nil }
      return matrix.product(rows: 1)
    case let convolution as Conv2D:
      // Each place of the window's centre is a row; putting the rows together is left out, which is in favour of sparse.
      guard convolution.groups == 1, output.rank == 4 else { return nil }
      return matrix.product(rows: output.shape[1] * output.shape[2])
    default: return nil
    }
  }
}

extension Model {
  /// The dense layers and convolutions called directly in the model, each once.
  fileprivate func kernelLayers() throws -> [KernelLayer] {
    let weights = try settledWeights()
    return try outline().layerCalls.compactMap { call -> KernelLayer? in
      guard call.layer is Dense || call.layer is Conv2D, call.inputs.count == 1 else { return nil }
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

/// A kernel's numbers that are not zero, output by output.
private struct SparseMatrix {
  var starts: [Int32] = [0]
  var places: [Int32] = []
  var values: [Float] = []
  let inputs: Int

  init(_ kernel: NDArray) {
    let outputs = kernel.shape[kernel.shape.count - 1]
    let elements = kernel.elements(as: Float.self)
    inputs = outputs == 0 ? 0 : elements.count / outputs
    for output in 0..<outputs {
      for input in 0..<inputs where elements[input * outputs + output] != 0 {
        places.append(Int32(truncatingIfNeeded: input))
        values.append(elements[input * outputs + output])
      }
      starts.append(Int32(truncatingIfNeeded: values.count))
    }
  }

  /// A product with so many rows of noise.
  func product(rows: Int) -> () throws -> Void {
    let x = [Float](repeating: 0.5, count: rows * inputs)
    var y = [Float](repeating: 0, count: rows * (starts.count - 1))
    return {
      x.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer { y in
          starts.withUnsafeBufferPointer { starts in
            places.withUnsafeBufferPointer { places in
              values.withUnsafeBufferPointer { values in
                multiply(x, rows, starts, places, values, into: y)
              }
            }
          }
        }
      }
    }
  }

  private func multiply(
    _ x: UnsafeBufferPointer<Float>, _ rows: Int, _ starts: UnsafeBufferPointer<Int32>,
    _ places: UnsafeBufferPointer<Int32>, _ values: UnsafeBufferPointer<Float>,
    into y: UnsafeMutableBufferPointer<Float>
  ) {
    let outputs = starts.count - 1
    for row in 0..<rows {
      let base = row * inputs
      for output in 0..<outputs {
        // Four sums at a time, so that no addition waits for the one before.
        var (a, b, c, d): (Float, Float, Float, Float) = (0, 0, 0, 0)
        var place = Int(starts[output])
        let end = Int(starts[output + 1])
        while place + 4 <= end {
          a += values[place] * x[base + Int(places[place])]
          b += values[place + 1] * x[base + Int(places[place + 1])]
          c += values[place + 2] * x[base + Int(places[place + 2])]
          d += values[place + 3] * x[base + Int(places[place + 3])]
          place += 4
        }
        while place < end {
          a += values[place] * x[base + Int(places[place])]
          place += 1
        }
        y[row * outputs + output] = (a + b) + (c + d)
      }
    }
  }
}
