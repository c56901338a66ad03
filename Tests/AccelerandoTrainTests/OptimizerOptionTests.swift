// Gradients of several batches, and means of weights: what they are, whoever computes them, and after a power cut.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// A team of threads that share batches.
private func team(_ threads: Int) -> any Backend {
  let engine = CPUBackend(threads: threads, sharing: .always)
  return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
}

private func trained(
  _ optimizer: any Optimizer, on backend: any Backend = testBackend, batchSize: Int = 4, epochs: Int = 3,
  _ callbacks: [any Callback] = [], validates: Bool = false
) throws -> (weights: Store, state: Store, logs: [Logs]) {
  let layer = Sequential {
    Dense(8, activation: .tanh).regularized(kernel: .l2(0.001))
    Dense(2, activation: .softmax)
  }
  let model = Model(layer, inputShape: [2], backend: backend, seed: 3)
  try model.compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy)
  let (x, y) = try quadrants(24)
  let history = try model.fit(
    x, y, epochs: epochs, batchSize: batchSize, validation: validates ? Dataset(x, y) : nil, callbacks: callbacks,
    verbose: .silent)
  return (
    try model.weights(), Store(try model.state().entries.sorted { $0.0 < $1.0 }), history.epochs.map(\.logs)
  )
}

private func distance(_ a: Store, _ b: Store) -> Double {
  a.entries.map { name, array in
    zip(array.elements(as: Double.self), b[name]?.elements(as: Double.self) ?? []).map { abs($0 - $1) }.max()
      ?? .infinity
  }.max() ?? 0
}

private struct PowerCut: Error {}

@Suite struct OptimizerOptionTests {
  @Test func theGradientsOfSmallBatchesMakeTheStepOfALargeOne() throws {
    // The loss is a mean over samples, so the mean of means over equal batches is that of all.
    let large = try trained(.sgd(0.5, momentum: 0.9), batchSize: 12)
    let small = try trained(.sgd(0.5, momentum: 0.9).accumulatingGradients(steps: 3), batchSize: 4)
    #expect(distance(large.weights, small.weights) < 1e-5)
  }

