import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// The lights went out.
private struct PowerCut: Error {}

/// Ends a run after a step, counted over all epochs, as a power cut does: checkpoints are not written any more, as they would be after an
/// error.
private func death(after step: Int, of checkpoints: Checkpoints) -> LambdaCallback {
  var done = 0
  return LambdaCallback(batchEnd: { _, _ in
    done += 1
    guard done == step else { return }
    checkpoints.writes = false
    throw PowerCut()
  })
}

/// What two runs must have in common to be the same run.
private struct Outcome: Equatable {
  let state: Store
  let epochs: [Int]
  let steps: [Int]
  let logs: [Logs]

  init(_ model: Model, _ history: History) throws {
    // The order of names follows from when state was made.
    state = Store(try model.state().entries.sorted { $0.0 < $1.0 })
    epochs = history.epochs.map(\.epoch)
    steps = history.epochs.map(\.steps)
    logs = history.epochs.map(\.logs)
  }
}

@Suite struct CheckpointTests {
  /// A training with everything that has something to remember.
  private struct Training {
    var seed: UInt64 = 8
    var batchSize = 7
    var stepsPerEpoch: Int?
    var data: (Dataset) throws -> Dataset = { $0 }
    var epochs = 4

    func run(_ callbacks: [any Callback]) throws -> Outcome {
      let (x, y) = try quadrants(48)
      let model = try compiledClassifier(seed: seed, [BatchNormalization(), Dropout(0.2)])
      let plateau = ReduceLROnPlateau(monitor: "loss", factor: 0.5, patience: 1, minimumChange: 0.05)
      let history = try model.fit(
        try data(try Dataset(x, y).prefix(40)), epochs: epochs, batchSize: batchSize,
        validation: Dataset(x.rows(40..<48), y.rows(40..<48)), stepsPerEpoch: stepsPerEpoch,
        callbacks: [plateau, EarlyStopping(monitor: "loss", patience: 9, restoresBestWeights: true)] + callbacks,
        verbose: .silent)
      return try Outcome(model, history)
    }

    /// Dies after a step, goes on, dies again, and comes to its end.
    func resumed(in directory: URL, deaths: [Int], every interval: Checkpoints.Interval) throws -> Outcome {
      func checkpoints() -> Checkpoints { Checkpoints(directory, every: interval, keep: 2, resumes: true) }
      for step in deaths {
        let checkpoints = checkpoints()
        #expect(throws: PowerCut.self) { try run([death(after: step, of: checkpoints), checkpoints]) }
      }
      return try run([checkpoints()])
    }
  }

  @Test(arguments: 1...23) func aRunThatDiesAfterAnyStepEndsWithTheBitsThatItWouldHaveHad(step: Int) throws {
    try withTemporaryDirectory { directory in
      let training = Training()
      let undisturbed = try training.run([])
      #expect(undisturbed.steps == [6, 6, 6, 6])
      let interval: Checkpoints.Interval = step.isMultiple(of: 2) ? .steps(1) : .steps(3)
      #expect(try training.resumed(in: directory, deaths: [step, 1 + step % 3], every: interval) == undisturbed)
    }
  }

  @Test(arguments: [2, 4, 6, 9, 13]) func epochsThatArePartsOfPassesGoOnInsideThem(stepsPerEpoch: Int) throws {
    try withTemporaryDirectory { directory in
      let training = Training(stepsPerEpoch: stepsPerEpoch, epochs: 5)
      let undisturbed = try training.run([])
      let deaths = [stepsPerEpoch + 1, stepsPerEpoch, 1]
      #expect(try training.resumed(in: directory, deaths: deaths, every: .steps(1)) == undisturbed)
    }
  }

  @Test func streamsAndPreparedBatchesGoOnWhereTheyWere() throws {
    let (x, y) = try quadrants(48)
    let stream = Dataset {
      try stride(from: 0, to: 40, by: 7).map { start in
        let range = start..<min(start + 7, 40)
        return Batch(features: [try x.rows(range)], labels: try y.rows(range))
      }
    }
    let kinds: [(Dataset) throws -> Dataset] = [
      { $0.prefetched(3) }, { $0.mapped { $0 } }, { $0.shuffled(false) }, { _ in stream }, { _ in stream.prefetched() },
      { _ in stream.mapped { $0 } },
    ]
    for data in kinds {
      try withTemporaryDirectory { directory in
        let training = Training(data: data)
        let undisturbed = try training.run([])
        let resumed = try training.resumed(in: directory, deaths: [9, 2], every: .steps(2))
        #expect(resumed == undisturbed)
      }
    }
  }

