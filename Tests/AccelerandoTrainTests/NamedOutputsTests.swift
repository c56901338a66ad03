// Models with several inputs and outputs by name: training, logs, weights, prediction, files, resuming.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

private func numbers(_ count: Int, _ width: Int, seed: UInt64) throws -> NDArray {
  try NDArray(RandomKey(seed: seed).normal(count * width), shape: [count, width])
}

/// Two inputs, two outputs with a trunk in common.
private func makeModel(seed: UInt64 = 3, backend: any Backend = testBackend) -> Model {
  let image = Input(shape: [4], name: "image")
  let age = Input(shape: [2], name: "age")
  let trunk = Dense(5, activation: .tanh, name: "trunk")(Concatenate()([image, age]))
  return Model(
    inputs: [image, age],
    outputs: ["a": Dense(3, name: "head_a")(trunk), "b": Dense(1, name: "head_b")(trunk)], backend: backend, seed: seed)
}

private struct Samples {
  let image, age, a, b: NDArray
  let count: Int

  init(_ count: Int = 22) throws {
    self.count = count
    image = try numbers(count, 4, seed: 1)
    age = try numbers(count, 2, seed: 2)
    a = try numbers(count, 3, seed: 3)
    b = try numbers(count, 1, seed: 4)
  }

  func dataset(weights: NamedArrays = []) throws -> Dataset {
    try Dataset(features: ["age": age, "image": image], targets: ["b": b, "a": a], weights: weights)
  }
}

private func compile(_ model: Model, rate: Double = 0.05) throws {
  try model.compile(
    optimizer: SGD(.constant(rate), momentum: 0.9),
    losses: ["a": MeanSquaredError(), "b": MeanAbsoluteError()], lossWeights: ["a": 2, "b": 0.5],
    metrics: ["a": [LossMetric(MeanAbsoluteError(), name: "mae")]],
    weightedMetrics: ["b": [LossMetric(MeanSquaredError(), name: "mse")]])
}

/// The mean over all elements of a function of the differences, weighted by sample.
private func mean(_ p: NDArray, _ y: NDArray, _ weights: [Double]? = nil, _ f: (Double) -> Double) -> Double {
  let (p, y) = (p.elements(as: Double.self), y.elements(as: Double.self))
  let rows = weights?.count ?? 1
  let width = p.count / rows
  return zip(p, y).enumerated().reduce(0) { $0 + f($1.element.0 - $1.element.1) * (weights?[$1.offset / width] ?? 1) }
    / Double(p.count)
}

private func isClose(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) <= 1e-5 * max(1, abs(b)) }

