// What is added to the losses of outputs: penalties of weights and of activities, and losses from inside of layers.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Testing

@testable import AccelerandoTrain

/// A team of threads that share batches.
private func team(_ threads: Int) -> any Backend {
  let engine = CPUBackend(threads: threads, sharing: .always)
  return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
}

/// A layer that adds losses of its own.
private struct Adding: Layer {
  enum What { case sum, samples, parameter, loop }
  let what: What
  let scale = Parameter(.constant(0.5))

  func forward(_ x: Tensor) -> Tensor {
    let scale = scale[x.dim(-1)]
    switch what {
    case .sum: addLoss(x.squared().mean())
    case .samples: addLoss(ofSamples: x.squared())
    case .parameter: addLoss(scale.squared())
    case .loop:
      let result = scan([x.transposed()], initial: []) { _, elements, _ in
        addLoss(elements[0])
        return ([], [elements[0]])
      }
      return result.outputs[0].transposed() * scale
    }
    return x * scale
  }
}

private func penalized() -> Sequential {
  Sequential {
    Dense(6, activation: .tanh).regularized(kernel: .l1l2(l1: 0.02, l2: 0.1), bias: .l2(0.1), activity: .l1(0.05))
    BatchNormalization().regularized(gamma: .l2(0.3))
    ActivityRegularization(l2: 0.05)
    Dense(2).regularized(kernel: .orthogonal(0.5)).constrained(kernel: .maxNorm(0.9))
  }
}

private func data(_ count: Int = 23) throws -> (NDArray, NDArray) {
  (
    try NDArray(RandomKey(seed: 1).normal(count * 3), shape: [count, 3]),
    try NDArray(RandomKey(seed: 2).normal(count * 2), shape: [count, 2])
  )
}

private func trained(_ layer: any Layer, on backend: any Backend, epochs: Int = 2) throws -> (Store, [Logs], Logs) {
  let (x, y) = try data()
  let model = Model(layer, inputShape: [3], backend: backend, seed: 6)
  try model.compile(optimizer: .adam(0.05), loss: .meanSquaredError)
  let history = try model.fit(x, y, epochs: epochs, batchSize: 8, verbose: .silent)
  return (try model.weights(), history.epochs.map(\.logs), try model.evaluate(x, y, batchSize: 8))
}

