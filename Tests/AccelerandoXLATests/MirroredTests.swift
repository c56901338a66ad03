// Several devices that share every batch come to the result of one: the same weights, metrics and predictions, whether or not
// the batch can be divided evenly.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoTrain
import AccelerandoXLA
import Testing

/// Two inputs, dropout, attention with dropout, and a normalization over the batch.
private func model(_ normalization: any Layer, _ backend: any Backend) throws -> Model {
  let image = Input(shape: [6, 6, 2], name: "image")
  let side = Input(shape: [4, 6], name: "side")
  let features = Flatten()(MaxPooling2D()(normalization(Conv2D(3, kernelSize: (3, 3))(image))))
  let attention = Flatten()(MultiHeadAttention(headCount: 2, keySize: 3, dropout: 0.2)(side))
  let joined = Dropout(0.25)(Dense(5, activation: .tanh)(Concatenate()([features, attention])))
  let model = Model(
    inputs: [image, side], outputs: [Dense(3, activation: .softmax)(joined)], backend: backend, seed: 11)
  try model.compile(
    optimizer: .adam(0.01, clipping: .globalNorm(1)), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy],
    weightedMetrics: [.loss(SparseCategoricalCrossentropy(), name: "weighted")])
  return model
}

private func samples(_ count: Int) throws -> Dataset {
  let key = RandomKey(seed: 4)
  let images = key.folded("images").bits(count * 72).map { UInt8(truncatingIfNeeded: $0) }
  return try Dataset(
    features: [
      NDArray(images, shape: [count, 6, 6, 2]),
      NDArray(key.uniform(count * 24, from: -1, to: 1), shape: [count, 4, 6]),
    ],
    labels: NDArray(key.folded("labels").bits(count).map { Int32($0 % 3) }),
    sampleWeights: NDArray(key.uniform(count, from: 0.5, to: 2)))
}

/// Normalizes each of `groups` equal parts of the batch by its own statistics: what devices do that do not synchronize.
private struct GroupedNormalization: Layer {
  let groups: Int
  let gamma = Parameter(.ones), beta = Parameter(.zeros)
  let movingMean = Parameter(.zeros, role: .state), movingVariance = Parameter(.ones, role: .state)

