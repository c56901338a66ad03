// Samples that are made when a batch needs them train like the same samples in memory.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

@Suite struct MadeSamplesTests {
  private static let points = 48

  /// The same points as arrays, and made row by row.
  private func datasets(_ count: Int = points) throws -> (arrays: Dataset, made: Dataset) {
    let (x, y) = try quadrants(count)
    let made = Dataset(count: count, identity: "quadrants") { rows in
      Batch(features: [x.withRows(rows)], labels: y.withRows(rows))
    }
    return (try Dataset(x, y), made)
  }

  private func trained(
    _ data: Dataset, backend: any Backend = testBackend, split: Double = 0.25, _ callbacks: [any Callback] = [],
    resumesIn place: URL? = nil
  ) throws -> (weights: [NDArray], logs: [Logs]) {
    let model = Model(
      Sequential {
        Dense(16, activation: .tanh)
        Dropout(0.2)
        Dense(2, activation: .softmax)
      }, inputShape: [2], backend: backend, seed: 3)
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    let checkpoints = place.map { [Checkpoints($0, every: .steps(2), resumes: true)] } ?? []
    let history = try model.fit(
      data, epochs: 4, batchSize: 7, validationSplit: split, callbacks: callbacks + checkpoints, verbose: .silent)
    return (try model.weights().entries.map(\.1), history.epochs.map(\.logs))
  }

  @Test func theyGiveTheBitsOfArrays() throws {
    let (arrays, made) = try datasets()
    let (expected, received) = (try trained(arrays), try trained(made))
    #expect(received.weights == expected.weights)
    #expect(received.logs == expected.logs)
  }

  @Test func theyGiveTheSameBitsForAnyNumberOfWorkers() throws {
    func team(_ threads: Int) -> any Backend {
      let engine = CPUBackend(threads: threads, sharing: .always)
      return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
    }
    let (arrays, made) = try datasets()
    let expected = try trained(arrays, backend: team(1))
    for workers in 1...3 { #expect(try trained(made, backend: team(workers)).weights == expected.weights) }
  }

  @Test func aRunThatWasInterruptedInAnEpochGoesOnToTheSameBits() throws {
    let (_, made) = try datasets()
    let expected = try trained(made)
    try withTemporaryDirectory { place in
      struct Cut: Error {}
      var steps = 0
      let cut = LambdaCallback(batchEnd: { _, _ in
        steps += 1
        if steps == 9 { throw Cut() }
      })
      #expect(throws: Cut.self) { try trained(made, [cut], resumesIn: place) }
      let resumed = try trained(made, resumesIn: place)
      #expect(resumed.weights == expected.weights)
      #expect(resumed.logs == expected.logs)
    }
  }

  @Test func onlyTheRowsThatAreNeededAreMade() throws {
    let counted = Counter()
    let (x, y) = try quadrants(20)
    let made = Dataset(count: 20, identity: "counted") { rows in
      counted.add(Array(rows))
      return Batch(features: [x.withRows(rows)], labels: y.withRows(rows))
    }
    let batches = try made.prefix(12).batches(of: 5, seed: 1)
    while try batches.next() != nil {}
    #expect(counted.rows.sorted() == Array(0..<12))
  }

  @Test func otherSamplesAreAnotherRun() throws {
    func digest(_ identity: String, _ count: Int = 3) throws -> String {
      try Dataset(count: count, identity: identity) { _ in Batch(features: []) }.digest()
    }
    #expect(try digest("a") == digest("a"))
    #expect(try digest("a") != digest("b"))
    #expect(try digest("a") != digest("a", 4))
  }

  @Test func aBatchOfAnotherSizeIsRefused() throws {
    let (x, y) = try quadrants(20)
    let wrong = Dataset(count: 20, identity: "wrong") { _ in Batch(features: [x], labels: y) }
    let text = message { _ = try trained(wrong) }
    #expect(text.contains("was asked for 1 samples and made 20"))
  }

  @Test func shapesThatDoNotFitAreRefusedBeforeTheFirstStep() throws {
    let wide = try NDArray([Float](repeating: 0, count: 60), shape: [20, 3])
    let y = NDArray([Int32](repeating: 0, count: 20))
    let made = Dataset(count: 20, identity: "wide") { rows in
      Batch(features: [wide.withRows(rows)], labels: y.withRows(rows))
    }
    var steps = 0
    let text = message { _ = try trained(made, [LambdaCallback(batchEnd: { _, _ in steps += 1 })]) }
    #expect(text.contains("[3]"))
    #expect(steps == 0)
  }
}

/// Rows that were asked for, from any thread.
private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var list: [Int] = []
  func add(_ rows: [Int]) { lock.withLock { list += rows } }
  var rows: [Int] { lock.withLock { list } }
}

extension NDArray {
  /// The rows with these indices.
  fileprivate func withRows(_ rows: ArraySlice<Int>) -> NDArray {
    var result = NDArray(zeros: type.with([rows.count] + shape.dropFirst()))
    result.withUnsafeMutableBytes { gatherRows(of: self, rows, into: $0) }
    return result
  }
}
