// Calls of fit that follow each other see the samples in new orders, and a program that does the same twice ends with the same
// bits; one call or two, resumed or not.

import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

@Suite struct FitAgainTests {
  private final class Seen: @unchecked Sendable { var samples: [[Float]] = [] }

  private func model() throws -> Model {
    let model = Model(Dense(1, weightInitializer: .zeros), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .meanSquaredError)
    return model
  }

  private func watched(_ count: Int, _ seen: Seen) throws -> Dataset {
    let x = try NDArray((0..<count).map { Float($0) }, shape: [count, 1])
    return try Dataset(x, x).mapped { batch in
      seen.samples.append(batch.features[0].elements(as: Float.self))
      return batch
    }
  }

  @Test func everyCallSeesTheSamplesInANewOrder() throws {
    let seen = Seen()
    let (model, data) = (try model(), try watched(40, seen))
    for _ in 0..<4 { try model.fit(data, batchSize: 40, verbose: .silent) }
    #expect(Set(seen.samples).count == 4)
    #expect(seen.samples.allSatisfy { Set($0).count == 40 })
  }

  /// 50 draws of 16 out of 1000 miss 1000 · (1 − 0.016)⁵⁰ = 446 on average; Keras sees 552.
  @Test func fewStepsOfManyCallsSeeMostOfTheData() throws {
    let seen = Seen()
    let (model, data) = (try model(), try watched(1000, seen))
    for _ in 0..<50 { try model.fit(data, batchSize: 8, stepsPerEpoch: 2, verbose: .silent) }
    let distinct = Set(seen.samples.flatMap { $0 }).count
    #expect((500...610).contains(distinct), "\(distinct)")
  }

  @Test func callsThatGoOnEndWithTheBitsOfOne() throws {
    let (x, y) = try quadrants(101)
    func train(_ calls: [(from: Int, to: Int)]) throws -> Store {
      let model = try compiledClassifier(seed: 5, [Dropout(0.3)])
      for call in calls {
        try model.fit(x, y, epochs: call.to, batchSize: 10, initialEpoch: call.from, verbose: .silent)
      }
      return try model.weights()
    }
    let whole = try train([(0, 4)])
    #expect(try train([(0, 1), (1, 4)]) == whole)
    #expect(try train([(0, 2), (0, 2)]) == whole)
    #expect(try train([(0, 2), (0, 2)]) == train([(0, 2), (0, 2)]))
  }

  @Test func aModelThatBeginsWithALaterEpochBeginsWithItsOrder() throws {
    let (a, b) = (Seen(), Seen())
    try model().fit(watched(20, a), epochs: 4, batchSize: 20, verbose: .silent)
    try model().fit(watched(20, b), epochs: 4, batchSize: 20, initialEpoch: 3, verbose: .silent)
    #expect(a.samples.last == b.samples.last)
  }

  @Test func aSecondCallThatIsResumedEndsWithTheSameBits() throws {
    let (x, y) = try quadrants(101)
    func begun() throws -> Model {
      let model = try compiledClassifier(seed: 5, [Dropout(0.3)])
      try model.fit(x, y, epochs: 2, batchSize: 10, verbose: .silent)
      return model
    }
    let undisturbed = try begun()
    try undisturbed.fit(x, y, epochs: 3, batchSize: 10, verbose: .silent)
    try undisturbed.fit(x, y, batchSize: 10, verbose: .silent)
    try withTemporaryDirectory { directory in
      let stop = LambdaCallback(batchEnd: { _, run in if run.totalSteps == 15 { run.interrupt() } })
      try begun().fit(
        x, y, epochs: 3, batchSize: 10, callbacks: [stop, Checkpoints(directory, every: .steps(5))], verbose: .silent)
      // The program is started again, and does what it did.
      let model = try compiledClassifier(seed: 5, [Dropout(0.3)])
      try model.fit(
        x, y, epochs: 3, batchSize: 10, callbacks: [Checkpoints(directory, every: .steps(5), resumes: true)],
        verbose: .silent)
      try model.fit(x, y, batchSize: 10, verbose: .silent)
      #expect(try model.weights() == undisturbed.weights())
    }
  }

  // MARK: A validation split

