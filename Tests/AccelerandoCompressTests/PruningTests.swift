import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA
import Testing

@testable import AccelerandoCompress

private func seedCNN(seed: UInt64 = 1) -> Model {
  let layer = Sequential {
    Conv2D(32, kernelSize: (3, 3), activation: .relu)
    MaxPooling2D()
    Flatten()
    Dense(10, activation: .softmax)
  }
  return Model(layer, inputShape: [28, 28, 1], backend: testBackend, seed: seed)
}

@Suite struct PruneOnceTests {
  @Test(arguments: Pruning.Competition.allCases)
  func trainingGoesOnAndLeavesTheZerosZero(_ competition: Pruning.Competition) throws {
    let (x, y) = try points(64)
    let model = try classifier()
    try model.pruneOnce(to: 0.5, competition: competition)
    let before = try model.settledWeights()
    try model.fit(x, y, epochs: 3, verbose: .silent)
    let after = try model.settledWeights()
    var zeros = 0
    for parameter in try model.outline().namedParameters where parameter.isPrunable {
      let name = parameter.spec.name
      let (old, new) = (before[name]?.elements(as: Float.self) ?? [], after[name]?.elements(as: Float.self) ?? [])
      #expect(old != new)
      for (old, new) in zip(old, new) where old == 0 {
        zeros += 1
        #expect(new == 0)
      }
    }
    let count = 8 * 24 + 24 * 12 + 12 * 4
    #expect(abs(zeros - count / 2) <= 2)
    // A schedule that has no turn in training is a mistake all the same.
    let other = try classifier()
    try other.prune(Pruning(.constant(0.5, begin: 0, end: 0, frequency: 1)))
    #expect(message { try other.fit(x, y, verbose: .silent) }.contains("computes no masks"))
  }

  @Test func weightsThatDivergeLaterKeepTheirMasks() throws {
    let (x, y) = try points(64)
    let model = try classifier()
    try model.prune(Pruning(.constant(0.5, frequency: 1), competition: .lamp))
    try model.fit(x, y, batchSize: 32, verbose: .silent)
    var weights = try model.weights()
    let mask = try #require(try model.ruleState()["pruning/mask/layers.0.weight"])
    weights["layers.2.weight"] = NDArray(repeating: .nan, type: TensorType(.float32, [24, 12]))
    try model.setWeights(weights)
    _ = try? model.fit(x, y, epochs: 2, batchSize: 32, initialEpoch: 1, verbose: .silent)
    #expect(try model.ruleState()["pruning/mask/layers.0.weight"] == mask)
  }
}

/// Points whose class is their largest coordinate.
private func points(_ count: Int) throws -> (x: NDArray, y: NDArray) {
  let numbers = RandomKey(seed: 5).uniform(count * 8, from: -1, to: 1)
  let labels = (0..<count).map { row in
    let own = numbers[row * 8..<row * 8 + 4]
    return Int32(own.enumerated().max { $0.element < $1.element }?.offset ?? 0)
  }
  return (try NDArray(numbers, shape: [count, 8]), NDArray(labels))
}

private func classifier(seed: UInt64 = 3) throws -> Model {
  let layer = Sequential {
    Dense(24, activation: .relu, name: "wide")
    BatchNormalization()
    Dense(12, activation: .tanh, name: "narrow")
    Dense(4, activation: .softmax, name: "classes")
  }
  let model = Model(layer, inputShape: [8], backend: testBackend, seed: seed)
  try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  return model
}

private func kept(_ model: Model) throws -> [String: Int] {
  Dictionary(uniqueKeysWithValues: try model.sparsity().rows.map { ($0.parameter, $0.kept) })
}

@Suite struct PruningTests {
  @Test func halfOfTheSeedModelIs144And27040Weights() throws {
    let model = seedCNN()
    try model.pruneOnce(to: 0.5)
    let counts = try kept(model)
    #expect(counts["layers.0.weight"] == 144)
    #expect(counts["layers.3.weight"] == 27_040)
  }

