import Foundation
import Testing

@Suite struct PruneTests {
  private struct Report: Decodable {
    struct Sparsity: Decodable {
      struct Row: Decodable {
        let parameter: String
        let count: Int
        let kept: Int
        let prunable: Bool
      }
      let rows: [Row]
    }
    struct Side: Decodable {
      let metrics: [String: Double]
      let parameters: Int
      let nonzero: Int
      let bytes: Int
      let gzipBytes: Int
      let sparseGzipBytes: Int
      let latency: Double
      let throughput: Double
    }
    struct Layer: Decodable {
      let layer: String
      let dense: Double
      let fastest: String
    }
    struct Verdict: Decodable {
      let before: Side
      let after: Side
      let layers: [Layer]
      let findings: [String]
    }
    let sparsity: Sparsity
    let verdict: Verdict
    let advice: String?
    let weightsSHA256: String
    enum CodingKeys: String, CodingKey { case sparsity, verdict, advice, weightsSHA256 = "weights_sha256" }
  }

  private func report(_ arguments: String..., in directory: URL) throws -> Report {
    let all = ["prune"] + arguments + ["--data", "sample", "--json"]
    let outcome = try Command.run(arguments: all, in: directory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
  }

  @Test func aRecipeIsTrainedPrunedAndJudged() throws {
    try withTemporaryDirectory { directory in
      let report = try report(
        "cnn", "--sparsity", "0.5..0.9", "--competition", "lamp", "--train-epochs", "2", "--epochs", "2", "--frequency",
        "4", "--output", "small", "--sparse",
        in: directory)
      #expect(report.advice == nil)
      let kept = Dictionary(uniqueKeysWithValues: report.sparsity.rows.map { ($0.parameter, $0.kept) })
      // A tenth of all; the small layer keeps most of its own.
      #expect((kept["layers.1.weight"] ?? 0) + (kept["layers.4.weight"] ?? 0) == 5437)
      #expect((kept["layers.1.weight"] ?? 0) > 144)
      let (before, after) = (report.verdict.before, report.verdict.after)
      #expect(before.parameters == 54_410 && after.parameters == 54_410 && after.nonzero < 5_500)
      #expect(after.gzipBytes * 4 < before.gzipBytes)
      #expect(after.sparseGzipBytes < after.gzipBytes)
      #expect(before.metrics["accuracy"] != nil && after.latency > 0 && after.throughput > 0)
      #expect(report.verdict.layers.map(\.layer) == ["conv2d", "dense"])
      #expect(report.verdict.findings.contains { $0.hasPrefix("Size: ") })
      // What was saved is a model like any other, and can be pruned further.
      let evaluated = try Command.run("evaluate", "small", "--data", "sample", "--json", in: directory)
      let numbers = try JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [String: Any]
      #expect(abs((numbers?["accuracy"] as? Double ?? 0) - (after.metrics["accuracy"] ?? 1)) < 1e-6)
      // A report of it says what pruning gained.
      let page = try Command.run("report", "small", "--files-only", "--output", "-", in: directory).output
      #expect(page.contains("id=\"compression\"") && page.contains("Size: "), "\(page.prefix(200))")
      let explained = try Command.run(
        "explain", "small", "--data", "sample", "--step", "predict", "--batch-size", "1", "--runs", "2", in: directory)
      #expect(explained.status == 0 && explained.output.contains("zeros of [5408, 10]"), "\(explained)")
      let again = try self.report(
        "small", "--method", "filters", "--sparsity", "0.5", "--epochs", "1", in: directory)
      #expect(again.verdict.after.parameters == 9 * 16 + 16 + 169 * 16 * 10 + 10)
    }
  }

  @Test func layersThatDoNotCompeteGetTheSparsityEach() throws {
    try withTemporaryDirectory { directory in
      let report = try report(
        "cnn", "--sparsity", "0.5", "--schedule", "constant", "--train-epochs", "1", "--epochs", "1", "--frequency",
        "4",
        in: directory)
      let kept = Dictionary(uniqueKeysWithValues: report.sparsity.rows.map { ($0.parameter, $0.kept) })
      #expect(kept["layers.1.weight"] == 144 && kept["layers.4.weight"] == 27_040)
    }
  }

  @Test func aSmallLayerThatGaveUpAsMuchAsALargeOneIsNamedWhereAccuracyWasLost() throws {
    try withTemporaryDirectory { directory in
      let report = try report(
        "cnn", "--sparsity", "0.97", "--schedule", "constant", "--train-epochs", "3", "--epochs", "1", "--frequency",
        "4",
        in: directory)
      #expect(report.advice?.contains("layers.1.weight has 9 of its 288 weights left") ?? false)
    }
  }

  @Test func filtersThatBecomeZeroGraduallyAreTakenOutAtTheEnd() throws {
    try withTemporaryDirectory { directory in
      let report = try report(
        "mlp", "--method", "filters", "--gradual", "--sparsity", "0.2..0.5", "--train-epochs", "1", "--epochs", "2",
        "--frequency", "4",
        in: directory)
      #expect(report.verdict.after.parameters == 784 * 64 + 64 + 64 * 10 + 10)
    }
  }

  @Test func theLearningRateFallsOnlyWhereItWasANumber() throws {
    try withTemporaryDirectory { directory in
      func weights(_ decay: String) throws -> String {
        try report("mlp", "--train-epochs", "1", "--epochs", "1", "--frequency", "4", "--decay", decay, in: directory)
          .weightsSHA256
      }
      let ends = try ["none", "linear", "cosine"].map(weights)
      #expect(Set(ends).count == 3)
      #expect(try weights("linear") == ends[1])

      let recipe = """
        data: {name: fashion-mnist}
        layers: [Flatten, Dense: {units: 20, activation: relu}, Dense: {units: 10, activation: softmax}]
        compile:
          optimizer:
            name: adam
            learning_rate: {name: cosine_decay, initial_learning_rate: 0.01, decay_steps: 9}
          loss: sparse_categorical_crossentropy
          metrics: [accuracy]
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      func outcome(_ more: [String]) throws -> Command.Outcome {
        try Command.run(
          arguments: [
            "prune", "own.yaml", "--data", "sample", "--train-epochs", "1", "--epochs", "1", "--frequency", "4",
          ]
            + more, in: directory)
      }
      let refused = try outcome(["--decay", "linear"])
      #expect(refused.status != 0 && refused.errors.contains("the recipe has a schedule"), "\(refused.errors)")
      #expect(!refused.output.contains("Epoch 1"))
      #expect(try outcome(["--decay", "linear", "--learning-rate", "0.01"]).status == 0)
    }
  }

  /// Killed in either training, when so many checkpoints of it have been written.
  @Test(arguments: [("killed/dense/checkpoints", 1), ("killed/dense/checkpoints", 4), ("killed/checkpoints", 2)])
  func aRunThatIsKilledGoesOnToTheSameWeights(in place: String, after count: Int) throws {
    try withTemporaryDirectory { directory in
      let arguments = [
        "cnn", "--sparsity", "0.3..0.8", "--train-epochs", "5", "--epochs", "5", "--frequency", "5",
        "--checkpoint-every", "7", "--data", "sample", "--json",
      ]
      let whole = try Command.run(arguments: ["prune"] + arguments + ["--output", "whole"], in: directory)
      let process = try Command.start(
        ["prune"] + arguments + ["--output", "killed"], in: directory, output: directory.appendingPathComponent("out"),
        errors: directory.appendingPathComponent("err"))
      let checkpoints = directory.appendingPathComponent(place).path
      let deadline = ContinuousClock.now + .seconds(60)
      while process.isRunning,
        (try? FileManager.default.contentsOfDirectory(atPath: checkpoints).count { $0.hasPrefix("checkpoint-") }) ?? 0
          < min(count, 3)
      {
        try #require(ContinuousClock.now < deadline)
        usleep(1_000)
      }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      let resumed = try Command.run("prune", "--resume", "killed", in: directory)
      #expect(whole.status == 0 && resumed.status == 0, "\(whole.errors) \(resumed.errors)")
      let reports = try [whole, resumed].map { try JSONDecoder().decode(Report.self, from: Data($0.output.utf8)) }
      #expect(reports[0].weightsSHA256 == reports[1].weightsSHA256)
    }
  }

  @Test func theRecipesCallbacksRunInBothTrainingsAndTheirFilesLieUnderTheOutput() throws {
    try withTemporaryDirectory { directory in
      let recipe = """
        data: {name: fashion-mnist}
        layers: [Flatten, Dense: {units: 10, activation: softmax}]
        compile: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
        fit: {epochs: 2}
        callbacks: [{CSVLogger: {filename: log.csv}}, {ModelCheckpoint: {filepath: "best-{val_loss:.4f}", save_weights_only: true}}]
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      let outcome = try Command.run(
        "prune", "own.yaml", "--data", "sample", "--limit", "64", "--epochs", "3", "--output", "small", "--seed", "4",
        "--validation-split", "0.25", "--precision", "mixed_bfloat16", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      // Six steps are too few for masks every hundred.
      #expect(outcome.errors.contains("Masks are computed every 1 steps, since there are 6"), "\(outcome.errors)")
      for (place, epochs) in [("small/dense", 2), ("small", 3)] {
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.appendingPathComponent(place).path)
        #expect(files.count { $0.hasPrefix("best-") } == epochs, "\(files)")
        let log = try String(contentsOf: directory.appendingPathComponent("\(place)/log.csv"), encoding: .utf8)
        #expect(log.split(separator: "\n").count == epochs + 1)
      }
      #expect(!FileManager.default.fileExists(atPath: directory.path + "/log.csv"))
      let record = try String(contentsOf: directory.appendingPathComponent("small/training.json"), encoding: .utf8)
      #expect(record.contains("\"seed\": \"4\"") && record.contains("val_loss"))
      let compiled = try String(
        contentsOf: directory.appendingPathComponent("small/model/compile.json"), encoding: .utf8)
      #expect(compiled.contains("mixed_bfloat16"))
    }
  }

  @Test func aCallbackThatPruningCannotHaveIsRefusedBeforeTheFirstTraining() throws {
    try withTemporaryDirectory { directory in
      let recipe = """
        data: {name: fashion-mnist}
        layers: [Flatten, Dense: {units: 10, activation: softmax}]
        compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
        callbacks: [{ReduceLROnPlateau: {patience: 2}}]
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      let outcome = try Command.run(
        "prune", "own.yaml", "--data", "sample", "--limit", "64", "--decay", "linear", in: directory)
      #expect(outcome.status == 65 && outcome.errors.contains("ReduceLROnPlateau sets the learning rate"))
      #expect(!outcome.output.contains("Epoch 1"))
    }
  }

  @Test(arguments: [
    (["--sparsity", "1"], "below 1; received 1"),
    (
      ["--schedule", "constant", "--epochs", "1", "--frequency", "100", "--begin", "100"],
      "first masks in step 100; this run has 16 steps"
    ),
    (["--epochs", "9223372036854775807"], "received 9223372036854775807"),
    (["--begin", "9223372036854775807"], "received 9223372036854775807"),
    (["--method", "n:m"], "which 4 does not divide"),
    (["--method", "block"], "do not fit 'layers.1.weight'"),
    (["--layers", "Flatten"], "'Flatten' has nothing to prune"),
    (["--gradual"], "--gradual is for --method filters"),
    (["--schedule", "constant", "--sparsity", "0.1..0.5"], "--schedule constant has one sparsity"),
  ])
  func whatCannotBePrunedIsSaidBeforeAnyTraining(_ arguments: [String], _ complaint: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run(arguments: ["prune", "cnn", "--data", "sample"] + arguments, in: directory)
      #expect(outcome.status != 0)
      #expect(outcome.errors.contains(complaint), "\(outcome.errors)")
      #expect(!outcome.output.contains("Epoch 1"))
    }
  }
}