@Suite struct AddedLossTests {
  @Test func anyNumberOfWorkersCountsAPenaltyOnceAndComesToTheSameBits() throws {
    let one = try trained(penalized(), on: team(1))
    for workers in [2, 3] {
      let other = try trained(penalized(), on: team(workers))
      #expect(one.0 == other.0)
      #expect(one.1 == other.1)
      #expect(one.2 == other.2)
    }
    // The engine alone sums in another order.
    let alone = try trained(penalized(), on: testBackend)
    for (a, b) in zip(one.1, alone.1) { #expect(abs((a["loss"] ?? .nan) - (b["loss"] ?? .nan)) < 1e-4) }
  }

  @Test func evaluationReportsTheLossWithItsPenalties() throws {
    let (x, y) = try data()
    let model = Model(
      Sequential { Dense(2).regularized(kernel: .l2(0.1), bias: .l1(0.2), activity: .l2(0.3)) }, inputShape: [3],
      backend: testBackend)
    try model.compile(optimizer: .sgd, loss: .meanSquaredError, metrics: [.meanSquaredError])
    let results = try model.evaluate(x, y, batchSize: 10)
    let weights = try model.weights()
    let kernel = try #require(weights["layers.0.weight"]).elements(as: Double.self)
    let bias = try #require(weights["layers.0.bias"]).elements(as: Double.self)
    let outputs = try model.predict(x).elements(as: Double.self)
    func squares(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }
    let magnitudes: Double = bias.reduce(0) { $0 + $1.magnitude }
    let penalty: Double = 0.1 * squares(kernel) + 0.2 * magnitudes + 0.3 * squares(outputs) / 23
    let loss = (results["mean_squared_error"] ?? .nan) + penalty
    #expect(abs((results["loss"] ?? .nan) - loss) < 1e-5)
  }

  @Test func lossesFromInsideLayersAreMinimizedAndReported() throws {
    for what in [Adding.What.sum, .samples, .parameter] {
      let (weights, logs, _) = try trained(
        Sequential {
          Dense(3)
          Adding(what: what)
          Dense(2)
        }, on: testBackend, epochs: 8)
      let (plain, plainLogs, _) = try trained(
        Sequential {
          Dense(3)
          Adding(what: what)
          Dense(2)
        }.withoutLosses, on: testBackend, epochs: 8)
      #expect(weights != plain)
      #expect((logs[0]["loss"] ?? 0) > (plainLogs[0]["loss"] ?? .infinity))
      let one = try trained(
        Sequential {
          Adding(what: what); Dense(2)
        }, on: team(1))
      let two = try trained(
        Sequential {
          Adding(what: what); Dense(2)
        }, on: team(2))
      // A mean over the workers' parts is a mean over the batch, up to rounding.
      for (a, b) in zip(one.1, two.1) { #expect(abs((a["loss"] ?? .nan) - (b["loss"] ?? .nan)) < 1e-4) }
    }
  }

  @Test func aLossInsideALoopIsRefusedInWords() throws {
    let problem = message {
      _ = try trained(
        Sequential {
          Adding(what: .loop); Dense(2)
        }, on: testBackend)
    }
    #expect(problem.contains("adds a loss inside a loop"))
    #expect(problem.contains("Adding"))
  }

  @Test func aPenaltyOfActivitiesThatNeedsTheWholeBatchIsRefusedWhereWorkersShareIt() throws {
    let layer = Sequential { Dense(2).regularized(activity: .orthogonal()) }
    _ = try trained(layer, on: testBackend)
    let problem = message { _ = try trained(layer, on: team(2)) }
    #expect(problem.contains("needs the whole batch") && problem.contains("OrthogonalRegularizer"))
  }

  @Test func ofSeveralOutputsOnlyTheSumHasThePenalty() throws {
    let x = Input(shape: [3])
    let shared = Dense(4).regularized(kernel: .l2(0.5))(x)
    let model = Model(
      inputs: [x], outputs: ["a": Dense(2)(shared), "b": Dense(2)(shared)], backend: testBackend)
    try model.compile(
      optimizer: .sgd, losses: ["a": .meanSquaredError, "b": .meanAbsoluteError], lossWeights: ["b": 0.5])
    let (features, targets) = try data()
    let results = try model.evaluate(
      Dataset(features: [features], targets: ["a": targets, "b": targets]), batchSize: 7)
    let kernel = try #require(try model.weights().entries.first { $0.1.shape == [3, 4] }).1.elements(as: Double.self)
    let penalty = 0.5 * kernel.reduce(0) { $0 + $1 * $1 }
    let (a, b) = (try #require(results["a_loss"]), try #require(results["b_loss"]))
    let sum: Double = a + 0.5 * b + penalty
    #expect(abs((results["loss"] ?? .nan) - sum) < 1e-5)
  }

  @Test func aLayerThatIsUsedTwiceIsPenalizedOnce() throws {
    let dense = Dense(3).regularized(kernel: .l2(0.5))
    let (x, y) = (try data().0, try data().0)
    let model = Model(Sequential([dense, dense]), inputShape: [3], backend: testBackend)
    try model.compile(optimizer: .sgd, loss: .meanSquaredError, metrics: [.meanSquaredError])
    let results = try model.evaluate(x, y)
    let kernel = try #require(try model.weights()["layers.0.weight"]).elements(as: Double.self)
    let penalty = 0.5 * kernel.reduce(0) { $0 + $1 * $1 }
    #expect(abs((results["loss"] ?? .nan) - (results["mean_squared_error"] ?? .nan) - penalty) < 1e-5)
  }

  @Test func frozenWeightsHaveNoPenaltyAndAModelWithoutOptionsHasTheProgramItHad() throws {
    let (x, y) = try data()
    func loss(_ layer: any Layer, _ groups: [ParameterGroup] = []) throws -> Double {
      let model = Model(
        Sequential {
          layer
          Dense(2)
        }, inputShape: [3], backend: testBackend, seed: 3)
      try model.compile(optimizer: .sgd, loss: .meanSquaredError, groups: groups)
      return try model.evaluate(x, y)["loss"] ?? .nan
    }
    let plain = try loss(Dense(3))
    #expect(try loss(Dense(3).regularized(kernel: .l2()).trainable(false)) == plain)
    #expect(try loss(Dense(3).regularized(kernel: .l2()), [.frozen("dense")]) == plain)
    #expect(try loss(Dense(3).regularized(kernel: .l2())) > plain)
  }

  @Test func aConstraintHoldsAfterEveryStepTogetherWithGroupsAndRates() throws {
    let (x, y) = try data()
    let model = Model(
      Sequential {
        Dense(5, name: "stem").constrained(kernel: .unitNorm(), bias: .nonNeg)
        Dense(2, name: "head").constrained(kernel: .maxNorm(0.4))
      }, inputShape: [3], backend: testBackend)
    try model.compile(
      optimizer: .adam(0.1), loss: .meanSquaredError, groups: [.trained("head", by: .sgd(0.5, momentum: 0.9))])
    var checks = 0
    try model.fit(
      x, y, epochs: 3, batchSize: 6,
      callbacks: [
        LambdaCallback(batchEnd: { _, run in
          let weights = try run.model.weights()
          func columns(_ name: String) throws -> [Float] {
            let array = try #require(weights[name])
            let (values, count) = (array.elements(as: Float.self), array.shape[1])
            return (0..<count).map { column -> Float in
              var sum: Float = 0
              for place in stride(from: column, to: values.count, by: count) { sum += values[place] * values[place] }
              return sum.squareRoot()
            }
          }
          for length in try columns("layers.0.weight") { #expect(abs(length - 1) < 1e-4) }
          for length in try columns("layers.1.weight") { #expect(length < 0.4001) }
          #expect(try #require(weights["layers.0.bias"]).elements(as: Float.self).allSatisfy { $0 >= 0 })
          checks += 1
        })
      ], verbose: .silent)
    #expect(checks == 12)
  }

  @Test func aConstraintOnAnAxisThatIsNotThereIsRefusedBeforeTheFirstStep() throws {
    let problem = message {
      _ = try trained(Sequential { Dense(2).constrained(bias: .maxNorm(1, axes: [1])) }, on: testBackend)
    }
    #expect(problem.contains("needs different axes that the constrained weight [2] has; received [1]"))
    #expect(problem.contains("layers.0.bias"))
  }
}

extension Sequential {
  /// The same layers, with those that add losses replaced by their formula alone.
  fileprivate var withoutLosses: Sequential {
    Sequential(layers.map { ($0 as? Adding).map { Quiet(scale: $0.scale) } ?? $0 })
  }
}

private struct Quiet: Layer {
  let scale: Parameter
  func forward(_ x: Tensor) -> Tensor { x * scale[x.dim(-1)] }
}
