// A training step of one's own: it trains what it says, in the order it says it, and as `fit` would.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct TrainingStepTests {
  private func regressor(seed: UInt64, _ inner: [any Layer] = []) -> Model {
    Model(
      Sequential {
        Dense(8, activation: .tanh)
        inner
        Dense(1)
      }, inputShape: [3], backend: testBackend, seed: seed)
  }

  private func samples(_ count: Int, seed: UInt64 = 5) throws -> (x: NDArray, y: NDArray) {
    let x = try NDArray(RandomKey(seed: seed).normal(count * 3), shape: [count, 3])
    return (x, try x.sum(axes: [1], keepDims: true))
  }

  private func largestDifference(_ a: Store, _ b: Store) -> Double {
    zip(a.entries, b.entries).map { first, second in
      zip(first.1.elements(as: Double.self), second.1.elements(as: Double.self)).map { abs($0 - $1) }.max() ?? 0
    }.max() ?? .infinity
  }

  @Test(arguments: [Adam(0.05) as any Optimizer, SGD(0.1, momentum: 0.9)])
  func oneModelAndOneOptimizerTrainAsFitDoes(optimizer: any Optimizer) throws {
    let (x, y) = try samples(32)
    let fitted = regressor(seed: 2)
    try fitted.compile(optimizer: optimizer, loss: .meanSquaredError)
    try fitted.fit(Dataset(x, y).shuffled(false), epochs: 12, batchSize: 32)
    let model = regressor(seed: 2)
    let step = try TrainingStep(model) { step in
      step.minimize(MeanSquaredError()(model(step["x"]), step["y"]), training: model, by: optimizer)
    }
    for _ in 0..<12 { try step(["x": x, "y": y]) }
    #expect(largestDifference(try model.weights(), try fitted.weights()) < 1e-5)
    #expect(largestDifference(try model.weights(), try regressor(seed: 2).weights()) > 0.05)
  }

  @Test func onlyTheModelsThatAreNamedChange() throws {
    let (first, second) = (regressor(seed: 1), regressor(seed: 2))
    let before = (try first.weights(), try second.weights())
    let step = try TrainingStep(first, second) { step in
      let x = step.inputs[0]
      step.minimize((first(x) - second(x)).squared(), training: second, by: .sgd(0.1))
    }
    try step(try samples(8).x)
    #expect(try first.weights() == before.0)
    #expect(try second.weights() != before.1)
  }

  @Test func whatFollowsAnUpdateSeesTheNewValues() throws {
    let (x, y) = try samples(16)
    func loss(_ model: Model, _ step: TrainingStep.Trace) -> Tensor {
      MeanSquaredError()(model(step.inputs[0]), step.inputs[1])
    }
    let (twice, once) = (regressor(seed: 3), regressor(seed: 3))
    let both = try TrainingStep(twice) { step in
      step.minimize(loss(twice, step), training: twice, by: .sgd(0.1))
      step.minimize(loss(twice, step), training: twice, by: .sgd(0.1))
    }
    let single = try TrainingStep(once) { step in
      step.minimize(loss(once, step), training: once, by: .sgd(0.1))
    }
    try both(x, y)
    try single(x, y)
    try single(x, y)
    #expect(largestDifference(try twice.weights(), try once.weights()) < 1e-6)
  }

  @Test func predictionsUseWhatWasTrained() throws {
    let (x, y) = try samples(64)
    let model = regressor(seed: 4)
    let step = try TrainingStep(model) { step in
      step.minimize(MeanSquaredError()(model(step.inputs[0]), step.inputs[1]), training: model, by: .adam(0.03))
    }
    func error() throws -> Double {
      try (model.predict(Dataset(features: [x])) - y).map { $0 * $0 }.mean().item()
    }
    let before = try error()
    for _ in 0..<200 { try step(x, y) }
    #expect(try error() < before / 20)
  }

  @Test func batchNormalizationKeepsItsStatisticsAndBatchesMayDifferInSize() throws {
    let model = regressor(seed: 5, [BatchNormalization()])
    let before = try model.weights()
    let step = try TrainingStep(model) { step in
      step.minimize(model(step.inputs[0]).squared(), training: model, by: .sgd(0.01))
      step.report("samples", step.inputs[0].onesLike().sum(axes: [0]))
    }
    try step(try samples(8).x)
    try step(try samples(5).x)
    #expect(try step.averages() == ["samples": 6.5])
    #expect(try step.averages().isEmpty)
    let changed = try model.weights().entries.filter { name, value in before[name] != value }.map(\.0)
    #expect(changed.contains { $0.contains("movingMean") || $0.contains("moving_mean") })
  }

  @Test func randomNumbersAreNewInEachStepAndAFunctionOfTheSeed() throws {
    func values(seed: UInt64) throws -> [Double] {
      let model = regressor(seed: 6)
      let step = try TrainingStep(model, seed: seed) { step in
        step.report("noise", step.normal([4]).sum() + step.uniform([4]).sum())
        step.minimize(model(step.inputs[0]).squared(), training: model, by: .sgd(0.01))
      }
      let x = try samples(4).x
      return try (0..<3).map { _ in
        try step(x)
        return try step.averages()["noise"] ?? 0
      }
    }
    let first = try values(seed: 1)
    #expect(Set(first).count == 3)
    #expect(try values(seed: 1) == first)
    #expect(try values(seed: 2) != first)
  }

  @Test func aStateThatIsSetContinuesToTheSameBits() throws {
    let (x, y) = try samples(16)
    func make() throws -> (Model, TrainingStep) {
      let model = regressor(seed: 7, [Dropout(0.3)])
      return (
        model,
        try TrainingStep(model) { step in
          step.minimize(MeanSquaredError()(model(step.inputs[0]), step.inputs[1]), training: model, by: .adam(0.01))
        }
      )
    }
    let (model, step) = try make()
    for _ in 0..<3 { try step(x, y) }
    let saved = (try model.weights(), try step.state())
    for _ in 0..<3 { try step(x, y) }
    let (again, second) = try make()
    try again.setWeights(saved.0)
    try second.setState(saved.1)
    for _ in 0..<3 { try second(x, y) }
    #expect(try again.weights() == model.weights())
    #expect(throws: StoreMismatch.self) { try second.setState(Store([("other", NDArray(scalar: Float(1)))])) }
  }

  @Test func wrongStepsAreRefusedWithTheRemedy() throws {
    let (x, y) = try samples(4)
    let (model, other) = (regressor(seed: 8), regressor(seed: 9))
    func refusal(_ formula: @escaping (TrainingStep.Trace) -> Void) -> String {
      message { try TrainingStep(model, other, formula: formula)(["x": x, "y": y]) }
    }
    #expect(refusal { _ in }.contains("minimizes nothing"))
    #expect(refusal { $0.minimize($0["z"], training: model, by: .adam) }.contains("no input 'z'. It was given: x, y"))
    #expect(
      refusal { $0.minimize(other($0["x"]), training: model, by: .adam) }.contains(
        "depends on no parameter of the models"))
    #expect(
      refusal { $0.minimize(model($0["x"]), training: self.regressor(seed: 1), by: .adam) }.contains("were not given"))
    #expect(refusal { $0.minimize(model($0["x"]), training: model, by: .adam(-1)) }.contains("learning"))
    #expect(
      refusal { step in
        step.report("a", step["x"])
        step.report("a", step["x"])
        step.minimize(model(step["x"]), training: model, by: .adam)
      }.contains("reports 'a' twice"))
    #expect(message { _ = try TrainingStep(model, model) { _ in } }.contains("one model twice"))
    let shared = Dense(1)
    let pair = (0..<2).map { Model(Sequential([shared]), inputShape: [3], backend: testBackend, seed: UInt64($0)) }
    #expect(message { _ = try TrainingStep(pair[0], pair[1]) { _ in } }.contains("share the parameter"))
    #expect(refusal { $0.minimize(model($0["x"].reshaped([2, 6])), training: model, by: .adam) }.contains("Dense"))
  }

  @Test func batchesOfAPassHoldEverySampleOnce() throws {
    let data = try Dataset(NDArray((0..<10).map(Float.init)), NDArray((0..<10).map(Int32.init)))
    func order(_ pass: Int) throws -> [Int32] {
      let batches = try data.batches(of: 4, pass: pass)
      var order: [Int32] = []
      while let batch = try batches.next() { order += batch.labels?.elements(as: Int32.self) ?? [] }
      return order
    }
    #expect(try order(0).sorted() == (0..<10).map(Int32.init))
    #expect(try order(0) != order(1))
    #expect(try order(0) == order(0))
    #expect(throws: TrainingError.self) { _ = try data.batches(of: 0) }
  }
}