  @Test func anInterruptedRunGoesOnInsideItsEpoch() throws {
    struct Enough: Error {}
    try withTemporaryDirectory { directory in
      let training = Training()
      let undisturbed = try training.run([])
      for isThrown in [true, false] {
        let place = directory.appendingPathComponent("\(isThrown)")
        // Not a checkpoint but the one of the interruption.
        func checkpoints() -> Checkpoints { Checkpoints(place, every: nil, resumes: true) }
        let stop = LambdaCallback(batchEnd: { step, run in
          guard run.epoch == 1, step == 2 else { return }
          if isThrown { run.interrupt(throwing: Enough()) } else { run.interrupt() }
        })
        if isThrown {
          #expect(throws: Enough.self) { try training.run([stop, checkpoints()]) }
        } else {
          #expect(try training.run([stop, checkpoints()]).steps == [6, 3])
        }
        #expect(CheckpointFolder(url: place).names().map(\.step) == [9])
        #expect(try training.run([checkpoints()]) == undisturbed)
      }
    }
  }

  @Test func aFinishedRunGoesOnWithMoreEpochsAndOtherwiseDoesNothing() throws {
    try withTemporaryDirectory { directory in
      func checkpoints() -> Checkpoints { Checkpoints(directory, resumes: true) }
      let short = Training(epochs: 2)
      let first = try short.run([checkpoints()])
      #expect(try short.run([checkpoints()]) == first)
      #expect(try Training(epochs: 4).run([checkpoints()]) == Training(epochs: 4).run([]))
    }
  }

  @Test func earlyStoppingThatHasStoppedStaysStopped() throws {
    try withTemporaryDirectory { directory in
      func run() throws -> (EarlyStopping, Outcome) {
        let (x, y) = try quadrants(40)
        let model = try compiledClassifier()
        let script = LambdaCallback(epochEnd: { epoch, logs, _ in logs["val_loss"] = [3, 1, 2, 2, 2, 0][epoch] })
        let stopping = EarlyStopping(patience: 2, restoresBestWeights: true)
        let history = try model.fit(
          x, y, epochs: 6, callbacks: [script, stopping, Checkpoints(directory, resumes: true)], verbose: .silent)
        return (stopping, try Outcome(model, history))
      }
      let (first, outcome) = try run()
      let (second, again) = try run()
      #expect(first.stoppedEpoch == 3 && second.stoppedEpoch == 3)
      #expect(outcome == again)
    }
  }

