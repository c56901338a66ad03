// Convolutions over volumes, written as convolutions over their planes: for each plane of the result, the planes under the
// window are put side by side as channels. That copies the input as often as the window is deep, which costs little beside
// the products, and then the kernels for images do the rest. The gradient of the weights uses the same copies.

import AccelerandoCore

extension Program {
  /// An equal program, up to rounding, in which convolutions over three axes are convolutions over two.
  /// - Throws: never for a program that was traced without error.
  func unfoldingVolumes() throws(GraphError) -> Program {
    guard instructions.contains(where: { ($0.operation as? Convolution)?.strides.count == 3 }) else { return self }
    return try rewriting(sharesEqualNodes: true) { instruction, operands, graph in
      if let convolution = instruction.operation as? Convolution, let result = unfolded(convolution, operands) {
        return [result]
      }
      return graph.add(instruction.operation, operands)
    }
  }
}

/// The result of a convolution over three axes; nil for other convolutions and for those that nobody differentiates or
/// differentiates to.
private func unfolded(_ op: Convolution, _ operands: [Tensor]) -> Tensor? {
  guard op.strides.count == 3, operands.allSatisfy({ $0.dtype == .float32 && $0.type.elementCount > 0 }),
    let type = try? op.infer(operands.map(\.type))[0], type.elementCount > 0
  else { return nil }
  // Copies of a volume that is mostly padding would be larger than any memory.
  let steps = [op.strides[0], op.inputDilation[0], op.kernelDilation[0], op.paddingLow[0], op.paddingHigh[0]]
  guard steps.allSatisfy({ (-4096...4096).contains($0) }) else { return nil }
  let (x, w) = (operands[0], operands[1])
  let forward = Convolution.Dimensions.channelsLast(spatial: 3)
  var backward = forward
  (backward.kernelInput, backward.kernelOutput) = (4, 3)
  let images = Convolution.Dimensions.channelsLast(spatial: 2)
  if op.dimensions == forward, op.batchGroups == 1, !op.reversal.contains(true), op.inputDilation == [1, 1, 1] {
    let depth = w.shape[0]
    let planes = x.planes(
      op.paddingLow[0], type.shape[1], op.strides[0], taps: depth, op.kernelDilation[0], groups: op.featureGroups)
    let kernel = w.transposed([1, 2, 0, 3, 4]).reshaped([w.shape[1], w.shape[2], depth * w.shape[3], w.shape[4]])
    return x.graph.add(op.overPlanes(images), planes, kernel).reshaped(type.shape)
  }
  if op.dimensions == backward, op.batchGroups == 1, !op.reversal.contains(false), op.strides == [1, 1, 1] {
    let depth = w.shape[0]
    let planes = x.planes(
      op.paddingLow[0], type.shape[1], 1, taps: depth, op.kernelDilation[0], groups: op.featureGroups,
      interior: op.inputDilation[0] - 1)
    let kernel = w.reversed(axes: [0]).transposed([1, 2, 3, 0, 4])
      .reshaped([w.shape[1], w.shape[2], w.shape[3], depth * w.shape[4]])
    var dimensions = images
    (dimensions.kernelInput, dimensions.kernelOutput) = (3, 2)
    return x.graph.add(op.overPlanes(dimensions), planes, kernel).reshaped(type.shape)
  }
  let weights = Convolution.Dimensions(
    inputBatch: 4, inputFeature: 0, inputSpatial: [1, 2, 3], kernelInput: 0, kernelOutput: 4, kernelSpatial: [1, 2, 3],
    outputBatch: 3, outputFeature: 4, outputSpatial: [0, 1, 2])
  if op.dimensions == weights, op.featureGroups == 1, !op.reversal.contains(true), op.inputDilation == [1, 1, 1] {
    let (depth, count) = (type.shape[0], w.shape[1])
    let planes = x.planes(
      op.paddingLow[0], count, op.kernelDilation[0], taps: depth, op.strides[0], groups: op.batchGroups)
    let gradient = w.reshaped([w.shape[0] * count, w.shape[2], w.shape[3], w.shape[4]])
    let dimensions = Convolution.Dimensions(
      inputBatch: 3, inputFeature: 0, inputSpatial: [1, 2], kernelInput: 0, kernelOutput: 3, kernelSpatial: [1, 2],
      outputBatch: 2, outputFeature: 3, outputSpatial: [0, 1])
    return x.graph.add(op.overPlanes(dimensions), planes, gradient)
      .reshaped([type.shape[1], type.shape[2], depth, type.shape[3], type.shape[4]]).transposed([2, 0, 1, 3, 4])
  }
  return nil
}

extension Convolution {
  /// The same convolution without the depth.
  fileprivate func overPlanes(_ dimensions: Dimensions) -> Convolution {
    func rest<Value>(_ values: [Value]) -> [Value] { Array(values[1...]) }
    return Convolution(
      dimensions: dimensions, strides: rest(strides), paddingLow: rest(paddingLow), paddingHigh: rest(paddingHigh),
      inputDilation: rest(inputDilation), kernelDilation: rest(kernelDilation), reversal: rest(reversal),
      featureGroups: featureGroups, batchGroups: batchGroups)
  }
}

extension Tensor {
  /// Volumes `[N, D, H, W, C]` as planes `[N · count, H, W, taps · C]`: in plane i lie, side by side, the planes from
  /// i · stride − low, each `dilation` after the other, of a volume that is surrounded by zeros. With groups, the channels of
  /// one group are together.
  fileprivate func planes(
    _ low: Int, _ count: Int, _ stride: Int, taps: Int, _ dilation: Int, groups: Int, interior: Int = 0
  ) -> Tensor {
    let reach = (taps - 1) * dilation + (count - 1) * stride + 1
    let extent = (shape[1] - 1) * (interior + 1) + 1
    let around = padded(
      low: [0, low, 0, 0, 0], high: [0, reach - extent - low, 0, 0, 0], interior: [0, interior, 0, 0, 0])
    let places = (0..<taps).map { tap -> Tensor in
      let start = tap * dilation
      return around.sliced(
        starts: [0, start, 0, 0, 0], limits: [shape[0], start + (count - 1) * stride + 1] + shape[2...],
        strides: [1, stride, 1, 1, 1])
    }
    let (height, width, channels) = (shape[2], shape[3], shape[4])
    let rows = [shape[0] * count, height, width]
    guard groups > 1 else {
      return Tensor.concatenating(places, axis: 4).reshaped(rows + [taps * channels])
    }
    let split = places.map { $0.reshaped(rows + [groups, 1, channels / groups]) }
    return Tensor.concatenating(split, axis: 4).reshaped(rows + [taps * channels])
  }
}
