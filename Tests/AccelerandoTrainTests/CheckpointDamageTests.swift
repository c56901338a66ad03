import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// What a checkpoint that was damaged, cut off, or written by somebody else is answered with.
@Suite struct CheckpointDamageTests {
  private static let files = ["manifest.json", "run.json", "tensors.safetensors"]

  /// A directory with checkpoints of two moments.
  private func withCheckpoints(_ body: (CheckpointFolder) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try quadrants(20)
      try compiledClassifier().fit(
        x, y, epochs: 2, batchSize: 10,
        callbacks: [EarlyStopping(monitor: "loss", restoresBestWeights: true), Checkpoints(directory, keep: 2)],
        verbose: .silent)
      let folder = CheckpointFolder(url: directory)
      #expect(folder.names().map(\.step) == [2, 4])
      try body(folder)
    }
  }

  private func newest(_ folder: CheckpointFolder) throws -> URL {
    folder.url.appendingPathComponent(try #require(folder.names().last).description)
  }

  private func same(_ a: Checkpoint, _ b: Checkpoint) -> Bool {
    a.config == b.config && a.tensors == b.tensors
  }

  @Test func aCheckpointComesBackAsItWas() throws {
    try withTemporaryDirectory { directory in
      var history = History()
      history.epochs = [
        EpochRecord(
          epoch: 0, steps: 3, seconds: 0.1, validationSeconds: nil,
          logs: ["loss": .nan, "a": .infinity, "b": -0.0, "c": 0.1 + 0.2, "d": Double.leastNonzeroMagnitude])
      ]
      let checkpoint = Checkpoint(
        position: TrainingPosition(
          epoch: 1, isInsideEpoch: true, step: 2, seconds: 0.25, nextPass: 2, passStep: 2, stops: false,
          isFinished: false),
        iteration: 5, settings: [RunSetting("seed", "18446744073709551615")], history: history,
        state: Store([("parameter/a", NDArray([Float(1), .nan])), ("random_key", NDArray([UInt32.max, 1]))]),
        callbacks: [
          ("One", CallbackState(Config(["best": Config(.double(-.infinity))]))),
          ("Two", CallbackState(Config([:]), tensors: Store([("x", NDArray([Int32(3)]))]))),
        ])
      try CheckpointFiles.write(checkpoint, as: CheckpointName(number: 1, step: 5), in: directory)
      let found = try #require(try CheckpointFolder(url: directory).newest())
      #expect(found.checkpoint.tensors.entries.count == 3)
      #expect(Set(found.checkpoint.tensors.names) == Set(checkpoint.tensors.names))
      for name in checkpoint.tensors.names {
        #expect(found.checkpoint.tensors[name] == checkpoint.tensors[name])
      }
      #expect(found.checkpoint.config.json == checkpoint.config.json)
      #expect(found.checkpoint.callbacks[1].state.tensors["x"] == NDArray([Int32(3)]))
    }
  }

  @Test func anyByteThatIsChangedIsNoticedOrMeansNothing() throws {
    try withCheckpoints { folder in
      let place = try newest(folder)
      let whole = try CheckpointFiles.read(place)
      var random = SplitMix(state: 7)
      for file in Self.files {
        let url = place.appendingPathComponent(file)
        let original = try [UInt8](Data(contentsOf: url))
        let positions =
          original.count < 1200
          ? Array(original.indices)
          : (0..<400).map { _ in
            Int(random.next(upperBound: UInt64(original.count)))
          }
        for position in positions {
          var damaged = original
          damaged[position] ^= UInt8(truncatingIfNeeded: 1 + random.next(upperBound: UInt64(255)))
          try Data(damaged).write(to: url)
          do {
            let read = try CheckpointFiles.read(place)
            #expect(file == "manifest.json" && same(read, whole), "byte \(position) of \(file)")
          } catch {
            #expect("\(error)".contains(file) || file == "manifest.json", "byte \(position) of \(file): \(error)")
          }
        }
        try Data(original).write(to: url)
      }
      #expect(same(try CheckpointFiles.read(place), whole))
    }
  }

  @Test func aFileThatIsCutOffAnywhereIsNamed() throws {
    try withCheckpoints { folder in
      let place = try newest(folder)
      for file in Self.files {
        let url = place.appendingPathComponent(file)
        let original = try Data(contentsOf: url)
        // A newline at the end of a text is no loss.
        let last = file == "manifest.json" ? original.count - 1 : original.count
        for count in Set(0..<min(last, 700)).union(max(0, last - 100)..<last) {
          try original.prefix(count).write(to: url)
          let text = message { _ = try CheckpointFiles.read(place) }
          #expect(text.contains(file), "\(file) cut to \(count): \(text)")
        }
        try FileManager.default.removeItem(at: url)
        let text = message { _ = try CheckpointFiles.read(place) }
        #expect(text.contains(file), "\(text)")
        try original.write(to: url)
      }
    }
  }

  @Test func theNextOlderGoodOneIsUsedAndPeopleAreTold() throws {
    try withCheckpoints { folder in
      let url = try newest(folder).appendingPathComponent("tensors.safetensors")
      var bytes = try Data(contentsOf: url)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: url)
      let (x, y) = try quadrants(20)
      var told: [String] = []
      let listener = LambdaCallback(trainBegin: { told = $0.messages })
      func train(_ callbacks: [any Callback]) throws -> Store {
        let model = try compiledClassifier()
        try model.fit(x, y, epochs: 3, batchSize: 10, callbacks: callbacks, verbose: .silent)
        return try model.weights()
      }
      let stopping = EarlyStopping(monitor: "loss", restoresBestWeights: true)
      let resumed = try train([stopping, Checkpoints(folder.url, keep: 2, resumes: true), listener])
      #expect(try resumed == train([EarlyStopping(monitor: "loss", restoresBestWeights: true)]))
      let text = told.joined(separator: "\n")
      #expect(text.contains("tensors.safetensors") && text.contains("SHA-256"), "\(text)")
      #expect(text.contains("resumes from checkpoint-000002-step-2, at the beginning of epoch 2"), "\(text)")
      // The damaged one is left for whoever wants to look at it, and does not count.
      #expect(folder.names().map(\.step) == [4, 4, 6])
    }
  }

  @Test func laterVersionsAndForeignFilesAreToldApartFromDamage() throws {
    try withCheckpoints { folder in
      let place = try newest(folder)
      let url = place.appendingPathComponent("manifest.json")
      let text = try String(contentsOf: url, encoding: .utf8)
      func answer(_ old: String, _ new: String) throws -> String {
        try Data(text.replacingOccurrences(of: old, with: new).utf8).write(to: url)
        return message { _ = try CheckpointFiles.read(place) }
      }
      let later = try answer("\"version\": 2", "\"version\": 3, \"news\": true")
      #expect(later.contains("version 3") && later.contains("up to 2") && later.contains("manifest.json"), "\(later)")
      let foreign = try answer("accelerando-checkpoint", "somebody-elses")
      #expect(foreign.contains("somebody-elses") && foreign.contains("no checkpoint of Accelerando"), "\(foreign)")
      #expect(try answer("run.json", "../../passwd").contains("passwd"))
      try FileManager.default.removeItem(at: url)
      #expect(message { _ = try CheckpointFiles.read(place) }.contains("has no manifest.json"))
    }
  }

  @Test func whenNoneIsGoodAllAreNamed() throws {
    try withCheckpoints { folder in
      for name in folder.names() {
        try Data("{".utf8).write(to: folder.url.appendingPathComponent("\(name)/run.json"))
      }
      let text = message { _ = try folder.newest() }
      #expect(text.contains("none of the 2 checkpoints can be used"), "\(text)")
      #expect(folder.names().allSatisfy { text.contains($0.description) }, "\(text)")
    }
  }

  @Test func aWriteThatFailsLeavesTheEarlierOnesAndNothingElse() throws {
    try withCheckpoints { folder in
      let checkpoint = try #require(try folder.newest()).checkpoint
      let before = try FileManager.default.subpathsOfDirectory(atPath: folder.url.path).sorted()
      // The name is taken by a directory that is not empty, so the last step of writing fails.
      let blocked = folder.url.appendingPathComponent("checkpoint-000009-step-4/x")
      try FileManager.default.createDirectory(at: blocked, withIntermediateDirectories: true)
      let text = message { try folder.write(checkpoint, number: 9, keep: 1, distrusted: []) }
      #expect(text.contains("step 4 could not be written"), "\(text)")
      try FileManager.default.removeItem(at: blocked.deletingLastPathComponent())
      #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.url.path).sorted() == before)
    }
  }

  @Test func whatADeadRunLeftHalfWrittenIsTidiedUp() throws {
    try withCheckpoints { folder in
      for name in [".checkpoint-000007-step-9.abc.partial", ".checkpoint-000001-step-1.old", ".keep"] {
        try FileManager.default.createDirectory(
          at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
      }
      folder.tidy()
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).filter { $0.hasPrefix(".") }
      #expect(left == [".keep"])
    }
  }

  @Test func namesAreReadStrictly() {
    #expect(CheckpointName("checkpoint-000012-step-500") == CheckpointName(number: 12, step: 500))
    #expect(CheckpointName("checkpoint-1234567-step-0") == CheckpointName(number: 1_234_567, step: 0))
    for text in ["checkpoint-12-step-500", "checkpoint-000012-step-", "checkpoint-000012", "x", "checkpoint--1-step-2"]
    {
      #expect(CheckpointName(text) == nil, "\(text)")
    }
  }
}