  @Test func aValidationSplitIsNotAugmented() throws {
    let x = try NDArray((0..<10).map { Float($0) }, shape: [10, 1])
    let model = Model(Dense(1, weightInitializer: .ones), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .meanAbsoluteError)
    func shifted(_ distance: Float) -> @Sendable (Batch) throws -> Batch {
      { batch in
        let values = batch.features[0].elements(as: Float.self).map { $0 + distance }
        return Batch(features: [try NDArray(values, shape: batch.features[0].shape)], labels: batch.labels)
      }
    }
    let augmented = try Dataset(x, x).mapped(shifted(100))
    let history = try model.fit(augmented, validationSplit: 0.2, verbose: .silent)
    #expect(history["val_loss"] == [0])
    #expect(abs(history["loss"][0] - 100) < 1e-4)
    // What validation needs too.
    let both = try Dataset(x, x).preprocessed(shifted(1)).mapped(shifted(100)).preprocessed(shifted(2))
    #expect(try model.fit(both, validationSplit: 0.2, verbose: .silent)["val_loss"] == [3])
    // Data that are given for validation are used as they are given.
    #expect(abs(try model.evaluate(augmented)["loss"] ?? 0) > 99)
    let (first, last) = try both.split(lastFraction: 0.5)
    #expect(abs(try model.evaluate(first)["loss"] ?? 0) > 102)
    #expect(try model.evaluate(last)["loss"] == 3)
  }

  // MARK: Sizes

  @Test(arguments: [Int.max, Int.max - 1, 1 << 62, 1 << 31])
  func absurdNumbersOfSamplesAndStepsDoNotTrap(_ size: Int) throws {
    let (x, y) = try quadrants(20)
    func train(_ batchSize: Int) throws -> Store {
      let model = try compiledClassifier()
      try model.fit(
        x, y, epochs: 2, batchSize: batchSize, validation: Dataset(x, y), verbose: .silent)
      _ = try model.evaluate(x, y, batchSize: batchSize)
      _ = try model.predict(x, batchSize: batchSize)
      _ = try model.predict(Dataset(x, y).mapped { $0 }, batchSize: batchSize)
      return try model.weights()
    }
    #expect(try train(size) == train(20))
    let data = try Dataset(x, y)
    #expect(data.steps(batchSize: size) == 1)
    #expect(data.batched(size).steps(batchSize: 1) == 1)
    #expect(try compiledClassifier().evaluate(data.batched(size)) == compiledClassifier().evaluate(data.batched(20)))
    let stream = Dataset { [Batch(features: [x], labels: y)] }
    #expect(throws: Never.self) { try compiledClassifier().fit(stream.prefix(size), batchSize: size, verbose: .silent) }
    let stop = { LambdaCallback(batchEnd: { _, run in run.stopsTraining = true }) }
    #expect(throws: Never.self) {
      try compiledClassifier().fit(x, y, epochs: size, callbacks: [stop()], verbose: .silent)
      try compiledClassifier().fit(x, y, epochs: 1, stepsPerEpoch: size, callbacks: [stop()], verbose: .silent)
      try compiledClassifier().fit(
        x, y, epochs: size, initialEpoch: size - 1, stepsPerEpoch: size, callbacks: [stop()], verbose: .silent)
    }
    #expect(try compiledClassifier().evaluate(data, steps: size)["loss"] != nil)
    let error = message { _ = try compiledClassifier().inferenceFunction(batchSize: size) }
    #expect(error.contains("a batch size is at least 1 and at most 2147483647"), "\(error)")
  }

  @Test func stepsBelowOneAreRefused() throws {
    let (x, y) = try quadrants(8)
    let data = try Dataset(x, y)
    #expect(message { _ = try compiledClassifier().evaluate(data, steps: 0) }.contains("at least 1 step"))
    #expect(
      message { try compiledClassifier().fit(data, validation: data, validationSteps: -1, verbose: .silent) }
        .contains("validationSteps at least 1"))
    #expect(message { try compiledClassifier().fit(data, batchSize: 0, verbose: .silent) }.contains("at least 1"))
  }

  // MARK: Prefetching

  @Test(.timeLimit(.minutes(1)))
  func aPrefetchedStreamThatFailedFailsAgain() throws {
    struct Failure: Error {}
    let (x, y) = try quadrants(8)
    let data = Dataset { () -> () throws -> Batch? in
      var count = 0
      return {
        count += 1
        if count > 2 { throw Failure() }
        return Batch(features: [x], labels: y)
      }
    }
    let batches = try data.prefetched(2).makeBatches(batchSize: 8, order: nil)
    _ = try batches.next()
    _ = try batches.next()
    for _ in 0..<3 { #expect(throws: Failure.self) { try batches.next() } }
    let ended = try Dataset { [Batch(features: [x], labels: y)] }.prefetched(1).makeBatches(batchSize: 8, order: nil)
    #expect(try ended.next() != nil)
    for _ in 0..<3 { #expect(try ended.next() == nil) }
  }
}