  @Test func zerosStayThroughTrainingAndStripping() throws {
    let (x, y) = try points(96)
    let model = try classifier()
    try model.prune(Pruning(.polynomial(from: 0.3, to: 0.75, end: 10, frequency: 2)))
    try model.fit(x, y, epochs: 4, batchSize: 16, verbose: .silent)
    let counts = try kept(model)
    #expect(counts["layers.0.weight"] == 48)
    #expect(counts["layers.2.weight"] == 72)
    #expect(counts["layers.3.weight"] == 12)
    #expect(counts["layers.1.gamma"] == 24)
    let stripped = try model.stripped()
    #expect(try stripped.weights() == model.settledWeights())
    #expect(stripped.parameterRules.isEmpty)
    let predictions = try model.predict(x)
    #expect(try stripped.predict(x) == predictions)
  }

  @Test func evaluationAndInferenceSeeMaskedWeightsInTheMiddleOfAnEpoch() throws {
    let (x, y) = try points(64)
    let model = try classifier()
    try model.prune(Pruning(ConstantSparsity(0.5, begin: 1, end: 1, frequency: 1)))
    var differences: [Double] = []
    try model.fit(
      x, y, batchSize: 16, shuffle: false,
      callbacks: [
        LambdaCallback(batchEnd: { _, run in
          let settled = try run.model.settledWeights()
          #expect(settled["layers.0.weight"]?.elements(as: Float.self).filter { $0 == 0 }.count == 96)
          // The optimizer has moved what the masks will take out again.
          #expect(try run.model.weights() != settled)
          let one = try x.rows(0..<1)
          let served = try run.model.inferenceFunction()(one).elements(as: Double.self)
          let predicted = try run.model.predict(one).elements(as: Double.self)
          differences += zip(served, predicted).map { abs($0 - $1) }
        })
      ], verbose: .silent)
    #expect(differences.count == 16)
    #expect(differences.allSatisfy { $0 < 1e-6 })
  }

  @Test func masksAreTheSameInADeepCopyOfTheStateAsInARunThatNeverStopped() throws {
    let (x, y) = try points(96)
    let schedule = PolynomialSparsity(from: 0.2, to: 0.8, end: 20, frequency: 3)
    let whole = try classifier()
    try whole.prune(Pruning(schedule))
    try whole.fit(x, y, epochs: 4, batchSize: 16, verbose: .silent)

    let first = try classifier()
    try first.prune(Pruning(schedule))
    try first.fit(x, y, epochs: 2, batchSize: 16, verbose: .silent)
    let second = try classifier(seed: 3)
    try second.prune(Pruning(schedule))
    try second.setWeights(first.weights())
    try second.setOptimizerState(first.optimizerState())
    try second.setRuleState(first.ruleState())
    try second.fit(x, y, epochs: 4, batchSize: 16, initialEpoch: 2, verbose: .silent)
    #expect(try second.weights() == whole.weights())
    #expect(try second.ruleState() == whole.ruleState())
  }

  @Test func devicesThatShareBatchesHaveTheSameMasks() throws {
    guard let one = try? XLABackend.open("cpu", cache: nil) else { return }
    let client = try Client.shared(one.client.plugin, options: ["cpu_device_count": .integer(2)])
    let (x, y) = try points(90)
    let layer = Sequential {
      Dense(24, activation: .relu)
      Dense(4, activation: .softmax)
    }
    let model = Model(layer, inputShape: [8], backend: try XLABackend(client, devices: [0, 1]), seed: 3)
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
    try model.prune(Pruning(.polynomial(from: 0.2, to: 0.75, end: 10, frequency: 2)))
    try model.fit(x, y, epochs: 3, batchSize: 16, verbose: .silent)
    let counts = try kept(model)
    #expect(counts["layers.0.weight"] == 48)
    #expect(counts["layers.1.weight"] == 24)
    let own = Model(layer, inputShape: [8], backend: testBackend)
    try own.setWeights(try model.stripped().weights())
    let (a, b) = (try own.predict(x), try model.predict(x))
    #expect(zip(a.elements(as: Double.self), b.elements(as: Double.self)).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func workersThatShareBatchesPruneTheSameWhateverTheirNumber() throws {
    let (x, y) = try points(90)
    let results = try [1, 2, 3].map { workers in
      let engine = CPUBackend(threads: workers, sharing: .always)
      let backend = SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
      let layer = Sequential {
        Dense(24, activation: .relu)
        BatchNormalization()
        Dense(4, activation: .softmax)
      }
      let model = Model(layer, inputShape: [8], backend: backend, seed: 3)
      try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
      try model.prune(Pruning(.polynomial(from: 0.2, to: 0.75, end: 10, frequency: 2)))
      try model.fit(x, y, epochs: 3, batchSize: 16, verbose: .silent)
      #expect(try kept(model)["layers.0.weight"] == 48)
      return (try model.weights(), try model.ruleState())
    }
    for result in results.dropFirst() {
      #expect(result.0 == results[0].0)
      #expect(result.1 == results[0].1)
    }
  }

