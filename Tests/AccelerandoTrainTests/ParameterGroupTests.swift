// Frozen parameters, optimizers and rates by group, unfreezing, files, resuming.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

private func makeModel(seed: UInt64 = 5) -> Model {
  Model(
    Sequential {
      Dense(6, activation: .relu, name: "stem")
      BatchNormalization(name: "norm")
      Dense(5, activation: .tanh)
      Dense(2, activation: .softmax, name: "head")
    }, inputShape: [2], backend: testBackend, seed: seed)
}

private func fitted(_ model: Model, epochs: Int = 2) throws -> Store {
  let (x, y) = try quadrants(30)
  try model.fit(x, y, epochs: epochs, batchSize: 10, shuffle: false, verbose: .silent)
  return try model.weights()
}

private func compile(_ model: Model, _ groups: [ParameterGroup], optimizer: any Optimizer = Adam(0.01)) throws {
  try model.compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy, groups: groups)
}

/// The names of the values that differ.
private func changed(_ a: Store, _ b: Store) -> [String] { a.names.filter { a[$0] != b[$0] } }

@Suite struct ParameterGroupTests {
  @Test func frozenParametersStayAndHaveNoSlots() throws {
    let model = makeModel()
    let before = try model.weights()
    try compile(model, [.frozen("stem", "dense")])
    let after = try fitted(model)
    #expect(
      changed(before, after)
        == [
          "layers.1.gamma", "layers.1.beta", "layers.1.movingMean", "layers.1.movingVariance", "layers.3.weight",
          "layers.3.bias",
        ].sorted { before.names.firstIndex(of: $0) ?? 0 < before.names.firstIndex(of: $1) ?? 0 })
    let slots = try model.optimizerState().names.filter { $0.hasPrefix("slot/") }
    #expect(slots.count == 8 && !slots.contains { $0.contains("layers.0.") || $0.contains("layers.2.") })
    #expect(try model.summary().contains("Non-trainable params: 65"))
  }

  @Test func aFrozenModelPartTrainsLikeAModelOfTheRest() throws {
    // What comes before the head is a function: the head alone, trained on its values, ends with the same weights.
    let model = makeModel()
    try compile(model, [.frozen("stem", "norm", "dense")])
    let start = try model.weights()
    let layers = try #require(model.layer as? Sequential).layers
    let body = Model(Sequential(Array(layers[0...2])), inputShape: [2], backend: testBackend, seed: 5)
    try body.setWeights(Store(start.entries.filter { !$0.0.hasPrefix("layers.3.") }))
    let (x, y) = try quadrants(30)
    let values = try body.predict(x, batchSize: 10)
    let head = Model(Sequential { Dense(2, activation: .softmax) }, inputShape: [5], backend: testBackend)
    try head.setWeights(
      Store(
        [("layers.0.weight", start["layers.3.weight"]), ("layers.0.bias", start["layers.3.bias"])].compactMap {
          entry in entry.1.map { (entry.0, $0) }
        }))
    try compile(head, [])
    try head.fit(values, y, epochs: 3, batchSize: 10, shuffle: false, verbose: .silent)
    try model.fit(x, y, epochs: 3, batchSize: 10, shuffle: false, verbose: .silent)
    let (a, b) = (try model.weights(), try head.weights())
    for (name, other) in [("layers.3.weight", "layers.0.weight"), ("layers.3.bias", "layers.0.bias")] {
      let (p, q) = (try #require(a[name]), try #require(b[other]))
      for (u, v) in zip(p.elements(as: Float.self), q.elements(as: Float.self)) { #expect(abs(u - v) < 1e-5) }
    }
  }

  @Test func eachGroupFollowsItsOwnOptimizer() throws {
    let (a, b, mixed) = (makeModel(), makeModel(), makeModel())
    func oneStep(_ model: Model) throws -> Store {
      let (x, y) = try quadrants(10)
      try model.fit(x, y, epochs: 1, batchSize: 10, shuffle: false, verbose: .silent)
      return try model.weights()
    }
    try compile(a, [], optimizer: Adam(0.01))
    try compile(b, [], optimizer: SGD(0.5, momentum: 0.9))
    try compile(mixed, [.trained("head", by: SGD(0.5, momentum: 0.9))], optimizer: Adam(0.01))
    let (byAdam, bySGD, both) = (try oneStep(a), try oneStep(b), try oneStep(mixed))
    for name in both.names { #expect(both[name] == (name.hasPrefix("layers.3.") ? bySGD : byAdam)[name], "\(name)") }
    // A factor changes the rate of its group alone.
    let (half, whole) = (makeModel(), makeModel())
    try compile(half, [.trained("head.*", rateFactor: 0.5)], optimizer: SGD(0.5))
    try compile(whole, [], optimizer: SGD(0.25))
    let (halved, quarter) = (try oneStep(half), try oneStep(whole))
    #expect(halved["layers.3.weight"] == quarter["layers.3.weight"])
    #expect(halved["layers.0.weight"] != quarter["layers.0.weight"])
  }

  @Test func unfreezingKeepsTheStateOfTheRest() throws {
    let model = makeModel()
    try compile(model, [.frozen("stem")])
    _ = try fitted(model)
    let (state, weights) = (try model.optimizerState(), try model.weights())
    try model.setTrainable(true, "stem")
    let after = try model.optimizerState()
    for (name, value) in state.entries { #expect(after[name] == value, "\(name)") }
    #expect(after.count == state.count + 4)
    #expect(changed(weights, try fitted(model, epochs: 1)).contains("layers.0.weight"))
    try model.setTrainable(false, "*")
    #expect(message { _ = try fitted(model) }.contains("all parameters are frozen: there is nothing to train"))
  }

  @Test func aSavedModelGoesOnWithItsGroups() throws {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("groups-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: place) }
    let model = makeModel()
    try compile(model, [.frozen("stem"), .trained("h*d", by: SGD(0.1, momentum: 0.5), rateFactor: 2)])
    _ = try fitted(model)
    try model.save(to: place)
    let loaded = try Model.load(from: place, backend: testBackend)
    #expect(try fitted(loaded) == fitted(model))
  }

  @Test func aPatternThatMatchesNothingIsRefused() {
    #expect(message { try compile(makeModel(), [.frozen("sten")]) }.contains("matches no parameter"))
    #expect(message { try compile(makeModel(), [.frozen("sten")]) }.contains("Did you mean 'stem'?"))
    #expect(message { try compile(makeModel(), [ParameterGroup([])]) }.contains("at least one pattern"))
    #expect(message { try compile(makeModel(), [.trained("head", rateFactor: -1)]) }.contains("at least 0"))
  }
}