  @Test func linesOfLogsAreNeitherLostNorDoubled() throws {
    try withTemporaryDirectory { directory in
      func logs(_ name: String) -> (URL, [any Callback]) {
        let place = directory.appendingPathComponent(name)
        return (place, [CSVLogger(place.appendingPathComponent("log.csv")), TensorBoard(place)])
      }
      func lengths(_ place: URL) throws -> [String: Int] {
        var found: [String: Int] = [:]
        for part in ["train", "validation"] {
          for file in try FileManager.default.contentsOfDirectory(
            at: place.appendingPathComponent(part), includingPropertiesForKeys: nil)
          { found[part, default: 0] += try Data(contentsOf: file).count }
        }
        return found
      }
      for name in ["expected", "died"] {
        try FileManager.default.createDirectory(
          at: directory.appendingPathComponent(name), withIntermediateDirectories: true)
      }
      let training = Training(epochs: 5)
      let (expected, undisturbed) = logs("expected")
      _ = try training.run(undisturbed)
      // The checkpoint of step 7 knows of one line; two are written after the one of step 14.
      for step in [8, 13, 5] {
        let checkpoints = Checkpoints(directory.appendingPathComponent("c"), every: .steps(7), resumes: true)
        #expect(throws: PowerCut.self) {
          try training.run(logs("died").1 + [death(after: step, of: checkpoints), checkpoints])
        }
      }
      _ = try training.run(
        logs("died").1 + [Checkpoints(directory.appendingPathComponent("c"), every: .steps(7), resumes: true)])
      let died = logs("died").0
      let file = "log.csv"
      #expect(
        try String(contentsOf: died.appendingPathComponent(file), encoding: .utf8)
          == String(contentsOf: expected.appendingPathComponent(file), encoding: .utf8))
      #expect(try lengths(died) == lengths(expected))
    }
  }

  @Test func theOldestGoWhenThereAreEnough() throws {
    try withTemporaryDirectory { directory in
      _ = try Training().run([Checkpoints(directory, every: .epochs(1), keep: 2)])
      #expect(CheckpointFolder(url: directory).names().map(\.step) == [18, 24])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 2)
    }
  }

  @Test func aNewRunTakesThePlaceOfAFinishedOneOnly() throws {
    try withTemporaryDirectory { directory in
      let place = directory.appendingPathComponent("c")
      let first = Checkpoints(place, every: .steps(1))
      #expect(throws: PowerCut.self) { try Training().run([death(after: 3, of: first), first]) }
      let text = message { _ = try Training().run([Checkpoints(place, every: .steps(1))]) }
      #expect(text.contains("not complete") && text.contains("--resume"), "\(text)")
      _ = try Training().run([Checkpoints(place, every: .steps(1), resumes: true)])
      _ = try Training(seed: 9).run([Checkpoints(place, every: .steps(1))])
    }
  }

  @Test func settingsThatTheResultDependsOnMustBeTheSame() throws {
    try withTemporaryDirectory { directory in
      let first = Checkpoints(directory, every: .steps(2))
      #expect(throws: PowerCut.self) { try Training().run([death(after: 9, of: first), first]) }
      func other() throws -> Dataset {
        let (x, y) = try quadrants(48, seed: 2)
        return try Dataset(x, y).prefix(40)
      }
      let others: [(Training, String)] = [
        (Training(seed: 9), "seed: 8 in the checkpoint, 9 now"),
        (Training(batchSize: 8), "batch size: 7 in the checkpoint, 8 now"),
        (Training(stepsPerEpoch: 6), "steps per epoch: a whole pass in the checkpoint, 6 now"),
        (Training(data: { $0.prefix(30) }), "samples: 40 in the checkpoint, 30 now"),
        (Training(data: { _ in try other() }), "digest of the data: "),
      ]
      for (training, expected) in others {
        let text = message { _ = try training.run([Checkpoints(directory, every: .steps(2), resumes: true)]) }
        #expect(text.contains(expected), "\(text)")
      }
      let (x, y) = try quadrants(48)
      let model = try compiledClassifier(seed: 8)
      let text = message {
        try model.fit(
          Dataset(x, y).prefix(40), epochs: 4, batchSize: 7, callbacks: [Checkpoints(directory, resumes: true)],
          verbose: .silent)
      }
      #expect(text.contains("layers.1.BatchNormalization.momentum: 0.99 in the checkpoint, none now"), "\(text)")
    }
  }

  @Test(arguments: [0, 1, 70_000, 150_001, 150_003, 299_999]) func oneOtherBitOfTheDataIsNoticedWhereverItIs(place: Int)
    throws
  {
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var other = bytes
    other[place] ^= 128
    func dataset(_ bytes: [UInt8], _ labels: [Int32]) throws -> Dataset {
      try Dataset(try NDArray(bytes, shape: [100, 3000]), NDArray(labels))
    }
    let labels = [Int32](repeating: 3, count: 100)
    let digest = try dataset(bytes, labels).digest()
    #expect(try dataset(bytes, labels).digest() == digest)
    #expect(try dataset(other, labels).digest() != digest)
    #expect(try dataset(bytes, [Int32](repeating: 3, count: 99) + [4]).digest() != digest)
  }

  @Test func intervalsAreRead() {
    #expect(Checkpoints.Interval("500") == .steps(500))
    #expect(Checkpoints.Interval("30s") == .seconds(30))
    #expect(Checkpoints.Interval("1.5m") == .seconds(90))
    #expect(Checkpoints.Interval("2e") == .epochs(2))
    for text in ["", "0", "-1", "s", "0s", "5x", "1.5e", "nans", "1.5", "1e300s"] {
      #expect(Checkpoints.Interval(text) == nil, "\(text)")
    }
  }
}