  @Test func masksMoveWithTheModel() throws {
    let (x, y) = try points(96)
    func trained(moving: Bool) throws -> (Store, Store) {
      let model = try classifier()
      try model.prune(Pruning(.polynomial(from: 0.2, to: 0.8, end: 20, frequency: 3)))
      try model.fit(x, y, epochs: 2, batchSize: 16, verbose: .silent)
      if moving { try model.move(to: CPUBackend(threads: 1)) }
      try model.fit(x, y, epochs: 4, batchSize: 16, initialEpoch: 2, verbose: .silent)
      return (try model.stripped().weights(), try model.ruleState())
    }
    let (stayed, moved) = (try trained(moving: false), try trained(moving: true))
    #expect(stayed.0 == moved.0)
    #expect(stayed.1 == moved.1)
  }

  @Test func allLayersTogetherGetTheSparsityOfAGlobalTarget() throws {
    let model = try classifier()
    try model.pruneOnce(to: 0.6, competition: .global)
    let counts = try kept(model)
    let total = 8 * 24 + 24 * 12 + 12 * 4
    let left = ["layers.0.weight", "layers.2.weight", "layers.3.weight"].compactMap { counts[$0] }
    #expect(left.reduce(0, +) == keptCount(of: total, sparsity: 0.6))
    // The threshold is one; the layers' scales are not.
    #expect(left != [8 * 24, 24 * 12, 12 * 4].map { keptCount(of: $0, sparsity: 0.6) })
  }

  @Test func layersAreMeantByNameTypeOrPatternAndTheFirstTargetCounts() throws {
    let model = try classifier()
    let once = ConstantSparsity(0.5, begin: 1, end: 1, frequency: 1)
    let deep = ConstantSparsity(0.75, begin: 1, end: 1, frequency: 1)
    try model.prune(
      Pruning(targets: [
        .keeping("classes"), Pruning.Target(["n*w"], deep), Pruning.Target(["Dense"], once),
      ]))
    let (x, y) = try points(16)
    try model.fit(x, y, batchSize: 16, verbose: .silent)
    let counts = try kept(model)
    #expect(counts["layers.0.weight"] == 96)
    #expect(counts["layers.2.weight"] == 72)
    #expect(counts["layers.3.weight"] == 48)
  }

  @Test func filtersGoAsAWhole() throws {
    let model = seedCNN()
    try model.pruneOnce(to: 0.75, structure: .filters)
    let weights = try #require(try model.weights()["layers.0.weight"]).elements(as: Float.self)
    let live = (0..<32).filter { filter in (0..<9).contains { weights[$0 * 32 + filter] != 0 } }
    #expect(live.count == 8)
    #expect(live.allSatisfy { filter in (0..<9).allSatisfy { weights[$0 * 32 + filter] != 0 } })
    // The classes' neurons stay unless they are meant by name.
    #expect(try kept(model)["layers.3.weight"] == 54_080)
  }

