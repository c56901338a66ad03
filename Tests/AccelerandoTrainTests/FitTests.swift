import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct FitTests {
  @Test func trainingLearns() throws {
    let (x, y) = try quadrants(600)
    let model = try compiledClassifier()
    let before = try model.evaluate(x, y)
    let history = try model.fit(x, y, epochs: 30, validationSplit: 0.2, verbose: .silent)
    #expect(history.epochs.count == 30)
    #expect(history.names == ["accuracy", "loss", "val_accuracy", "val_loss"])
    let after = try model.evaluate(x, y)
    #expect((after["loss"] ?? 1) < (before["loss"] ?? 0) / 2)
    #expect((after["accuracy"] ?? 0) > 0.9)
  }

  @Test func theSameSeedTrainsTheSameBits() throws {
    let (x, y) = try quadrants(101)
    func train(_ seed: UInt64) throws -> Store {
      let model = try compiledClassifier(seed: seed, [Dropout(0.3)])
      try model.fit(x, y, epochs: 2, batchSize: 10, verbose: .silent)
      return try model.weights()
    }
    let first = try train(5)
    #expect(try train(5) == first)
    #expect(try train(6) != first)
  }

  @Test func samplesHeldOnTheDeviceTrainTheSameBitsAsBatchesThatAreBrought() throws {
    let (x, y) = try quadrants(101)
    let weights = NDArray((0..<101).map { Float($0 % 3) })
    func train(_ data: Dataset) throws -> (Store, Logs) {
      let model = try compiledClassifier(seed: 3, [Dropout(0.3)])
      try model.fit(data.prefix(90), epochs: 2, batchSize: 16, verbose: .silent)
      return (try model.weights(), try model.evaluate(data, batchSize: 16))
    }
    let data = try Dataset(x, y, sampleWeights: weights)
    let held = try train(data)
    // A dataset with a transformation is brought batch by batch.
    let brought = try train(data.mapped { $0 })
    #expect(held.0 == brought.0)
    #expect(held.1 == brought.1)
  }

  @Test func arraysChangedAfterFitTookThemDoNotChangeTheData() throws {
    var (x, y) = try quadrants(64)
    let data = try Dataset(x, y)
    func train(_ callbacks: [any Callback]) throws -> Store {
      let model = try compiledClassifier(seed: 3)
      try model.fit(data, epochs: 2, callbacks: callbacks, verbose: .silent)
      return try model.weights()
    }
    let expected = try train([])
    let spoil = LambdaCallback(epochBegin: { _, _ in
      x.withUnsafeMutableBytes { bytes in for index in bytes.indices { bytes[index] = 0 } }
    })
    #expect(try train([spoil]) == expected)
  }

  @Test func lossIsTheMeanOverSamplesWithARaggedLastBatch() throws {
    let (x, y) = try quadrants(25)
    let model = try compiledClassifier()
    let whole = try model.evaluate(x, y, batchSize: 25)
    for size in [1, 4, 24, 100] {
      let parts = try model.evaluate(x, y, batchSize: size)
      #expect(abs((parts["loss"] ?? 0) - (whole["loss"] ?? 1)) < 1e-5)
      #expect(abs((parts["accuracy"] ?? 0) - (whole["accuracy"] ?? 1)) < 1e-6)
    }
    let record = try model.fit(x, y, batchSize: 4, verbose: .silent).epochs[0]
    #expect(record.steps == 7)
  }

  @Test func sampleWeightsScaleTheLossAndNotTheCount() throws {
    let (x, y) = try quadrants(20)
    let model = try compiledClassifier()
    let plain = try model.evaluate(x, y, batchSize: 8)["loss"] ?? 0
    let halved =
      try model.evaluate(
        x, y, sampleWeights: NDArray([Float](repeating: 0.5, count: 20)), batchSize: 8)["loss"] ?? 0
    #expect(abs(halved * 2 - plain) < 1e-5)
  }

  @Test func classWeightsAreSampleWeights() throws {
    let (x, y) = try quadrants(64)
    let weights = NDArray(y.elements(as: Int32.self).map { $0 == 1 ? Float(3) : 1 })
    let (a, b) = (try compiledClassifier(), try compiledClassifier())
    try a.fit(x, y, epochs: 2, classWeights: [1: 3], verbose: .silent)
    try b.fit(x, y, sampleWeights: weights, epochs: 2, verbose: .silent)
    #expect(try a.weights() == b.weights())
    #expect(
      message { try a.fit(x, y, sampleWeights: weights, classWeights: [1: 3], verbose: .silent) }
        .contains("do not go together"))
  }

  @Test func classWeightsGoWithOneHotLabelsAndPreparedBatches() throws {
    let (x, y) = try quadrants(64)
    let oneHot = y.elements(as: Int32.self).flatMap { $0 == 1 ? [Float(0), 1] : [1, 0] }
    func train(_ data: Dataset, _ loss: any Loss) throws -> Store {
      let model = classifier()
      try model.compile(optimizer: .adam(0.01), loss: loss)
      try model.fit(data, classWeights: [1: 3], verbose: .silent)
      return try model.weights()
    }
    let expected = try train(Dataset(x, y), .sparseCategoricalCrossentropy)
    #expect(try train(Dataset(x, y).prefetched(), .sparseCategoricalCrossentropy) == expected)
    #expect(try train(Dataset(x, y).mapped { $0 }, .sparseCategoricalCrossentropy) == expected)
    let hot = try train(Dataset(x, NDArray(oneHot, shape: [64, 2])), .categoricalCrossentropy)
    for (name, value) in hot.entries {
      let other = try #require(expected[name]).elements(as: Float.self)
      #expect(zip(value.elements(as: Float.self), other).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test func aStreamThatIsLeftEarlyLetsItsThreadGo() throws {
    let (x, y) = try quadrants(8)
    let endless = Dataset { sequence(first: Batch(features: [x], labels: y)) { $0 } }
    let model = try compiledClassifier()
    let history = try model.fit(endless.prefetched(2), epochs: 3, stepsPerEpoch: 4, verbose: .silent)
    #expect(history.epochs.map(\.steps) == [4, 4, 4])
    #expect(try model.fit(endless.prefix(5), verbose: .silent).epochs[0].steps == 5)
  }

  @Test func errorsOfStreamsReachTheCaller() throws {
    struct DiskGone: Error {}
    let (x, y) = try quadrants(8)
    let failing = Dataset(makeNext: {
      var count = 0
      return {
        count += 1
        if count > 2 { throw DiskGone() }
        return Batch(features: [x], labels: y)
      }
    })
    let model = try compiledClassifier()
    #expect(throws: DiskGone.self) { try model.fit(failing, verbose: .silent) }
    #expect(throws: DiskGone.self) { try model.fit(failing.prefetched(), verbose: .silent) }
  }

  @Test func validationSplitTakesTheLastSamples() throws {
    let (x, y) = try quadrants(50)
    let (a, b) = (try compiledClassifier(), try compiledClassifier())
    let split = try a.fit(x, y, epochs: 3, validationSplit: 0.3, verbose: .silent)
    let separate = try b.fit(
      x.rows(0..<35), y.rows(0..<35), epochs: 3, validation: Dataset(x.rows(35..<50), y.rows(35..<50)),
      verbose: .silent)
    #expect(split["val_loss"] == separate["val_loss"])
    #expect(try a.weights() == b.weights())
  }

  @Test func streamsAndPrefetchedArraysTrainLikeArrays() throws {
    let (x, y) = try quadrants(50)
    func train(_ data: Dataset) throws -> Store {
      let model = try compiledClassifier()
      try model.fit(data, epochs: 2, batchSize: 8, shuffle: false, verbose: .silent)
      return try model.weights()
    }
    let direct = try train(Dataset(x, y))
    #expect(try train(Dataset(x, y).prefetched()) == direct)
    #expect(try train(Dataset(x, y).mapped { $0 }) == direct)
    let stream = Dataset {
      try stride(from: 0, to: 50, by: 8).map { start in
        let range = start..<min(start + 8, 50)
        return Batch(features: [try x.rows(range)], labels: try y.rows(range))
      }
    }
    #expect(try train(stream) == direct)
  }

  @Test func shufflingIsTheSameForPreparedBatches() throws {
    let (x, y) = try quadrants(50)
    let (a, b) = (try compiledClassifier(), try compiledClassifier())
    try a.fit(Dataset(x, y), epochs: 2, verbose: .silent)
    try b.fit(Dataset(x, y).prefetched(3), epochs: 2, verbose: .silent)
    #expect(try a.weights() == b.weights())
  }

  @Test func stepsPerEpochGoOnWhereTheLastEpochEnded() throws {
    let (x, y) = try quadrants(40)
    let (a, b) = (try compiledClassifier(), try compiledClassifier())
    let history = try a.fit(x, y, epochs: 5, batchSize: 10, stepsPerEpoch: 2, verbose: .silent)
    #expect(history.epochs.map(\.steps) == [2, 2, 2, 2, 2])
    try b.fit(x, y, epochs: 2, batchSize: 10, verbose: .silent)
    try b.fit(x, y, epochs: 3, batchSize: 10, initialEpoch: 2, stepsPerEpoch: 2, verbose: .silent)
    #expect(try a.weights() == b.weights())
  }

  @Test func initialEpochContinuesAnEarlierRun() throws {
    let (x, y) = try quadrants(40)
    let (a, b) = (try compiledClassifier(), try compiledClassifier())
    try a.fit(x, y, epochs: 4, verbose: .silent)
    try b.fit(x, y, epochs: 2, verbose: .silent)
    let rest = try b.fit(x, y, epochs: 4, initialEpoch: 2, verbose: .silent)
    #expect(rest.epochs.map(\.epoch) == [2, 3])
    #expect(try a.weights() == b.weights())
  }

  @Test func predictionsAreInOrderAndSumToOne() throws {
    let (x, _) = try quadrants(37)
    let model = classifier()
    let all = try model.predict(x, batchSize: 8)
    #expect(all.shape == [37, 2])
    let values = all.elements(as: Float.self)
    #expect(stride(from: 0, to: 74, by: 2).allSatisfy { abs(values[$0] + values[$0 + 1] - 1) < 1e-5 })
    #expect(try model.predict(x.rows(30..<37)).elements(as: Float.self) == Array(values[60...]))
  }

  @Test func bytesAreConvertedInTheProgram() throws {
    let images = try NDArray((0..<4 * 36).map { UInt8($0) }, shape: [4, 6, 6])
    let layer = Sequential {
      Rescaling(1 / 255)
      Conv2D(3, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D()
      Flatten()
      Dense(2, activation: .softmax)
    }
    let model = Model(layer, inputShape: [6, 6, 1], backend: testBackend)
    let bytes = try model.predict(images)
    #expect(try model.predict(images.converted(to: .float32)) == bytes)
  }

  @Test func weightsSurviveAFitOfSeveralBatchSizes() throws {
    let (x, y) = try quadrants(30)
    let model = try compiledClassifier()
    for size in [30, 7, 16] { try model.fit(x, y, batchSize: size, verbose: .silent) }
    #expect(try model.iteration() == 1 + 5 + 2)
  }
}

@Suite struct BadDataTests {
  @Test func labelsOutsideTheClassesAreNamed() throws {
    let (x, _) = try quadrants(3)
    let model = try compiledClassifier()
    let text = message { try model.fit(x, NDArray([Int32(0), 7, 1]), verbose: .silent) }
    #expect(text.contains("sample 1 is 7") && text.contains("2 classes"))
  }

  @Test func nanInDataIsNamedWithItsPlace() throws {
    let x = try NDArray([Float(1), 2, 3, .nan], shape: [2, 2])
    let model = try compiledClassifier()
    let text = message { try model.fit(x, NDArray([Int32(0), 1]), verbose: .silent) }
    #expect(text.contains("features of input 0 hold NaN at [1, 1]"))
    let stream = Dataset { [Batch(features: [x], labels: NDArray([Int32(0), 1]))] }
    #expect(message { try model.fit(stream, verbose: .silent) }.contains("(step 1)"))
  }

  @Test func shapesThatDoNotFitAreNamed() throws {
    let model = try compiledClassifier()
    let labels = NDArray([Int32(0), 1])
    let wide = try NDArray([Float](repeating: 0, count: 6), shape: [2, 3])
    #expect(message { try model.fit(wide, labels, verbose: .silent) }.contains("shape [2]; received [3]"))
    let x = try NDArray([Float](repeating: 0, count: 6), shape: [3, 2])
    #expect(message { try model.fit(x, labels, verbose: .silent) }.contains("as many samples"))
    let none = try NDArray([Float](), shape: [0, 2])
    #expect(message { try model.fit(none, NDArray([Int32]()), verbose: .silent) }.contains("empty"))
    #expect(message { try model.fit(Dataset { [] }, verbose: .silent) }.contains("empty"))
  }

  @Test func anUncompiledOrSenselessModelSaysSo() throws {
    let (x, y) = try quadrants(4)
    #expect(message { try classifier().fit(x, y) }.contains("not compiled"))
    let model = Model(Sequential { Conv2D(3, kernelSize: (3, 3)) }, inputShape: [28, 28], backend: testBackend)
    let text = message { try model.compile(optimizer: .sgd(), loss: .meanSquaredError) }
    #expect(text.contains("Conv2D 'conv2d'") && text.contains("[28, 28, 1]"))
  }

  /// With a gradient that never changes, E[g²] − E[g]² is 0 but for rounding, and may come out below −ε.
  @Test func centeredRMSpropOutlivesAGradientThatNeverChanges() throws {
    let model = Model(
      Dense(1, usesBias: false, weightInitializer: .zeros), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .rmsprop(0.001, centered: true), loss: .meanAbsoluteError)
    let x = try NDArray([Float(5.7)], shape: [1, 1])
    let losses = try model.fit(x, NDArray([Float(1e6)]), epochs: 500, verbose: .silent)["loss"]
    #expect(losses.allSatisfy { $0.isFinite })
    // Each step is at most 0.001 · 5.7 / √1e-7 = 18, and goes the right way.
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 >= $1 && $0 - $1 < 110 }, "\(losses.suffix(20))")
  }
}
