import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoCompress

/// What a callback saves or restores in the middle of pruning is what steps compute with, masks and all.
@Suite struct PrunedBestWeightsTests {
  private func withDirectory(_ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("pruned-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url)
  }

  private let samples = 128

  private func data() throws -> Dataset {
    let x = try NDArray((0..<samples * 4).map { Float(($0 * 7919) % 101) / 50 - 1 }, shape: [samples, 4])
    return try Dataset(x, NDArray((0..<samples).map { Int32(($0 * 4 * 7919) % 101 > 50 ? 1 : 0) }))
  }

  /// A model that has learnt, and is about to lose most of its weights.
  private func model(_ layers: [any Layer] = []) throws -> Model {
    let layer = Sequential {
      Dense(32, activation: .relu)
      layers
      Dense(2, activation: .softmax)
    }
    let model = Model(layer, inputShape: [4], backend: testBackend, seed: 1)
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
    try model.fit(data(), epochs: 20, verbose: .silent)
    try model.prune(Pruning(.polynomial(from: 0.2, to: 0.95, end: 30, frequency: 4)))
    return model
  }

  @Test(arguments: [false, true]) func theBestEpochComesBackWithTheMasksThatItHad(normalizes: Bool) throws {
    try withDirectory { directory in
      let model = try model(normalizes ? [BatchNormalization()] : [])
      let history = try model.fit(
        data(), epochs: 10, validation: data(),
        callbacks: [EarlyStopping(patience: 20, restoresBestWeights: true)], verbose: .silent)
      let losses = history["val_loss"]
      let best = try #require(losses.min())
      // The test would say nothing if the last epoch were the best.
      try #require(losses.last.map { $0 > best * 1.5 } ?? false)
      #expect(try abs(model.evaluate(data())["loss"]! - best) < 1e-6)
      try model.save(to: directory.appendingPathComponent("m"))
      let loaded = try Model.load(from: directory.appendingPathComponent("m"), backend: testBackend)
      #expect(try abs(loaded.evaluate(data())["loss"]! - best) < 1e-6)
      #expect(try abs(model.stripped().evaluate(data())["loss"]! - best) < 1e-6)
      // Zeros stay where training goes on.
      let before = try zeros(model)
      try model.fit(data(), epochs: 1, verbose: .silent)
      #expect(try zeros(model) >= before)
    }
  }

  @Test func theBestEpochOfAResumedRunComesBackToo() throws {
    try withDirectory { directory in
      func train(_ epochs: Int, _ callbacks: [any Callback]) throws -> Model {
        let model = try model()
        try model.fit(
          data(), epochs: epochs, validation: data(),
          callbacks: [EarlyStopping(patience: 20, restoresBestWeights: true)] + callbacks, verbose: .silent)
        return model
      }
      let whole = try train(10, [])
      _ = try train(6, [Checkpoints(directory, resumes: true)])
      let resumed = try train(10, [Checkpoints(directory, resumes: true)])
      #expect(try resumed.weights() == whole.weights())
      #expect(try resumed.ruleState() == whole.ruleState())
    }
  }

  @Test func aCheckpointInsideAnEpochHasTheZerosOfItsStep() throws {
    try withDirectory { directory in
      let path = directory.path + "/{batch}"
      let model = try model()
      var expected: [Int: Int] = [:]
      let recorder = LambdaCallback(batchEnd: { _, run in
        expected[run.stepsDone] = try run.model.settledWeights().entries.reduce(0) { sum, entry in
          sum + entry.1.elements(as: Float.self).count { $0 == 0 }
        }
      })
      try model.fit(
        data(), epochs: 1, batchSize: 4,
        callbacks: [recorder, ModelCheckpoint(path, savesWeightsOnly: true, everySteps: 9)], verbose: .silent)
      for step in [9, 18, 27] {
        let saved = Model(model.layer, inputShape: [4], backend: testBackend)
        try saved.loadWeights(from: directory.appendingPathComponent("\(step)"))
        let found = try zeros(saved, all: true)
        #expect(found == expected[step] && found > 30, "step \(step): \(found)")
      }
    }
  }

  private func zeros(_ model: Model, all: Bool = false) throws -> Int {
    try model.weights().entries.reduce(0) { sum, entry in
      guard all || entry.0.hasSuffix("weight") else { return sum }
      return sum + entry.1.elements(as: Float.self).count { $0 == 0 }
    }
  }
}
