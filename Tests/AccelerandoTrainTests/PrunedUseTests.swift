// Models in use whose weights have zeros: evaluation and prediction look at the weights once in a pass, and at the right ones.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct PrunedUseTests {
  private func model(_ backend: any Backend = testBackend) throws -> Model {
    let layers = Sequential {
      Dense(256, activation: .relu)
      Dense(256, activation: .relu)
      Dense(10, activation: .softmax)
    }
    let model = Model(layers, inputShape: [256], backend: backend, seed: 4)
    try model.compile(optimizer: .sgd(0.05), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    return model
  }

  private func data(_ count: Int) throws -> (x: NDArray, y: NDArray) {
    let x = try NDArray(RandomKey(seed: 9).normal(count * 256), shape: [count, 256])
    return (x, NDArray((0..<count).map { Int32($0 * 7 % 10) }))
  }

  /// Nine of ten weights of the large layers become zeros.
  private func prune(_ model: Model) throws {
    var weights = try model.weights()
    for (name, value) in weights.entries where value.shape == [256, 256] {
      let numbers = value.elements(as: Float.self).enumerated().map { $0 % 10 == 3 ? $1 : 0 }
      weights[name] = try NDArray(numbers, shape: value.shape)
    }
    try model.setWeights(weights)
  }

  private func isClose(_ a: NDArray, _ b: NDArray) -> Bool {
    zip(a.elements(as: Double.self), b.elements(as: Double.self)).allSatisfy { abs($0 - $1) < 1e-5 }
  }

  @Test func longPassesSeeTheWeightsAsTheyAreWhenTheyBegin() throws {
    let model = try model()
    let many = try data(2100)
    for round in 0..<4 {
      if round == 1 { try prune(model) }
      // Training fills the zeros again.
      if round >= 2 { try model.fit(many.x, many.y, epochs: 1, batchSize: 128, verbose: .silent) }
      if round == 3 { try prune(model) }
      let long = try model.predict(many.x, batchSize: 64)
      let rows = try NDArray(Array(many.x.elements(as: Float.self)[..<(64 * 256)]), shape: [64, 256])
      let short = try model.predict(rows, batchSize: 64)
      let start = try NDArray(Array(long.elements(as: Float.self)[..<640]), shape: [64, 10])
      #expect(isClose(start, short), "round \(round)")
      let logs = try model.evaluate(many.x, many.y, batchSize: 64)
      let labels = many.y.elements(as: Int32.self).map { Int($0) }
      let rights = (0..<2100).count { sample in
        let scores = long.elements(as: Float.self)[(sample * 10)..<(sample * 10 + 10)]
        return scores.firstIndex(of: scores.max() ?? 0) == scores.startIndex + labels[sample]
      }
      #expect(abs((logs["accuracy"] ?? 0) - Double(rights) / 2100) < 2e-3, "round \(round)")
    }
  }

  @Test func validationSeesEveryEpochsWeights() throws {
    let model = try model()
    let many = try data(2100)
    let history = try model.fit(
      many.x, many.y, epochs: 3, batchSize: 128, validation: Dataset(many.x, many.y), verbose: .silent)
    let last = try model.evaluate(many.x, many.y, batchSize: 128)
    let losses = history["val_loss"]
    #expect(Set(losses).count == 3 && losses.last.map { abs($0 - (last["loss"] ?? 0)) < 1e-5 } == true, "\(losses)")
  }

  @Test func aLongPassAndAFunctionLeaveTheZerosOfPrunedLayersOut() throws {
    let model = try model()
    let rows = try Dataset(features: [data(8).x])
    #expect(try model.inspectedStep(.predict, on: rows, isLongPass: true).execution.sparseOperations.isEmpty)
    try prune(model)
    let step = try model.inspectedStep(.predict, on: rows, isLongPass: true)
    #expect(step.execution.sparseOperations.count == 2)
    #expect(step.execution.sparseOperations.allSatisfy { abs($0.density - 0.1) < 0.01 })
    #expect(try model.inspectedStep(.predict, on: rows, isLongPass: false).execution.sparseOperations.isEmpty)
    for batchSize in [1, 8, 32] {
      #expect(try model.inferenceFunction(batchSize: batchSize).sparseOperations.count == 2, "\(batchSize)")
    }
  }

  @Test func aPrunedFunctionsBitsDoNotDependOnThreads() throws {
    let x = try data(32).x
    let results = try (1...4).map { threads in
      let model = try model(CPUBackend(threads: threads))
      try prune(model)
      return try model.inferenceFunction(batchSize: 32)(x)
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }
}