@Suite struct NamedOutputsTests {
  @Test func logsAreKerasSumAndTheLossAndMetricsOfEachOutput() throws {
    let (model, samples) = (makeModel(), try Samples())
    try compile(model)
    let weights = (0..<samples.count).map { Double($0 % 4) }
    let logs = try model.evaluate(
      samples.dataset(weights: ["b": NDArray(weights.map { Float($0) })]), batchSize: 8)
    let outputs = try model.predictOutputs(samples.dataset(), batchSize: 5)
    #expect(outputs.names == ["a", "b"])
    let (a, b) = (try #require(outputs["a"]), try #require(outputs["b"]))
    let lossA = mean(a, samples.a) { $0 * $0 }
    let lossB = mean(b, samples.b, weights) { abs($0) }
    #expect(Set(logs.keys) == ["loss", "a_loss", "b_loss", "a_mae", "b_mse"])
    #expect(isClose(logs["a_loss"], lossA))
    #expect(isClose(logs["b_loss"], lossB))
    #expect(isClose(logs["loss"], 2 * lossA + 0.5 * lossB))
    #expect(isClose(logs["a_mae"], mean(a, samples.a) { abs($0) }))
    let total = weights.reduce(0, +)
    #expect(isClose(logs["b_mse"], mean(b, samples.b, weights) { $0 * $0 } * Double(samples.count) / total))
  }

  @Test func oneArrayOfWeightsIsForAllOutputs() throws {
    let (model, samples) = (makeModel(), try Samples())
    try compile(model)
    let weights = NDArray((0..<samples.count).map { Float($0 % 3) })
    let common = try model.evaluate(samples.dataset(weights: [weights]), batchSize: 8)
    #expect(try model.evaluate(samples.dataset(weights: ["a": weights, "b": weights]), batchSize: 8) == common)
  }

  @Test func trainingMinimizesTheWeightedSum() throws {
    let samples = try Samples()
    // The same sum as one output of a model: a column for each number, weighted by hand.
    let model = makeModel()
    try compile(model)
    let before = try model.weights()
    try model.fit(samples.dataset(), epochs: 1, batchSize: samples.count, shuffle: false, verbose: .silent)
    let after = try model.weights()
    // One step of SGD is the gradient: finite differences of the sum of the losses.
    func loss(_ store: Store) throws -> Double {
      let other = makeModel()
      try other.setWeights(store)
      let outputs = try other.predictOutputs(samples.dataset(), batchSize: samples.count)
      return 2 * mean(outputs[0], samples.a) { $0 * $0 } + 0.5 * mean(outputs[1], samples.b) { abs($0) }
    }
    for name in before.names {
      let (old, new) = (try #require(before[name]), try #require(after[name]))
      let values = old.elements(as: Float.self)
      let step = new.elements(as: Float.self)[0] - values[0]
      func moved(_ distance: Float) throws -> Store {
        var (store, moved) = (before, values)
        moved[0] += distance
        store[name] = try NDArray(moved, shape: old.shape)
        return store
      }
      let slope = (try loss(try moved(1e-2)) - loss(try moved(-1e-2))) / 2e-2
      #expect(abs(Double(step) + 0.05 * slope) < 2e-3, "\(name)")
    }
    let history = try model.fit(samples.dataset(), epochs: 30, batchSize: 8, verbose: .silent)
    #expect((history["loss"].last ?? 9) < (history["loss"].first ?? 0))
  }

  @Test func labelsByPositionAreInTheOrderOfTheOutputs() throws {
    let (model, samples) = (makeModel(), try Samples())
    try compile(model)
    let named = try model.evaluate(samples.dataset())
    let placed = try Dataset(features: [samples.image, samples.age], targets: [samples.a, samples.b])
    #expect(try model.evaluate(placed) == named)
    let stream = Dataset {
      [
        Batch(features: ["image": samples.image, "age": samples.age], targets: ["a": samples.a, "b": samples.b])
      ]
    }
    let streamed = try model.evaluate(stream)
    for (name, value) in named { #expect(isClose(streamed[name], value)) }
  }

  @Test func anOutputWithoutALossNeedsNoLabels() throws {
    let (model, samples) = (makeModel(), try Samples())
    try model.compile(optimizer: .sgd(0.1), losses: ["b": MeanAbsoluteError()])
    let data = try Dataset(features: ["image": samples.image, "age": samples.age], targets: ["b": samples.b])
    let before = try model.weights()
    let history = try model.fit(data, epochs: 1, verbose: .silent)
    #expect(history.epochs[0].logs.keys.sorted() == ["loss"])
    let after = try model.weights()
    #expect(before["layers.2.weight"] == after["layers.2.weight"])
    #expect(try model.evaluate(samples.dataset()).keys.sorted() == ["loss"])
  }

  @Test func oneLossWithoutANameIsForEveryOutput() throws {
    let (model, samples) = (makeModel(), try Samples())
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError)
    let logs = try model.evaluate(samples.dataset())
    #expect(logs.keys.sorted() == ["a_loss", "b_loss", "loss"])
    #expect(isClose(logs["loss"], (logs["a_loss"] ?? 0) + (logs["b_loss"] ?? 0)))
  }

  @Test func workersThatShareABatchGiveTheSameNumbers() throws {
    let samples = try Samples(23)
    func trained(_ backend: any Backend) throws -> (Logs, Store) {
      let model = makeModel(backend: backend)
      try compile(model)
      let weights = NDArray((0..<samples.count).map { Float($0 % 3) })
      let history = try model.fit(
        samples.dataset(weights: ["a": weights]), epochs: 3, batchSize: 7, verbose: .silent)
      return (history.epochs[2].logs, try model.weights())
    }
    let (alone, values) = try trained(testBackend)
    let engine = CPUBackend(threads: 3, sharing: .always)
    let (shared, sharedValues) = try trained(
      SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team))
    for (name, value) in alone { #expect(isClose(shared[name], value), "\(name)") }
    for (name, value) in values.entries {
      let other = try #require(sharedValues[name]).elements(as: Double.self)
      for (a, b) in zip(value.elements(as: Double.self), other) { #expect(abs(a - b) < 1e-4) }
    }
  }

  @Test func aSavedModelHasItsNamesAndGoesOn() throws {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("outputs-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: place) }
    let (model, samples) = (makeModel(), try Samples())
    try compile(model)
    try model.fit(samples.dataset(), epochs: 2, batchSize: 8, verbose: .silent)
    try model.save(to: place)
    let loaded = try Model.load(from: place, backend: testBackend)
    #expect(loaded.inputs == model.inputs)
    #expect(try loaded.evaluate(samples.dataset()) == model.evaluate(samples.dataset()))
    try loaded.fit(samples.dataset(), epochs: 1, batchSize: 8, shuffle: false, verbose: .silent)
    try model.fit(samples.dataset(), epochs: 1, batchSize: 8, shuffle: false, verbose: .silent)
    #expect(try loaded.weights() == model.weights())
  }

  @Test func anInferenceFunctionGivesAllOutputsByName() throws {
    let (model, samples) = (makeModel(), try Samples(1))
    let function = try model.inferenceFunction()
    #expect(function.outputNames == ["a", "b"] && function.inputNames == ["image", "age"])
    let outputs = try function.outputs(of: ["age": samples.age, "image": samples.image])
    let expected = try model.predictOutputs(samples.dataset())
    for name in ["a", "b"] {
      let (x, y) = (try #require(outputs[name]), try #require(expected[name]))
      #expect(isClose(mean(x, y) { abs($0) }, 0))
    }
    #expect(message { _ = try function([samples.image, samples.age]) }.contains("outputs(of:)"))
    #expect(message { _ = try function.outputs(of: ["image": samples.image]) }.contains("has the inputs image, age"))
  }

  @Test func theLayersOfATrainedModelMakeAnotherThatKnowsItHasNoValuesYet() throws {
    let (model, samples) = (makeModel(), try Samples())
    try compile(model)
    #expect(message { _ = try model.predict(samples.dataset()) }.contains("predictOutputs"))
  }

  @Test func mistakesAreNamedBeforeTheFirstStep() throws {
    let (model, samples) = (makeModel(), try Samples())
    func compiling(_ losses: [String: any Loss], metrics: [String: [any Metric]] = [:], weights: [String: Double] = [:])
      -> String
    {
      message { try model.compile(optimizer: .sgd(0.1), losses: losses, lossWeights: weights, metrics: metrics) }
    }
    #expect(compiling(["c": MeanSquaredError()]).contains("for the output 'c', which the model does not have"))
    #expect(compiling([:]).contains("nothing to minimize"))
    #expect(compiling(["a": MeanSquaredError()], metrics: ["x": [Accuracy()]]).contains("'x'"))
    #expect(compiling(["a": MeanSquaredError()], weights: ["b": 2]).contains("'b', which has no loss"))
    #expect(compiling(["a": MeanSquaredError()], weights: ["a": -1]).contains("at least 0"))
    #expect(
      message { try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError, metrics: [.accuracy]) }
        .contains("say of which one 'accuracy' is a metric"))
    try compile(model)
    func fitting(_ data: @autoclosure () throws -> Dataset) -> String {
      message { try model.fit(try data(), verbose: .silent) }
    }
    let (image, age, a, b) = (samples.image, samples.age, samples.a, samples.b)
    #expect(
      fitting(try Dataset(features: ["image": image, "age": age], targets: ["a": a])).contains("output 'b'"))
    #expect(
      fitting(try Dataset(features: ["image": image, "age": age], targets: ["a": a, "c": b])).contains("no output 'c'"))
    #expect(
      fitting(try Dataset(features: ["image": image, "size": age], targets: ["a": a, "b": b]))
        .contains("no input 'size'"))
    #expect(fitting(try Dataset(features: ["image": image], targets: ["a": a, "b": b])).contains("input 'age'"))
    #expect(
      fitting(try Dataset(features: [image, age], targets: [a, b, b])).contains("received 3 arrays"))
    #expect(
      message {
        _ = try Dataset(features: ["image": image, "age": try age.rows(0..<3)], targets: ["a": a, "b": b])
      }.contains("features 'age' have [3, 2]"))
    let bad = try NDArray([Float](repeating: .nan, count: b.elementCount), shape: b.shape)
    #expect(
      fitting(try Dataset(features: [image, age], targets: [a, bad])).contains("the labels of output 'b' hold NaN"))
    #expect(
      message { try model.fit(try samples.dataset(), classWeights: [0: 2], verbose: .silent) }
        .contains("class weights need a model with one output"))
  }
}
