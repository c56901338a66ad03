import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct CommandTests {
  private struct Epoch: Decodable, Equatable {
    let epoch: Int
    let seconds: Double
    let valSeconds: Double
    let steps: Int
    let loss: Double
    let accuracy: Double
    let valLoss: Double
    let valAccuracy: Double
    let weightsSha256: String?
  }

  private func epochs(_ text: String) throws -> [Epoch] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try text.split(separator: "\n").map { try decoder.decode(Epoch.self, from: Data($0.utf8)) }
  }

  @Test(arguments: ["mlp", "cnn"])
  func theSameSeedGivesTheSameWeightsOnAnyNumberOfThreads(_ recipe: String) throws {
    try withTemporaryDirectory { directory in
      let digests = try ["1", "2", "5"].map { threads in
        let outcome = try Command.run(
          "train", recipe, "--data", "sample", "--epochs", "2", "--seed", "3", "--threads", threads, "--json", "-",
          in: directory)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = try epochs(outcome.output)
        #expect(lines.map(\.epoch) == [1, 2])
        #expect(lines.map(\.steps) == [16, 16])
        #expect(lines[0].weightsSha256 == nil)
        #expect(lines[1].loss < lines[0].loss)
        return try #require(lines[1].weightsSha256)
      }
      #expect(Set(digests).count == 1)
      #expect(digests[0].count == 64)
      let other = try Command.run(
        "train", recipe, "--data", "sample", "--epochs", "2", "--seed", "4", "--json", "-", in: directory)
      #expect(try epochs(other.output).last?.weightsSha256 != digests[0])
    }
  }

  @Test func aTrainedModelIsEvaluatedUsedAndShown() throws {
    try withTemporaryDirectory { directory in
      let trained = try Command.run(
        "train", "mlp", "--data", "sample", "--epochs", "3", "--output", "run", "--json", "epochs.jsonl", in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      #expect(trained.output.contains("Epoch 3/3"))
      let log = try String(contentsOf: directory.appendingPathComponent("epochs.jsonl"), encoding: .utf8)
      let last = try #require(try epochs(log).last)

      let evaluated = try Command.run("evaluate", "run", "--data", "sample", "--json", in: directory)
      let numbers = try #require(
        try JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [String: Any])
      #expect(numbers["accuracy"] as? Double == last.valAccuracy)
      #expect(numbers["samples"] as? Int == 128)

      try NPY.write(NDArray(zeros: TensorType(.uint8, [28, 28, 1])), to: directory.appendingPathComponent("one.npy"))
      let predicted = try Command.run("predict", "run", "one.npy", in: directory)
      #expect(predicted.status == 0, "\(predicted.errors)")
      #expect(predicted.output.split(separator: "\t").count == 3)
      _ = try Command.run("predict", "run", "one.npy", "--output", "scores.npy", in: directory)
      let scores = try NPY.read(directory.appendingPathComponent("scores.npy"))
      #expect(scores.type == TensorType(.float32, [1, 10]))
      #expect(abs(scores.elements(as: Double.self).reduce(0, +) - 1) < 1e-5)

      #expect(try Command.run("summary", "run", in: directory).output.contains("101,770"))
    }
  }

  @Test func optionsTakeTheRecipesPlace() throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run(
        "train", "mlp", "--data", "sample", "--epochs", "1", "--batch-size", "50", "--limit", "100",
        "--validation-split", "0.25", "--learning-rate", "0.01", "--json", "-", in: directory)
      let epoch = try #require(try epochs(outcome.output).first)
      #expect(epoch.steps == 2)
      #expect(epoch.valAccuracy * 25 == (epoch.valAccuracy * 25).rounded())
    }
  }

  @Test func theBuiltInRecipesAreListedAndPrinted() throws {
    try withTemporaryDirectory { directory in
      let list = try Command.run("recipes", in: directory)
      #expect(list.output.contains("mlp") && list.output.contains("cnn"))
      let text = try Command.run("recipes", "cnn", in: directory).output
      try Data(text.utf8).write(to: directory.appendingPathComponent("mine.yaml"))
      let summary = try Command.run("summary", "mine.yaml", in: directory)
      #expect(summary.output.contains("54,410"), "\(summary.errors)")
    }
  }

  @Test func aPlanIsExplainedMeasuredAndTraced() throws {
    struct Trace: Decodable {
      struct Event: Decodable {
        let name: String
        let ts: Double
        let dur: Double
      }
      let traceEvents: [Event]
    }
    struct Report: Decodable { let phases: [Phase] }
    struct Phase: Decodable { let kind: String }
    try withTemporaryDirectory { directory in
      let shown = try Command.run(
        "explain", "cnn", "--data", "sample", "--limit", "64", "--runs", "2", "--trace", "step.json", in: directory)
      #expect(shown.status == 0, "\(shown.errors)")
      #expect(shown.output.contains("+ max pool 2×2") && shown.output.contains("Conv2D 'conv2d'"), "\(shown.output)")
      let file = directory.appendingPathComponent("step.json")
      let events = try JSONDecoder().decode(Trace.self, from: Data(contentsOf: file)).traceEvents
      #expect(events.contains { $0.name.hasPrefix("adam") } && events.allSatisfy { $0.ts >= 0 && $0.dur >= 0 })
      let planned = try Command.run(
        "explain", "mlp", "--data", "sample", "--step", "predict", "--runs", "0", "--json", in: directory)
      let report = try JSONDecoder().decode(Report.self, from: Data(planned.output.utf8))
      #expect(report.phases.allSatisfy { ["once", "parts"].contains($0.kind) } && !report.phases.isEmpty)
      let wrong = try Command.run("explain", "mlp", "--step", "sleep", in: directory)
      #expect(wrong.status == 64 && wrong.errors.contains("predict"), "\(wrong.errors)")
    }
  }

  @Test func exitCodesTellUsageFromData() throws {
    try withTemporaryDirectory { directory in
      func check(_ status: Int32, _ expected: String, _ arguments: [String], sourceLocation: SourceLocation) throws {
        let (output, errors) = (directory.appendingPathComponent("out"), directory.appendingPathComponent("err"))
        let process = try Command.start(arguments, in: directory, output: output, errors: errors)
        waitForExit(process)
        let text = try String(contentsOf: errors, encoding: .utf8)
        #expect(process.terminationStatus == status, "\(text)", sourceLocation: sourceLocation)
        #expect(expected.isEmpty || text.contains(expected), "\(text)", sourceLocation: sourceLocation)
      }
      try check(0, "", ["--help"], sourceLocation: #_sourceLocation)
      try check(64, "'mlp'", ["train", "mpl"], sourceLocation: #_sourceLocation)
      try check(64, "--epochs", ["train", "mlp", "--epochs", "0"], sourceLocation: #_sourceLocation)
      try check(64, "--epohcs", ["train", "mlp", "--epohcs", "1"], sourceLocation: #_sourceLocation)
      try check(64, "fashion-mnist", ["data", "fetch", "mnist"], sourceLocation: #_sourceLocation)
      try check(65, "/nowhere", ["train", "mlp", "--data", "/nowhere"], sourceLocation: #_sourceLocation)
      try check(65, "cannot be fetched", ["data", "fetch", "fashion-mnist"], sourceLocation: #_sourceLocation)
      try check(65, "train --output", ["evaluate", "nothing"], sourceLocation: #_sourceLocation)
      let blocked = ["train", "mlp", "--data", "sample", "--output", "out/run"]
      try check(65, "out/run", blocked, sourceLocation: #_sourceLocation)
      try Data("layers: [Flaten]\ndata: {name: fashion-mnist}".utf8)
        .write(to: directory.appendingPathComponent("bad.yaml"))
      try check(65, "bad.yaml:1: there is no layer 'Flaten'", ["train", "bad.yaml"], sourceLocation: #_sourceLocation)
    }
  }

  @Test func aModelThatDoesNotFitItsDataIsNamedWithItsLayer() throws {
    try withTemporaryDirectory { directory in
      let recipe = """
        data: {npz: d.npz}
        layers:
          - Conv2D: {filters: 4, kernel_size: 3}
          - Flatten
          - Dense: {units: 2, activation: softmax}
        compile: {loss: sparse_categorical_crossentropy}
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("flat.yaml"))
      try NPZ.write(
        [
          ("x_train", NDArray(zeros: TensorType(.float32, [4, 28, 28]))),
          ("y_train", NDArray(zeros: TensorType(.int32, [4]))),
        ], to: directory.appendingPathComponent("d.npz"))
      let outcome = try Command.run("train", "flat.yaml", in: directory)
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains("Conv2D"), "\(outcome.errors)")
      #expect(outcome.errors.contains("[28, 28, 1]"), "\(outcome.errors)")
    }
  }

  @Test func anInterruptedTrainingSavesItsModel() throws {
    try withTemporaryDirectory { directory in
      let errors = directory.appendingPathComponent("err")
      let process = try Command.start(
        ["train", "mlp", "--data", "sample", "--epochs", "20000", "--output", "run"], in: directory,
        output: directory.appendingPathComponent("out"), errors: errors)
      // The first epochs tell that the training has begun.
      for _ in 0..<600 where process.isRunning {
        let shown = try String(contentsOf: directory.appendingPathComponent("out"), encoding: .utf8)
        if shown.contains("Epoch 2/") { break }
        usleep(50_000)
      }
      process.interrupt()
      for _ in 0..<600 where process.isRunning { usleep(50_000) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      waitForExit(process)
      #expect(process.terminationStatus == 130)
      #expect(try String(contentsOf: errors, encoding: .utf8).contains("the model is saved in"))
      let evaluated = try Command.run("evaluate", "run", "--data", "sample", in: directory)
      #expect(evaluated.status == 0, "\(evaluated.errors)")
    }
  }

  @Test func aSaveThatFailsLeavesTheEarlierOne() throws {
    try withTemporaryDirectory { directory in
      let first = try Command.run(
        "train", "mlp", "--data", "sample", "--epochs", "1", "--output", "run", in: directory)
      #expect(first.status == 0, "\(first.errors)")
      let weights = directory.appendingPathComponent("run/model/weights.safetensors")
      let before = try SHA256Digest.hex(of: weights)
      // No file may grow beyond 64 KiB, as if the disk were full: the weights take 400 KB.
      let shell = Process()
      shell.executableURL = URL(fileURLWithPath: "/bin/sh")
      let command = "\(Command.executable.path) train mlp --data sample --epochs 1 --seed 9 --output run"
      shell.arguments = ["-c", "trap '' XFSZ; ulimit -f 128; exec \(command)"]
      shell.currentDirectoryURL = directory
      shell.standardOutput = FileHandle.nullDevice
      shell.standardError = FileHandle.nullDevice
      try shell.run()
      waitForExit(shell)
      #expect(shell.terminationStatus == 65)
      #expect(try SHA256Digest.hex(of: weights) == before)
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.appendingPathComponent("run").path)
      #expect(left.sorted() == [".lock", "checkpoints", "model", "recipe.yaml", "training.json"])
    }
  }
}
