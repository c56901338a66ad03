import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// Replaces the numbers of each epoch, so that callbacks can be driven through any course.
private func scripted(_ name: String, _ values: [Double]) -> LambdaCallback {
  LambdaCallback(epochEnd: { epoch, logs, _ in logs[name] = values[epoch] })
}

@Suite struct CallbackTests {
  private func run(_ epochs: Int, _ callbacks: [any Callback]) throws -> (history: History, model: Model) {
    let (x, y) = try quadrants(20)
    let model = try compiledClassifier()
    return (try model.fit(x, y, epochs: epochs, callbacks: callbacks, verbose: .silent), model)
  }

  @Test func earlyStoppingWaitsForItsPatience() throws {
    let stopping = EarlyStopping(patience: 2)
    let result = try run(9, [scripted("val_loss", [5, 4, 3, 3, 3.5, 1, 0, 0, 0]), stopping])
    #expect(result.history.epochs.count == 5)
    #expect(stopping.stoppedEpoch == 4)
  }

  @Test func earlyStoppingRestoresTheBestWeights() throws {
    var best: Store?
    let recorder = LambdaCallback(epochEnd: { epoch, _, run in if epoch == 1 { best = try run.model.weights() } })
    let stopping = EarlyStopping(monitor: "val_accuracy", patience: 3, restoresBestWeights: true)
    let script = scripted("val_accuracy", [0.1, 0.9, 0.2, 0.3, 0.4, 0.5])
    let result = try run(6, [script, recorder, stopping])
    #expect(result.history.epochs.count == 5)
    #expect(try result.model.weights() == best)
  }

  @Test func plateausReduceTheLearningRate() throws {
    let plateau = ReduceLROnPlateau(factor: 0.5, patience: 2, cooldown: 1, minimumRate: 0.004)
    let result = try run(9, [scripted("val_loss", [1, 1, 1, 1, 1, 1, 1, 1, 1]), plateau])
    let rates = result.history["learning_rate"]
    let expected = [0.01, 0.01, 0.01, 0.005, 0.005, 0.004, 0.004, 0.004, 0.004]
    #expect(zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-8 }, "\(rates)")
  }

  @Test func schedulersSetTheLearningRateBeforeTheEpoch() throws {
    let result = try run(3, [LearningRateScheduler { epoch, rate in epoch == 0 ? rate : rate / 2 }])
    #expect(zip(result.history["learning_rate"], [0.01, 0.005, 0.0025]).allSatisfy { abs($0 - $1) < 1e-8 })
  }

  @Test func schedulesInTheProgramRefuseAnotherRate() throws {
    let (x, y) = try quadrants(20)
    let model = classifier()
    try model.compile(
      optimizer: .sgd(.exponentialDecay(0.1, steps: 1, rate: 0.5)), loss: .sparseCategoricalCrossentropy)
    try model.fit(x, y, batchSize: 10, verbose: .silent)
    let rate = try model.learningRate()
    #expect(abs(rate - 0.025) < 1e-9)
    #expect(message { try model.setLearningRate(1) }.contains("schedule"))
  }

  @Test func aLossOfNaNStopsTraining() throws {
    let (x, y) = try quadrants(40)
    let model = classifier()
    try model.compile(optimizer: .sgd(.constant(1e38)), loss: .sparseCategoricalCrossentropy)
    let history = try model.fit(
      x, y, epochs: 5, batchSize: 4, callbacks: [TerminateOnNaN()], verbose: .silent)
    #expect(history.epochs.count == 1)
    #expect(history.epochs[0].steps < 10)
  }