  @Test func weightsOnlyChangeInEveryKthStep() throws {
    var seen: [NDArray] = []
    let watch = LambdaCallback(batchEnd: { _, run in
      seen.append(try #require(try run.model.weights()["layers.0.weight"]))
    })
    _ = try trained(.adam(0.05).accumulatingGradients(steps: 4), epochs: 2, [watch])
    let changes = zip(seen, seen.dropFirst()).enumerated().filter { $0.element.0 != $0.element.1 }.map { $0.offset + 2 }
    #expect(seen.count == 12)
    #expect(changes == [4, 8, 12])
  }

  @Test func anyNumberOfWorkersComesToTheSameBits() throws {
    for optimizer in [
      Adam(0.05).accumulatingGradients(steps: 3), Adam(0.05).averagingWeights(momentum: 0.8, overwriteFrequency: 4),
      Adam(0.05).averagingWeights().accumulatingGradients(steps: 2),
    ] {
      let one = try trained(optimizer, on: team(1), batchSize: 5)
      for workers in [2, 3] {
        let other = try trained(optimizer, on: team(workers), batchSize: 5)
        #expect(other.weights == one.weights)
        #expect(other.logs == one.logs)
      }
    }
  }

  @Test(arguments: [1, 2, 5, 7, 10, 17])
  func aRunThatDiesInTheMiddleOfAnAccumulationResumesToTheSameBits(step: Int) throws {
    try withTemporaryDirectory { directory in
      func train(_ callbacks: [any Callback]) throws -> (weights: Store, state: Store, logs: [Logs]) {
        try trained(
          .adam(0.05).accumulatingGradients(steps: 3).averagingWeights(momentum: 0.8),
          [SwapEMAWeights(swapsOnEpoch: true)] + callbacks, validates: true)
      }
      let whole = try train([])
      func checkpoints() -> Checkpoints { Checkpoints(directory, every: .steps(1), resumes: true) }
      var done = 0
      let first = checkpoints()
      let death = LambdaCallback(batchEnd: { _, _ in
        done += 1
        guard done == step else { return }
        first.writes = false
        throw PowerCut()
      })
      #expect(throws: PowerCut.self) { try train([death, first]) }
      let resumed = try train([checkpoints()])
      #expect(resumed.weights == whole.weights)
      #expect(resumed.state == whole.state)
      #expect(resumed.logs == whole.logs)
    }
  }

  @Test func theMeanOfWeightsIsWhatPeopleComputeByHand() throws {
    var weights: [[Double]] = []
    var means: [[Double]] = []
    let watch = LambdaCallback(batchEnd: { _, run in
      weights.append(try #require(try run.model.weights()["layers.0.weight"]).elements(as: Double.self))
      means.append(
        try #require(try run.model.optimizerState()["slot/layers.0.weight.average"]).elements(as: Double.self))
    })
    let end = try trained(.sgd(0.5).averagingWeights(momentum: 0.9), [watch])
    var mean = weights[0]
    for (weight, found) in zip(weights, means).dropFirst(1) {
      mean = zip(mean, weight).map { 0.9 * $0 + 0.1 * $1 }
      #expect(zip(mean, found).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    // Training ends with the mean.
    #expect(end.weights["layers.0.weight"]?.elements(as: Double.self) == means.last)
  }

  @Test func validationSeesTheMeansAndTrainingDoesNot() throws {
    let optimizer = SGD(0.5).averagingWeights(momentum: 0.9)
    let plain = try trained(optimizer, validates: true)
    let swapped = try trained(optimizer, [SwapEMAWeights()], validates: true)
    let between = try trained(optimizer, [SwapEMAWeights(swapsOnEpoch: true)], validates: true)
    #expect(plain.logs.map { $0["loss"] } == swapped.logs.map { $0["loss"] })
    #expect(plain.logs.map { $0["val_loss"] } != swapped.logs.map { $0["val_loss"] })
    #expect(between.logs == swapped.logs)
    #expect(plain.weights == swapped.weights && plain.weights == between.weights)
  }

  @Test func whatIsTrainedAgainBeginsWithItsWeightAsTheMean() throws {
    let model = compiledModel(.sgd(0.1).averagingWeights(momentum: 0.99))
    let (x, y) = try quadrants(20)
    try model.setTrainable(false, "dense")
    try model.fit(x, y, batchSize: 5, verbose: .silent)
    try model.setTrainable(true, "dense")
    let start = try #require(try model.weights()["layers.0.weight"])
    #expect(try model.optimizerState()["slot/layers.0.weight.average"] == start)
    try model.fit(x, y, batchSize: 5, verbose: .silent)
    let end = try #require(try model.weights()["layers.0.weight"])
    let moved = zip(start.elements(as: Float.self), end.elements(as: Float.self)).map { abs($0 - $1) }.max() ?? 0
    #expect(moved > 0 && moved < 0.1)
  }

  private func compiledModel(_ optimizer: any Optimizer) -> Model {
    let model = classifier()
    try? model.compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy)
    return model
  }

  @Test func settingsOutOfRangeAreRefusedInWords() throws {
    func problem(_ optimizer: any Optimizer) -> String {
      message { try classifier().compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy) }
    }
    #expect(problem(.sgd.averagingWeights(momentum: 2)).contains("'ema_momentum' needs a number from 0 to 1"))
    #expect(
      problem(.adam.averagingWeights(overwriteFrequency: 0))
        .contains("'ema_overwrite_frequency' needs a whole number of at least 1"))
    #expect(
      problem(.adam.accumulatingGradients(steps: 0)).contains("'gradient_accumulation_steps' needs a whole number"))
    let (x, y) = try quadrants(8)
    let swap = message {
      try compiledClassifier().fit(x, y, callbacks: [SwapEMAWeights()], verbose: .silent)
    }
    #expect(swap.contains("SwapEMAWeights needs an optimizer that keeps running means"))
  }

  @Test func optimizersWithoutOptionsHaveNoStateForThem() throws {
    let model = compiledModel(.adam)
    #expect(try model.optimizerState().names.allSatisfy { !$0.contains("average") && !$0.contains("gradient_sum") })
  }
}
