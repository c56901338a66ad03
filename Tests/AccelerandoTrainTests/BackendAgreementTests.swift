import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoTrain
import Testing

/// Two inputs, a shared layer, a residual addition, dropout and moving statistics.
private func branchedModel(_ backend: any Backend) -> Model {
  let image = Input(shape: [6, 6, 2], name: "image")
  let side = Input(shape: [5], name: "side")
  let shared = Dense(6, activation: .tanh)
  let features = Flatten()(MaxPooling2D()(BatchNormalization()(Conv2D(3, kernelSize: (3, 3), padding: .same)(image))))
  let first = shared(Dense(6)(features))
  let second = Dropout(0.25)(shared(Add()([first, Dense(6)(side)])))
  let output = Dense(3, activation: .softmax)(Add()([first, second]))
  return Model(inputs: [image, side], outputs: [output], backend: backend, seed: 11)
}

private func samples(_ count: Int) throws -> Dataset {
  let key = RandomKey(seed: 4)
  let images = key.folded("images").bits(count * 72).map { UInt8(truncatingIfNeeded: $0) }
  let labels = key.folded("labels").bits(count).map { Int32($0 % 3) }
  return try Dataset(
    features: [
      NDArray(images, shape: [count, 6, 6, 2]),
      NDArray(key.uniform(count * 5, from: -1, to: 1), shape: [count, 5]),
    ],
    labels: NDArray(labels), sampleWeights: NDArray(key.uniform(count, from: 0.5, to: 2)))
}

private func largestDifference(_ a: Store, _ b: Store) -> Double {
  a.entries.map { name, value in
    let other = b[name]?.elements(as: Double.self) ?? []
    return zip(value.elements(as: Double.self), other).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? .infinity
  }.max() ?? .infinity
}

@Suite struct BackendAgreementTests {
  @Test func branchesStateAndRandomnessTrainAsOnTheReference() throws {
    let optimizers: [any Optimizer] = [
      .sgd(momentum: 0.9, nesterov: true), .adam(.cosineDecay(0.01, steps: 10), clipping: .globalNorm(1)),
      .rmsprop(centered: true),
    ]
    for optimizer in optimizers {
      let models = [branchedModel(testBackend), branchedModel(ReferenceBackend())]
      for model in models {
        try model.compile(
          optimizer: optimizer, loss: .sparseCategoricalCrossentropy, metrics: [.accuracy],
          weightedMetrics: [.loss(SparseCategoricalCrossentropy(), name: "weighted")])
      }
      let data = try samples(14)
      let histories = try models.map {
        try $0.fit(data, epochs: 2, batchSize: 4, validation: data, verbose: .silent)
      }
      #expect(largestDifference(try models[0].weights(), try models[1].weights()) < 1e-4)
      for name in ["loss", "accuracy", "weighted", "val_loss", "val_weighted"] {
        let (a, b) = (histories[0][name], histories[1][name])
        #expect(a.count == 2 && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 }, "\(name): \(a) \(b)")
      }
      let predictions = try models.map { try $0.predict(data, batchSize: 5).elements(as: Double.self) }
      #expect(zip(predictions[0], predictions[1]).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test func movingStatisticsMoveOnlyInTraining() throws {
    let model = branchedModel(testBackend)
    try model.compile(optimizer: .sgd(), loss: .sparseCategoricalCrossentropy)
    let state = try model.outline().parameters.filter { $0.role == .state }.map(\.name)
    #expect(state.count == 2)
    let before = try model.weights()
    _ = try model.evaluate(try samples(8))
    #expect(try model.weights() == before)
    try model.fit(try samples(8), verbose: .silent)
    let after = try model.weights()
    #expect(state.allSatisfy { after[$0] != before[$0] })
  }
}
