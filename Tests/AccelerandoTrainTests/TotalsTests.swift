// The running totals: right for any number of samples and any label, and unchanged by steps that do not count.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

@Suite struct TotalsTests {
  private func constantModel(_ metrics: [any Metric] = [], weighted: [any Metric] = []) throws -> Model {
    let model = Model(Dense(1, weightInitializer: .zeros), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .meanSquaredError, metrics: metrics, weightedMetrics: weighted)
    return model
  }

  @Test func totalsAreFloat64AndCountBeyondWhatFloat32Holds() throws {
    let model = try constantModel([.meanAbsoluteError], weighted: [.loss(MeanSquaredError(), name: "weighted")])
    let x = NDArray(zeros: TensorType(.float32, [6, 1]))
    let y = try NDArray([Float](repeating: 1, count: 6)).reshaped([6, 1])
    try model.fit(x, y, batchSize: 6, verbose: .silent)
    // As after 20 million samples of loss 0 and 2²⁴ of loss 1: a float32 would stand still here.
    let before = 16_777_216.0
    for total in [
      Total.loss, .samples, .weights(nil), .metric("mean_absolute_error", state: ""), .metric("weighted", state: ""),
    ] {
      let name = StateName.total(.train, total)
      #expect(model.session.buffers[name]?.type == TensorType(.float64, []), "\(name)")
      try model.session.set(name, NDArray(scalar: before))
    }
    let data = try Dataset(x, y)
    for size in [1, 4] {
      let feeder = try model.feeder(data, .train, batchSize: size)
      try feeder.begin(pass: 0)
      while let launch = try feeder.next() { try launch.step.execution.run() }
    }
    for total in [
      Total.loss, .samples, .weights(nil), .metric("mean_absolute_error", state: ""), .metric("weighted", state: ""),
    ] {
      #expect(try model.session.scalar(StateName.total(.train, total)) == before + 12, "\(total)")
    }
  }

  @Test(arguments: [1, 3, 4096, 4097, 100_000])
  func theLossOfManySamplesIsTheMeanWhateverTheBatch(_ batchSize: Int) throws {
    let count = batchSize < 10 ? 5000 : 100_000
    let values = RandomKey(seed: 4).uniform(count, from: 0, to: 3)
    let right = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
    let x = NDArray(zeros: TensorType(.float32, [count, 1]))
    let logs = try constantModel([.meanAbsoluteError]).evaluate(
      x, try NDArray(values, shape: [count, 1]), batchSize: batchSize)
    let meanAbsolute = values.reduce(0.0) { $0 + Double($1) } / Double(count)
    #expect(abs(try #require(logs["loss"]) - right) < 1e-6 * right)
    #expect(abs(try #require(logs["mean_absolute_error"]) - meanAbsolute) < 1e-6 * meanAbsolute)
  }

  @Test(arguments: [
    "count", "weights", "samples", "learning_rate", "loss_scale/scale", "metric/x", "a/b", "x0", "val_x", "é",
  ])
  func aMetricMayHaveAnyLabel(_ label: String) throws {
    let (x, y) = try quadrants(50)
    let weights = NDArray((0..<50).map { Float($0 % 4) })
    func train(_ metrics: [any Metric], _ weighted: [any Metric]) throws -> Logs {
      let model = classifier()
      try model.compile(
        optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: metrics, weightedMetrics: weighted)
      try model.fit(x, y, sampleWeights: weights, epochs: 1, batchSize: 16, verbose: .silent)
      return try model.evaluate(x, y, sampleWeights: weights, batchSize: 16)
    }
    let expected = try train([Accuracy(name: "a")], [Accuracy(name: "b")])
    let plain = try train([Accuracy(name: label)], [Accuracy(name: "b")])
    let weighted = try train([Accuracy(name: "a")], [Accuracy(name: label)])
    #expect(plain["loss"] == expected["loss"])
    #expect(plain[label] == expected["a"])
    #expect(weighted["loss"] == expected["loss"])
    #expect(weighted[label] == expected["b"])
    #expect(weighted["a"] == expected["a"])
  }

  @Test func labelsThatCollideAreRefused() throws {
    func refusal(_ metrics: [any Metric], _ weighted: [any Metric] = []) -> String {
      message {
        try classifier().compile(
          optimizer: .sgd(0.1), loss: .sparseCategoricalCrossentropy, metrics: metrics, weightedMetrics: weighted)
      }
    }
    #expect(refusal([Accuracy(name: "loss")]).contains("the loss's own"))
    #expect(refusal([Accuracy(name: "a")], [Accuracy(name: "a")]).contains("two metrics have the label 'a'"))
    #expect(refusal([Accuracy(name: "a"), Accuracy(name: "val_a")]).contains("'val_a'"))
    #expect(refusal([Accuracy(name: "val_loss")]).contains("'val_loss'"))
    #expect(refusal([Accuracy(name: "")]).contains("empty label"))
    let (x, y) = try quadrants(8)
    let model = classifier()
    try model.compile(
      optimizer: .sgd(0.1), loss: .sparseCategoricalCrossentropy, metrics: [Accuracy(name: "learning_rate")])
    #expect(
      message { try model.fit(x, y, callbacks: [LearningRateScheduler { _, rate in rate }], verbose: .silent) }
        .contains("under which a callback logs"))
  }

  @Test func totalsOfEarlierCheckpointsFindTheirPlace() throws {
    let (x, y) = try quadrants(32)
    let model = try compiledClassifier()
    try model.fit(x, y, verbose: .silent)
    let logs = try model.logs(.train)
    var earlier = Store()
    for (name, value) in try model.state().entries {
      switch name {
      case StateName.total(.train, .loss): earlier["train/loss"] = value.converted(to: .float32)
      case StateName.total(.train, .samples): earlier["train/count"] = value.converted(to: .float32)
      case StateName.total(.train, .metric("accuracy", state: "")):
        earlier["train/accuracy"] = value.converted(to: .float32)
      case _ where StateName.isTotal(name): break
      default: earlier[name] = value
      }
    }
    let other = try compiledClassifier(seed: 9)
    try other.restore(earlier)
    let restored = try other.logs(.train)
    for (name, value) in logs { #expect(abs(try #require(restored[name]) - value) < 1e-6) }
  }
}