  @Test func patternsMatchAnythingAtAStar() {
    #expect(matches("*", ""))
    #expect(matches("layers.*.weight", "layers.12.weight"))
    #expect(matches("a*b*c", "aXbYbZc"))
    #expect(!matches("a*b", "abc"))
    #expect(!matches("Dense", "Dense1"))
    #expect(matches("Dense*", "Dense"))
  }
}

@Suite struct PruningErrorTests {
  @Test(arguments: [-0.1, 1, 1.5, .nan])
  func sparsityIsAtLeastZeroAndBelowOne(sparsity: Double) {
    let text = message { try seedCNN().prune(Pruning(ConstantSparsity(sparsity))) }
    #expect(text.contains("at least 0 and below 1; received \(sparsity)"))
    let later = message { try seedCNN().prune(Pruning(.polynomial(from: 0.5, to: sparsity, end: 100))) }
    #expect(later.contains("at the end"))
  }

  @Test func aScheduleThatNeverFiresIsSaidBeforeTheFirstStepWithTheStepsThereAre() throws {
    let (x, y) = try points(96)
    let model = try classifier()
    let before = try model.weights()
    try model.prune(Pruning(ConstantSparsity(0.5)))
    let text = message { try model.fit(x, y, epochs: 2, batchSize: 16, verbose: .silent) }
    #expect(text.contains("first masks in step 100; this run has 12 steps"))
    #expect(try model.weights() == before)
    // A longer run is as it should be, and what goes on from it too.
    try model.fit(x, y, epochs: 17, batchSize: 16, verbose: .silent)
    try model.fit(x, y, epochs: 1, batchSize: 16, verbose: .silent)
  }

  @Test func schedulesThatMakeNoSenseAreRefused() {
    func refused(_ schedule: any PruningSchedule) -> String {
      message { try seedCNN().prune(Pruning(schedule)) }
    }
    #expect(refused(ConstantSparsity(0.5, begin: -1)).contains("received begin -1"))
    #expect(refused(ConstantSparsity(0.5, frequency: 0)).contains("frequency 0"))
    #expect(refused(ConstantSparsity(0.5, begin: 10, end: 5)).contains("received end 5"))
    #expect(refused(PolynomialSparsity(from: 0, to: 0.5, begin: 10, end: 5)).contains("received end 5"))
    #expect(refused(PolynomialSparsity(from: 0, to: 0.5, end: 100, power: 0)).contains("power"))
    #expect(
      refused(PolynomialSparsity(from: 0, to: 0.5, end: 2_000_000_000, frequency: 1)).contains("larger frequency"))
  }

  @Test func structuresThatDoNotFitAreRefusedWithTheTensorsName() throws {
    let blocks = message { try seedCNN().pruneOnce(to: 0.5, structure: .blocks(height: 4, width: 4)) }
    #expect(blocks.contains("do not fit 'layers.0.weight'"))
    let large = message {
      try seedCNN().pruneOnce(to: 0.5, structure: .blocks(height: 4, width: 20), layers: ["Dense"])
    }
    #expect(large.contains("it is smaller"))
    let groups = message { try seedCNN().prune(.nOfM(zeros: 2, of: 4)) }
    #expect(groups.contains("its input axis has 1 elements, which 4 does not divide"))
    let all = message { try seedCNN().prune(.nOfM(zeros: 4, of: 4, layers: ["Dense"])) }
    #expect(all.contains("received 4 of 4"))
  }

  @Test func layersWithNothingToPruneAreNamed() throws {
    let unknown = message { try seedCNN().pruneOnce(to: 0.5, layers: ["conv"]) }
    #expect(unknown.contains("'conv' has nothing to prune") && unknown.contains("layers.0.weight"))
    let normalization = message { try classifier().pruneOnce(to: 0.5, layers: ["BatchNormalization"]) }
    #expect(normalization.contains("normalization and depthwise kernels are never pruned"))
    let depthwise = Model(
      DepthwiseConv2D(kernelSize: (3, 3)), inputShape: [8, 8, 2], backend: testBackend)
    #expect(message { try depthwise.pruneOnce(to: 0.5) }.contains("the model has nothing to prune"))
  }
}
