// Layers that are not trained, by their own word: nested, shared, saved, and trained again later.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

private func backbone() -> Sequential {
  Sequential(name: "backbone") {
    Dense(6, activation: .relu)
    BatchNormalization()
  }
}

private func makeModel(_ backbone: any Layer) -> Model {
  Model(
    Sequential {
      backbone
      Dense(2, activation: .softmax, name: "head")
    }, inputShape: [2], backend: testBackend, seed: 5)
}

private func fit(_ model: Model, epochs: Int = 2) throws {
  let (x, y) = try quadrants(30)
  try model.fit(x, y, epochs: epochs, batchSize: 10, shuffle: false, verbose: .silent)
}

private func changed(_ a: Store, _ b: Store) -> [String] { a.names.filter { a[$0] != b[$0] } }

@Suite struct LayerOptionTests {
  @Test func aFrozenLayerFreezesEverythingInsideAndItsNormalizationKeepsItsMeans() throws {
    let model = makeModel(backbone().trainable(false))
    #expect(try model.summary().contains("Trainable params: 14"))
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
    let before = try model.weights()
    try fit(model)
    #expect(changed(before, try model.weights()) == ["layers.1.weight", "layers.1.bias"])
    #expect(try model.optimizerState().names.filter { $0.hasPrefix("slot/") }.count == 4)
    // The same as a frozen group.
    let grouped = makeModel(backbone())
    try grouped.compile(
      optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, groups: [.frozen("backbone")])
    try fit(grouped)
    #expect(try grouped.weights() == model.weights())
  }

  @Test func trainingItAgainLaterKeepsTheRest() throws {
    let model = makeModel(backbone().trainable(false))
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
    try fit(model)
    let (weights, slots) = (try model.weights(), try model.optimizerState())
    try model.setTrainable(true, "backbone")
    #expect(try model.weights() == weights)
    let now = try model.optimizerState()
    for name in slots.names { #expect(now[name] == slots[name]) }
    try fit(model)
    #expect(try changed(weights, model.weights()).count == 8)
  }

  @Test func aGroupWithAnotherRateDoesNotThaw() throws {
    let model = makeModel(backbone().trainable(false))
    try model.compile(
      optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, groups: [.trained("*", rateFactor: 0.5)])
    let before = try model.weights()
    try fit(model)
    #expect(changed(before, try model.weights()) == ["layers.1.weight", "layers.1.bias"])
  }

  @Test func aLayerThatIsFrozenInOnePlaceIsFrozen() throws {
    let dense = Dense(2)
    let model = Model(
      Sequential {
        dense
        Sequential { dense }.trainable(false)
        Dense(2, activation: .softmax)
      }, inputShape: [2], backend: testBackend)
    try model.compile(optimizer: .sgd(0.5), loss: .sparseCategoricalCrossentropy)
    let before = try model.weights()
    try fit(model)
    #expect(changed(before, try model.weights()) == ["layers.2.weight", "layers.2.bias"])
  }

  @Test func aModelInWhichEverythingIsFrozenIsRefusedBeforeTheFirstStep() throws {
    let model = Model(
      Sequential { Dense(2, activation: .softmax) }.trainable(false), inputShape: [2], backend: testBackend)
    try model.compile(optimizer: .sgd, loss: .sparseCategoricalCrossentropy)
    let before = try model.weights()
    let problem = message { try fit(model) }
    #expect(problem.contains("all parameters are frozen") && problem.contains("trainable: false"))
    #expect(try model.weights() == before)
  }

  @Test func aStatefulLayerThatIsFrozenGoesOnFromItsState() throws {
    func states(_ trainable: Bool) throws -> Bool {
      let model = Model(
        Sequential {
          SimpleRNN(3, isStateful: true).trainable(trainable)
          Dense(2, activation: .softmax)
        }, inputShape: [4, 2], backend: testBackend, seed: 2)
      try model.compile(optimizer: .sgd, loss: .sparseCategoricalCrossentropy)
      let before = try model.weights()
      let x = try NDArray(RandomKey(seed: 1).normal(8), shape: [1, 4, 2])
      try model.fit(x, NDArray([Int32(1)]), batchSize: 1, verbose: .silent)
      return try changed(before, model.weights()).contains { $0.contains("keptStates") }
    }
    #expect(try states(true))
    #expect(try states(false))
  }

  @Test func optionsAreSavedWithTheModel() throws {
    try withTemporaryDirectory { directory in
      let model = makeModel(
        Sequential(name: "backbone") {
          Dense(6, activation: .relu).regularized(kernel: .l2(0.1)).constrained(kernel: .maxNorm(0.5))
          BatchNormalization()
        }.trainable(false))
      try model.compile(
        optimizer: .adam(0.01).averagingWeights(momentum: 0.9).accumulatingGradients(steps: 2),
        loss: .sparseCategoricalCrossentropy)
      try model.setTrainable(true, "backbone.dense")
      try fit(model)
      try model.save(to: directory.appendingPathComponent("model"))
      let loaded = try Model.load(from: directory.appendingPathComponent("model"), backend: testBackend)
      #expect(try loaded.weights() == model.weights())
      #expect(try loaded.optimizerState() == model.optimizerState())
      #expect(try loaded.summary() == model.summary())
      try fit(model)
      try fit(loaded)
      let (a, b) = (try model.weights(), try loaded.weights())
      #expect(a == b)
    }
  }
}