  func forward(_ x: Tensor) -> Tensor {
    // Models are looked at with one sample first.
    let groups = x.shape[0] % groups == 0 ? groups : 1
    let features = x.dim(-1)
    let (mean, variance) = (movingMean[features], movingVariance[features])
    let (scale, shift) = (gamma[features], beta[features])
    guard Scope.isTraining else { return (x - mean) * (variance + 1e-3).rsqrt() * scale + shift }
    let parts = x.reshaped([groups, x.shape[0] / groups] + x.shape.dropFirst())
    let axes = Array(1..<parts.rank - 1)
    let moments = parts.moments(axes: axes, keepDims: true)
    movingMean.update(mean * 0.99 + moments.mean.reshaped([groups, features]).mean(axes: [0]) * 0.01)
    movingVariance.update(variance * 0.99 + moments.variance.reshaped([groups, features]).mean(axes: [0]) * 0.01)
    let normalized = (parts - moments.mean) * (moments.variance + 1e-3).rsqrt()
    return normalized.reshaped(x.shape) * scale + shift
  }
}

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct MirroredTests {
  /// Devices of XLA's CPU that work together.
  private func devices(_ count: Int) throws -> XLABackend {
    let client = try Client.shared(
      TestPlugins.backends[0].client.plugin, options: ["cpu_device_count": .integer(4)])
    return try XLABackend(client, devices: Array(0..<count))
  }

  private func expectEqual(
    _ models: [Model], on data: Dataset, batchSize: Int, by name: (String) -> String = { $0 }
  ) throws {
    let histories = try models.map {
      try $0.fit(data, epochs: 2, batchSize: batchSize, validation: data, verbose: .silent)
    }
    for key in ["loss", "accuracy", "weighted", "val_loss", "val_accuracy", "val_weighted"] {
      let (a, b) = (histories[0][key], histories[1][key])
      #expect(a.count == 2 && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 }, "\(key): \(a) and \(b)")
    }
    let stores = try models.map { try $0.weights() }
    for (one, other) in zip(stores[0].entries, stores[1].entries) {
      #expect(largestDifference(one.1, other.1) < 2e-4, "\(one.0)")
    }
    let predictions = try models.map { try $0.predict(data, batchSize: batchSize) }
    #expect(largestDifference(predictions[0], predictions[1]) < 1e-4)
  }

  /// 13 samples: batches of 8 divide by 4 but the last has 5; batches of 7 divide by nothing; a batch of 2 leaves devices
  /// without samples.
  @Test(arguments: [(4, 8), (3, 7), (4, 2)])
  func theResultIsThatOfOneDevice(_ workers: Int, _ batchSize: Int) throws {
    let normalization = BatchNormalization(isSynchronized: true)
    let models = [try model(normalization, devices(1)), try model(normalization, devices(workers))]
    try expectEqual(models, on: try samples(13), batchSize: batchSize)
  }

  @Test func statisticsThatAreNotSynchronizedAreThoseOfEachPart() throws {
    let models = [
      try model(GroupedNormalization(groups: 4), devices(1)), try model(BatchNormalization(), devices(4)),
    ]
    try expectEqual(models, on: try samples(16), batchSize: 8)
  }

  @Test func unevenPartsNormalizeTheirOwnSamplesOnly() throws {
    // Parts of 3 and 2 samples: the row that fills up the second counts for nothing.
    let layer = Sequential { BatchNormalization(momentum: 0) }
    let model = Model(layer, inputShape: [2], backend: try devices(2))
    try model.compile(optimizer: .sgd(0), loss: .meanSquaredError)
    let x = try NDArray([1, 10, 2, 20, 6, 60, 4, 40, 8, 90] as [Float], shape: [5, 2])
    try model.fit(Dataset(x, x), batchSize: 5, shuffle: false, verbose: .silent)
    let weights = try model.weights()
    // The mean of the parts' statistics, each counting by its samples.
    let means = weights["layers.0.movingMean"]?.elements(as: Double.self) ?? []
    #expect(zip(means, [4.2, 44]).allSatisfy { abs($0 - $1) < 1e-4 }, "\(means)")
    let variances = weights["layers.0.movingVariance"]?.elements(as: Double.self) ?? []
    // (14/3 · 3 + 4 · 2) / 5 and (1400/3 · 3 + 625 · 2) / 5
    let expected = [4.4, 530]
    #expect(zip(variances, expected).allSatisfy { abs($0 - $1) < 1e-3 }, "\(variances)")
  }

  @Test func streamsAreDividedToo() throws {
    let data = try samples(13)
    let stream = data.mapped { $0 }
    let normalization = BatchNormalization(isSynchronized: true)
    let models = [try model(normalization, devices(1)), try model(normalization, devices(4))]
    try expectEqual(models, on: stream, batchSize: 6)
  }

  @Test func stackedBuffersGiveEachDeviceItsPart() throws {
    let backend = try devices(3)
    let type = TensorType(.float32, [2])
    let program = try Program.trace([("x", type), ("y", TensorType(.int32, []))]) { inputs in
      [inputs[0] * 2, inputs[0].allReduced(.sum), inputs[1] + 1]
    }
    let x = try backend.makeStackedBuffer(type, workers: 3)
    let y = try backend.makeStackedBuffer(TensorType(.int32, []), workers: 3)
    try x.write(NDArray([1, 2, 3, 4, 5, 6] as [Float]))
    try y.write(NDArray([7, 8, 9] as [Int32]))
    let execution = try backend.compile(program).bind([x, y])
    try execution.run()
    let results = try execution.outputs.map { try $0.read() }
    #expect(results[0] == NDArray([2, 4, 6, 8, 10, 12] as [Float]))
    #expect(results[1] == NDArray([9, 12, 9, 12, 9, 12] as [Float]))
    #expect(results[2] == NDArray([8, 9, 10] as [Int32]))
  }
}
