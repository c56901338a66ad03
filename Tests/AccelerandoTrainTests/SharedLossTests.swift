// Losses of the whole batch, weights of places and results of several numbers, where workers share batches: as exact as
// with one.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct SharedLossTests {
  private static let losses: [any Loss] = [
    Dice(), Tversky(alpha: 0.3, beta: 0.8), Dice(axes: [0]), Circle(gamma: 4),
    ReducedLoss(MeanSquaredError(), by: .sum),
    ReducedLoss(MeanSquaredError(), by: .meanWithSampleWeight),
  ]

  /// Points to a vector of length about 1.
  private func model(_ loss: any Loss, workers: Int?) throws -> Model {
    let layer = Sequential {
      Dense(5, activation: .tanh)
      Dense(3, activation: .softmax)
    }
    let backend: any Backend =
      workers.map { count in
        let engine = CPUBackend(threads: count, sharing: .always)
        return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
      } ?? CPUBackend(threads: 1)
    let model = Model(layer, inputShape: [2], backend: backend, seed: 5)
    let metrics: [any Metric] = loss is Circle ? [] : [.auc, .f1Score(average: .none), .confusionMatrix]
    try model.compile(optimizer: .sgd(0.1), loss: loss, metrics: metrics)
    return model
  }

  @Test(arguments: losses.indices)
  func workersThatShareBatchesTrainAsOneDoes(_ number: Int) throws {
    let loss = Self.losses[number]
    let x = try NDArray(RandomKey(seed: 3).uniform(22, from: -1, to: 1), shape: [11, 2])
    let classes = (0..<11).map { Int32($0 * 7 % 3) }
    let oneHot = try NDArray(classes.flatMap { label in (0..<3).map { Float($0 == label ? 1 : 0) } }, shape: [11, 3])
    let weights = NDArray((0..<11).map { Float($0 % 4) / 2 })
    let y = loss is Circle ? NDArray(classes) : oneHot
    let alone = try model(loss, workers: nil)
    let shared = try model(loss, workers: 3)
    // The last batch is shorter, and cannot be split evenly.
    let first = try alone.fit(x, y, sampleWeights: weights, epochs: 3, batchSize: 7, verbose: .silent)
    let second = try shared.fit(x, y, sampleWeights: weights, epochs: 3, batchSize: 7, verbose: .silent)
    #expect(first.names == second.names)
    for name in first.names {
      for (a, b) in zip(first[name], second[name]) {
        #expect(abs(a - b) <= 1e-5 * max(abs(a), 1), "\(name): \(a), \(b)")
      }
    }
    for (a, b) in zip(try alone.weights().entries, try shared.weights().entries) {
      for (p, q) in zip(a.1.elements(as: Double.self), b.1.elements(as: Double.self)) { #expect(abs(p - q) < 1e-5) }
    }
  }

  @Test func metricsWithStateGoOnInTheMiddleOfAnEpoch() throws {
    let x = try NDArray(RandomKey(seed: 4).uniform(46, from: -1, to: 1), shape: [23, 2])
    let y = try NDArray((0..<69).map { Float($0 * 7 % 3 == 0 ? 1 : 0) }, shape: [23, 3])
    let weights = NDArray((0..<23).map { Float($0 % 4) / 2 })
    func run(_ callbacks: [any Callback]) throws -> History {
      try model(MeanSquaredError(), workers: nil).fit(
        x, y, sampleWeights: weights, epochs: 3, batchSize: 5, callbacks: callbacks, verbose: .silent)
    }
    let whole = try run([])
    try withTemporaryDirectory { directory in
      func checkpoints() -> Checkpoints { Checkpoints(directory, every: nil, resumes: true) }
      // The second epoch, after three of five steps.
      let stop = LambdaCallback(batchEnd: { _, run in if run.totalSteps == 8 { run.interrupt() } })
      _ = try? run([stop, checkpoints()])
      let resumed = try run([checkpoints()])
      #expect(resumed.epochs.map(\.logs) == whole.epochs.map(\.logs))
      #expect(resumed.epochs.count == 3)
    }
  }

  @Test func resultsOfSeveralNumbersHaveNamesInTheHistory() throws {
    let model = try model(MeanSquaredError(), workers: nil)
    let x = try NDArray(RandomKey(seed: 3).uniform(12, from: -1, to: 1), shape: [6, 2])
    let y = try NDArray([Float](repeating: 0, count: 18), shape: [6, 3])
    let history = try model.fit(x, y, validation: Dataset(x, y), verbose: .silent)
    let scores = (0..<3).map { "f1_score_\($0)" }
    let cells = (0..<9).map { "confusion_matrix_\($0 / 3)_\($0 % 3)" }
    let names = ["auc", "loss"] + scores + cells
    #expect(Set(history.names) == Set(names + names.map { "val_" + $0 }))
    #expect(cells.reduce(0) { $0 + (history[$1].first ?? 0) } == 6)
  }
}
