// Models of the layers of a trained model: the same weights, seen and trained by both.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

private struct Parts {
  let input = Input(shape: [2])
  let hidden: LayerOutput
  let whole: Model

  init(backend: any Backend = testBackend) throws {
    hidden = Dense(6, activation: .tanh, name: "stem")(input)
    let output = Dense(2, activation: .softmax, name: "head")(hidden)
    whole = Model(inputs: [input], outputs: [output], backend: backend, seed: 4)
    try whole.compile(optimizer: .adam(0.05), loss: .sparseCategoricalCrossentropy)
  }
}

/// tanh(x · weight + bias), by hand.
private func features(_ x: NDArray, _ weights: Store) throws -> [Double] {
  let (kernel, bias) = (try #require(weights["layers.0.weight"]), try #require(weights["layers.0.bias"]))
  let (k, b, v) = (
    kernel.elements(as: Double.self), bias.elements(as: Double.self), x.elements(as: Double.self)
  )
  var result: [Double] = []
  for row in 0..<x.shape[0] {
    for unit in 0..<6 {
      let sum: Double = v[row * 2] * k[unit] + v[row * 2 + 1] * k[6 + unit] + b[unit]
      result.append(tanh(sum))
    }
  }
  return result
}

private func expectNear(_ a: NDArray, _ b: [Double]) {
  let distances = zip(a.elements(as: Double.self), b).map { abs($0 - $1) }
  #expect(distances.count == b.count && distances.allSatisfy { $0 < 1e-5 })
}

@Suite struct SharedWeightsTests {
  @Test func intermediateOutputsAreFeaturesOfTheTrainedModel() throws {
    let parts = try Parts()
    let (x, y) = try quadrants(20)
    try parts.whole.fit(x, y, epochs: 3, batchSize: 5, verbose: .silent)
    let extractor = Model(inputs: [parts.input], outputs: [parts.hidden], backend: testBackend)
    expectNear(try extractor.predict(x), try features(x, parts.whole.weights()))
    // They stay those of the model when it is trained on.
    try parts.whole.fit(x, y, epochs: 3, batchSize: 5, verbose: .silent)
    expectNear(try extractor.predict(x), try features(x, parts.whole.weights()))
    try parts.whole.setWeights(
      Store(parts.whole.weights().entries.map { ($0.0, NDArray(repeating: 0.25, type: $0.1.type)) }))
    expectNear(try extractor.predict(x), try features(x, parts.whole.weights()))
  }

  @Test func anExtractorThatIsMadeBeforeTrainingSeesIt() throws {
    let parts = try Parts()
    let extractor = Model(inputs: [parts.input], outputs: [parts.hidden], backend: testBackend)
    let (x, y) = try quadrants(20)
    let before = try extractor.predict(x)
    expectNear(before, try features(x, parts.whole.weights()))
    try parts.whole.fit(x, y, epochs: 2, batchSize: 5, verbose: .silent)
    let after = try extractor.predict(x)
    #expect(after != before)
    expectNear(after, try features(x, parts.whole.weights()))
  }

  @Test func theWeightsOutliveTheModelThatTrainedThem() throws {
    let (x, y) = try quadrants(20)
    let input = Input(shape: [2])
    let hidden = Dense(6, activation: .tanh)(input)
    var trained: Store?
    do {
      let whole = Model(inputs: [input], output: Dense(2, activation: .softmax)(hidden), backend: testBackend)
      try whole.compile(optimizer: .adam(0.05), loss: .sparseCategoricalCrossentropy)
      try whole.fit(x, y, epochs: 2, verbose: .silent)
      trained = try whole.weights()
    }
    let extractor = Model(inputs: [input], output: hidden, backend: testBackend)
    expectNear(try extractor.predict(x), try features(x, try #require(trained)))
  }

  @Test func aNewHeadIsTrainedOnTheFrozenStem() throws {
    let parts = try Parts()
    let (x, y) = try quadrants(20)
    try parts.whole.fit(x, y, epochs: 3, batchSize: 5, verbose: .silent)
    let before = try parts.whole.weights()
    let other = Model(
      inputs: [parts.input], outputs: [Dense(1, activation: .sigmoid, name: "other")(parts.hidden)],
      backend: testBackend, seed: 9)
    try other.compile(optimizer: .adam(0.05), loss: .binaryCrossentropy, groups: [.frozen("stem")])
    let start = try other.weights()
    #expect(start["layers.0.weight"] == before["layers.0.weight"])
    let targets = try y.converted(to: .float32).reshaped([20, 1])
    try other.fit(x, targets, epochs: 3, batchSize: 5, verbose: .silent)
    #expect(try other.weights()["layers.1.weight"] != start["layers.1.weight"])
    #expect(try parts.whole.weights() == before)
    // Without freezing, both models change.
    try other.compile(optimizer: .adam(0.05), loss: .binaryCrossentropy)
    try other.fit(x, targets, epochs: 1, batchSize: 5, verbose: .silent)
    #expect(try parts.whole.weights()["layers.0.weight"] == other.weights()["layers.0.weight"])
    #expect(try parts.whole.weights()["layers.0.weight"] != before["layers.0.weight"])
    #expect(try parts.whole.weights()["layers.1.weight"] == before["layers.1.weight"])
  }

  @Test func modelsOfALayerHaveWeightsOfTheirOwnUnlessTheyAreAsked() throws {
    let (x, y) = try quadrants(20)
    let model = try compiledClassifier()
    try model.fit(x, y, epochs: 2, verbose: .silent)
    let (apart, with) = (
      Model(model.layer, inputShape: [2], backend: testBackend, seed: 77),
      Model(model.layer, inputs: [ModelInput([2])], backend: testBackend, sharesWeights: true)
    )
    #expect(try apart.weights() != model.weights())
    #expect(try with.weights() == model.weights())
    let trained = try model.weights()
    try apart.setWeights(
      Store(trained.entries.map { ($0.0, NDArray(repeating: 0, type: $0.1.type)) }))
    #expect(try model.weights() == trained)
    // Part of a stack of layers.
    let layers = try #require(model.layer as? Sequential).layers
    let first = Model(
      Sequential(Array(layers.prefix(1))), inputs: [ModelInput([2])], backend: testBackend, sharesWeights: true)
    #expect(try first.weights()["layers.0.weight"] == trained["layers.0.weight"])
  }

  @Test func onAnotherDeviceTheWeightsAreCopied() throws {
    let parts = try Parts(backend: ReferenceBackend())
    let (x, y) = try quadrants(20)
    try parts.whole.fit(x, y, epochs: 2, batchSize: 10, verbose: .silent)
    let extractor = Model(inputs: [parts.input], outputs: [parts.hidden], backend: testBackend)
    let trained = try parts.whole.weights()
    expectNear(try extractor.predict(x), try features(x, trained))
    try extractor.setWeights(
      Store(extractor.weights().entries.map { ($0.0, NDArray(repeating: 0, type: $0.1.type)) }))
    #expect(try parts.whole.weights() == trained)
  }

  @Test func aLayerOnAnotherShapeBeginsWithFreshWeights() throws {
    let dense = Dense(3)
    let (a, b) = (Input(shape: [2]), Input(shape: [5]))
    let first = Model(inputs: [a], output: dense(a), backend: testBackend)
    let second = Model(inputs: [b], output: dense(b), backend: testBackend)
    #expect(try first.weights()["layers.0.weight"]?.shape == [2, 3])
    #expect(try second.weights()["layers.0.weight"]?.shape == [5, 3])
    #expect(try first.weights()["layers.0.weight"]?.shape == [2, 3])
  }
}
