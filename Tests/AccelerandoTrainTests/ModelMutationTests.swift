import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

/// What a model and a checkpoint consist of besides tensors is text, which people edit and disks damage.
@Suite struct ModelMutationTests {
  /// Calls `read` with damaged copies of a file, which it may refuse by one of the errors that people are told.
  private func survive(_ file: URL, _ read: () throws -> Void) throws {
    let original = try [UInt8](Data(contentsOf: file))
    #expect(throws: Never.self) { try read() }
    var random = RandomSource(seed: 11)
    var refused = 0
    for round in 0..<Mutation.rounds {
      try Data(Mutation.damaged(original, words: Mutation.jsonWords, using: &random)).write(to: file)
      do {
        try read()
      } catch {
        refused += 1
        let isKnown =
          error is ConfigError || error is FormatError || error is GraphError || error is TrainingError
          || error is StoreMismatch
        #expect(isKnown, "round \(round) of \(file.lastPathComponent): \(error)")
      }
    }
    #expect(refused > Mutation.rounds / 10)
    try Data(original).write(to: file)
  }

  private func model() throws -> Model {
    let model = Model(
      Sequential {
        Conv2D(2, kernelSize: (3, 3), padding: .same, activation: .relu)
        MaxPooling2D(poolSize: (2, 2))
        BatchNormalization()
        Flatten()
        Dropout(0.25)
        Dense(3, activation: .softmax)
      }, inputShape: [6, 6, 1], backend: testBackend)
    try model.compile(
      optimizer: .sgd(.cosineDecay(0.1, steps: 10), momentum: 0.9),
      loss: .categoricalCrossentropy(labelSmoothing: 0.1), metrics: [.accuracy])
    return model
  }

  @Test(arguments: ["architecture.json", "compile.json"])
  func damagedModelsNeverTrap(_ file: String) throws {
    try withTemporaryDirectory { directory in
      let place = directory.appendingPathComponent("model")
      try model().save(to: place)
      try survive(place.appendingPathComponent(file)) { _ = try Model.load(from: place, backend: testBackend) }
    }
  }

  @Test func damagedRunsAndManifestsNeverTrap() throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try quadrants(20)
      try compiledClassifier().fit(
        x, y, epochs: 2, batchSize: 10,
        callbacks: [EarlyStopping(monitor: "loss", restoresBestWeights: true), Checkpoints(directory, keep: 1)],
        verbose: .silent)
      let folder = CheckpointFolder(url: directory)
      let place = directory.appendingPathComponent(try #require(folder.names().last).description)
      try survive(place.appendingPathComponent("manifest.json")) { _ = try CheckpointFiles.read(place) }
      // The manifest would notice every change, so what it protects is read without it.
      let run = place.appendingPathComponent("run.json")
      let tensors = try readStore(place.appendingPathComponent("tensors.safetensors"))
      try survive(run) { _ = try Checkpoint(readConfig(run), tensors: tensors) }
    }
  }

  @Test func theModelOfATrainingIsPointedOut() throws {
    try withTemporaryDirectory { directory in
      try compiledClassifier().save(to: directory.appendingPathComponent("model"))
      let text = message { _ = try Model.load(from: directory, backend: testBackend) }
      #expect(text.contains("its model is \(directory.path)/model"), "\(text)")
    }
  }
}