  @Test func csvFilesHaveALineForEachEpoch() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("log.csv")
      _ = try run(2, [CSVLogger(url)])
      _ = try run(1, [CSVLogger(url, appends: true)])
      let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 4)
      #expect(lines[0] == "epoch,accuracy,loss")
      #expect(lines[3].hasPrefix("0,"))
    }
  }

  @Test func tensorBoardFilesAreRecordsWithATagForEachNumber() throws {
    try withTemporaryDirectory { directory in
      _ = try run(2, [scripted("val_loss", [3, 4]), TensorBoard(directory, histogramFrequency: 1)])
      for (part, tags) in [
        ("train", ["epoch_loss", "epoch_accuracy", "epoch_learning_rate"]), ("validation", ["epoch_loss"]),
      ] {
        let folder = directory.appendingPathComponent(part)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count == 1 && names[0].hasPrefix("events.out.tfevents."))
        let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(names[0])))
        // A record: 8 bytes of length, 4 of checksum, the content, 4 of checksum.
        var contents: [String] = []
        var place = 0
        while place + 16 <= bytes.count {
          let length = bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
          try #require(place + 16 + length <= bytes.count)
          contents.append(String(decoding: bytes[place + 12..<place + 12 + length], as: UTF8.self))
          place += 16 + length
        }
        #expect(place == bytes.count)
        #expect(contents.count == (part == "train" ? 6 : 3) && contents[0].contains("brain.Event:2"))
        // The graph comes first, and the weights after the numbers of each epoch.
        if part == "train" {
          #expect(contents[1].contains("Dense") && contents[1].contains("input"))
          #expect(contents[3].contains("/histogram") && contents[5].contains("/histogram"))
          contents = [contents[0], contents[2], contents[4]]
        }
        for tag in tags { #expect(contents[1].contains(tag) && contents[2].contains(tag)) }
        // The checksum of the length 24, as TensorFlow writes it for this first record.
        #expect(bytes[8..<12].elementsEqual([0xa3, 0x7f, 0x4b, 0x22]))
      }
    }
  }

  @Test func checkpointsKeepTheBestEpochs() throws {
    try withTemporaryDirectory { directory in
      let path = directory.path + "/e{epoch:02d}-{val_loss:.1f}.safetensors"
      let checkpoint = ModelCheckpoint(path, savesBestOnly: true, savesWeightsOnly: true)
      _ = try run(4, [scripted("val_loss", [3, 4, 2, 2]), checkpoint])
      let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
      #expect(files == ["e01-3.0.safetensors", "e03-2.0.safetensors"])
      let wrong = ModelCheckpoint(directory.path + "/{nothing}", savesWeightsOnly: true)
      #expect(message { _ = try run(1, [wrong]) }.contains("'{nothing}' is not among"))
    }
  }

  @Test func aRunThatDiedGoesOnFromItsBackup() throws {
    struct PowerCut: Error {}
    try withTemporaryDirectory { directory in
      let place = directory.appendingPathComponent("backup")
      let (x, y) = try quadrants(40)
      func train(_ callbacks: [any Callback]) throws -> Store {
        let model = try compiledClassifier(seed: 8, [Dropout(0.2)])
        try model.fit(x, y, epochs: 4, batchSize: 16, callbacks: callbacks, verbose: .silent)
        return try model.weights()
      }
      let undisturbed = try train([])
      let death = LambdaCallback(batchEnd: { step, run in if run.epoch == 2, step == 1 { throw PowerCut() } })
      #expect(throws: PowerCut.self) { try train([BackupAndRestore(place), death]) }
      #expect(FileManager.default.fileExists(atPath: place.path))
      #expect(try train([BackupAndRestore(place)]) == undisturbed)
      #expect(!FileManager.default.fileExists(atPath: place.path))
    }
  }

  @Test func anInterruptionEndsTheRunAndKeepsTheBackup() throws {
    try withTemporaryDirectory { directory in
      let place = directory.appendingPathComponent("backup")
      let (x, y) = try quadrants(40)
      let stop = LambdaCallback(batchEnd: { step, run in if run.epoch == 1, step == 0 { run.interrupt() } })
      let history = try compiledClassifier().fit(
        x, y, epochs: 4, batchSize: 16, callbacks: [BackupAndRestore(place), stop], verbose: .silent)
      #expect(history.epochs.map(\.steps) == [3, 1])
      // After the three steps of the first epoch and one of the second.
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["checkpoint-000003-step-4"])
    }
  }

  @Test func hooksComeInOrder() throws {
    var events: [String] = []
    let recorder = LambdaCallback(
      trainBegin: { _ in events.append("begin") }, trainEnd: { _ in events.append("end") },
      epochBegin: { epoch, _ in events.append("epoch \(epoch)") },
      epochEnd: { epoch, _, _ in events.append("done \(epoch)") },
      batchEnd: { step, run in
        events.append("step \(step)")
        let logs = try run.logs()
        #expect(logs["loss"] != nil)
      })
    let (x, y) = try quadrants(20)
    try compiledClassifier().fit(x, y, epochs: 2, batchSize: 16, callbacks: [recorder], verbose: .silent)
    #expect(
      events == ["begin", "epoch 0", "step 0", "step 1", "done 0", "epoch 1", "step 0", "step 1", "done 1", "end"])
  }

  @Test func progressIsOneLineAnEpochAwayFromATerminal() throws {
    var text = ""
    let (x, y) = try quadrants(64)
    try compiledClassifier().fit(
      x, y, epochs: 2, validationSplit: 0.5, callbacks: [ProgressBar(moves: false) { text += $0 }], verbose: .silent)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0].hasPrefix("Epoch 1/2 - 1/1 - "))
    let order = ["accuracy: ", "loss: ", "val_accuracy: ", "val_loss: "]
    #expect(order.allSatisfy { lines[1].contains(" - \($0)") })
  }

  @Test func aMovingBarEndsFull() throws {
    var text = ""
    let (x, y) = try quadrants(64)
    try compiledClassifier().fit(
      x, y, epochs: 1, callbacks: [ProgressBar(moves: true) { text += $0 }], verbose: .silent)
    #expect(text.contains("Epoch 1/1\n"))
    #expect(text.contains("2/2 ━━━━━━━━━━━━━━━━━━━━ "))
    #expect(text.hasSuffix("\n"))
  }
}
