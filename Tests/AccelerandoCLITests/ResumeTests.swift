import Foundation
import Testing

@Suite struct ResumeTests {
  /// The digest of the weights that a training ended with.
  private func digest(_ text: String) throws -> String {
    struct Last: Decodable { let weightsSha256: String }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let line = try #require(text.split(separator: "\n").last)
    return try decoder.decode(Last.self, from: Data(line.utf8)).weightsSha256
  }

  @Test func ctrlCWritesACheckpointThatTheRunGoesOnFrom() throws {
    try withTemporaryDirectory { directory in
      let arguments = ["train", "mlp", "--data", "sample", "--epochs", "400", "--json", "log.jsonl"]
      let log = directory.appendingPathComponent("log.jsonl")
      let undisturbed = try Command.run(arguments: arguments, in: directory)
      #expect(undisturbed.status == 0, "\(undisturbed.errors)")
      let expected = try String(contentsOf: log, encoding: .utf8)

      let errors = directory.appendingPathComponent("err")
      let process = try Command.start(
        arguments + ["--output", "run"], in: directory, output: directory.appendingPathComponent("out"), errors: errors)
      for _ in 0..<600 where process.isRunning {
        let shown = try String(contentsOf: directory.appendingPathComponent("out"), encoding: .utf8)
        if shown.contains("Epoch 3/") { break }
        usleep(10_000)
      }
      process.interrupt()
      waitForExit(process)
      #expect(process.terminationStatus == 130)
      #expect(try String(contentsOf: errors, encoding: .utf8).contains("train --resume"))

      // From another directory, since paths are those of the run's beginning.
      let resumed = try Command.run(
        "train", "--resume", directory.appendingPathComponent("run").path, in: FileManager.default.temporaryDirectory)
      #expect(resumed.status == 0, "\(resumed.errors)")
      #expect(resumed.errors.contains("resumes from checkpoint-000001-step-"), "\(resumed.errors)")
      let found = try String(contentsOf: log, encoding: .utf8)
      #expect(try digest(found) == digest(expected))
      #expect(found.split(separator: "\n").count == 400)
      // A run that has come to its end is not run again, and more epochs are.
      let again = try Command.run("train", "--resume", "run", "--epochs", "401", in: directory)
      #expect(again.status == 0 && again.output.contains("Epoch 401/401"), "\(again.errors)")
      #expect(!again.output.contains("Epoch 400/"))
    }
  }

  @Test func whatCannotGoOnIsSaid() throws {
    try withTemporaryDirectory { directory in
      func check(_ status: Int32, _ expected: String, _ arguments: String...) throws {
        let outcome = try Command.run(arguments: ["train"] + arguments, in: directory)
        #expect(outcome.status == status && outcome.errors.contains(expected), "\(outcome.errors)")
      }
      try check(64, "--resume")
      try check(64, "30s", "mlp", "--checkpoint-every", "often", "--output", "run")
      try check(64, "--output", "mlp", "--checkpoint-every", "5")
      try check(64, "--keep", "mlp", "--checkpoint-every", "5", "--output", "run", "--keep", "0")
      try check(65, "has no run to resume", "--resume", "nowhere")
      let small = ["mlp", "--data", "sample", "--epochs", "1", "--output", "run", "--checkpoint-every", "9"]
      try check(0, "saved", small[0], small[1], small[2], small[3], small[4], small[5], small[6], small[7], small[8])
      try check(
        65, "batch size: 32 in the checkpoint, 16 now", "--resume", "run", "--batch-size", "16", "--epochs", "2")
      // Both checkpoints of the end are damaged: the one before them is taken, and people hear of it.
      let checkpoints = directory.appendingPathComponent("run/checkpoints")
      let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path).filter { $0.contains("-step-") }
      let newest = try #require(names.max())
      try Data("{}".utf8).write(to: checkpoints.appendingPathComponent("\(newest)/manifest.json"))
      try check(0, "\(newest) cannot be used", "--resume", "run", "--epochs", "2")
    }
  }
}
