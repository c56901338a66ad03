import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

/// What the commands say, to people and to programs.
@Suite struct WordsTests {
  /// Trains a small model on numbers; gives the directory of the run.
  private func train(
    _ layers: String, loss: String, targets: NDArray, metrics: String = "[]", in directory: URL
  ) throws -> Command.Outcome {
    let x = try NDArray((0..<24).map { Float($0 % 7) / 7 - 0.4 }, shape: [8, 3])
    try NPZ.write([("x_train", x), ("y_train", targets)], to: directory.appendingPathComponent("d.npz"))
    try NPY.write(x, to: directory.appendingPathComponent("x.npy"))
    let recipe = """
      data: {npz: d.npz}
      layers: [\(layers)]
      compile: {loss: \(loss), metrics: \(metrics)}
      fit: {epochs: 1}
      """
    try Data(recipe.utf8).write(to: directory.appendingPathComponent("r.yaml"))
    return try Command.run("train", "r.yaml", "--output", "run", "--json", "log.jsonl", in: directory)
  }

  @Test(arguments: [
    ("Dense: {units: 3, activation: softmax}", "sparse_categorical_crossentropy", "class"),
    ("Dense: {units: 3}", "{name: sparse_categorical_crossentropy, from_logits: true}", "class"),
    ("Dense: {units: 3, activation: softmax}", "mse3", "class"), ("Dense: {units: 3}", "mse3", "values"),
    ("Dense: {units: 3, activation: sigmoid}", "mse3", "values"), ("Dense: {units: 1}", "mse", "values"),
    ("Dense: {units: 1, activation: sigmoid}", "binary_crossentropy", "yes"),
    ("Dense: {units: 1}", "{name: binary_crossentropy, from_logits: true}", "yes"),
  ])
  func predictionsSayWhatTheOutputsStandFor(_ layer: String, _ loss: String, _ meaning: String) throws {
    try withTemporaryDirectory { directory in
      let zeros = NDArray([Int32](repeating: 0, count: 8))
      let targets = loss == "mse3" ? NDArray(zeros: TensorType(.float32, [8, 3])) : zeros
      let trained = try train(
        layer, loss: loss == "mse3" ? "mse" : loss, targets: loss == "mse" ? zeros.converted(to: .float32) : targets,
        in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      let outcome = try Command.run("predict", "run", "x.npy", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      _ = try Command.run("predict", "run", "x.npy", "--output", "scores.npy", in: directory)
      let scores = try NPY.read(directory.appendingPathComponent("scores.npy"))
      let (values, width) = (scores.elements(as: Double.self), scores.shape[1])
      let lines = outcome.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
      #expect(lines.count == 8)
      for (sample, line) in lines.enumerated() {
        let row = Array(values[sample * width..<(sample + 1) * width])
        switch meaning {
        case "values": #expect(line.dropFirst().map { Float($0) } == row.map { Float($0) })
        case "class":
          let exponentials = row.map(Foundation.exp)
          let probabilities =
            loss.contains("logits") ? exponentials.map { $0 / exponentials.reduce(0, +) } : row
          let best = try #require(probabilities.indices.max { probabilities[$0] < probabilities[$1] })
          #expect(line[1] == String(best) && abs((Double(line[2]) ?? 0) - probabilities[best]) < 1e-4, "\(line)")
        default:
          let yes = loss.contains("logits") ? 1 / (1 + Foundation.exp(-row[0])) : row[0]
          #expect(line[1] == (yes >= 0.5 ? "1" : "0"))
          #expect(abs((Double(line[2]) ?? 0) - max(yes, 1 - yes)) < 1e-4, "\(line)")
        }
      }
    }
  }

  @Test func labelsThatBreakQuotesGiveJSONThatParses() throws {
    for label in ["a\"b", "back\\slash", "line\nfeed", "{\"x\": 1}", "é", "tab\t", "</script>", "samples", "epoch"] {
      try withTemporaryDirectory { directory in
        let quoted = label.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
          .replacing("\t", with: "\\t")
        let trained = try train(
          "Dense: {units: 1}", loss: "mse", targets: NDArray(zeros: TensorType(.float32, [8])),
          metrics: "[{mae: {label: \"\(quoted)\"}}]", in: directory)
        // A label may be refused; then nothing is written.
        guard trained.status == 0 else {
          #expect(trained.status == 65, "\(trained.errors)")
          return
        }
        let log = try Data(contentsOf: directory.appendingPathComponent("log.jsonl"))
        let epoch = try #require(try JSONSerialization.jsonObject(with: log) as? [String: Any])
        #expect(epoch[label] != nil && epoch["epoch"] as? Int == 1, "\(epoch)")
        let evaluated = try Command.run("evaluate", "run", "--json", in: directory)
        let numbers = try JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [String: Any]
        #expect(numbers?[label] != nil && numbers?["samples"] as? Int == 8, "\(evaluated.output) \(evaluated.errors)")
        for file in ["run/training.json", "run/model/compile.json"] {
          let data = try Data(contentsOf: directory.appendingPathComponent(file))
          #expect(throws: Never.self, "\(file)") { try JSONSerialization.jsonObject(with: data) }
        }
      }
    }
  }

  @Test func mistypedNamesAreAnsweredWithTheNearest() throws {
    try withTemporaryDirectory { directory in
      for (arguments, expected) in [
        (["trian", "cnn"], "there is no command 'trian'. Did you mean 'train'?"),
        (["help", "evalute"], "Did you mean 'evaluate'?"), (["plugin", "instal", "cpu"], "Did you mean 'install'?"),
        (["data", "ftech"], "Did you mean 'fetch'?"), (["xyzzy"], "Known: train,"),
        (["recipes", "mpl"], "Did you mean 'mlp'?"),
        (["data", "fetch", "fashion-mist"], "Did you mean 'fashion-mnist'?"),
        (["plugin", "install", "cudda12"], "Did you mean 'cuda12'?"),
        (["predict", "r", "x.npy", "--batch-size", "-1"], "--batch-size needs at least 1; received -1"),
        (["evaluate", "r", "--limit", "-1"], "--limit needs at least 1; received -1"),
        (["compare", "a", "b", "--seconds", "-1e-3"], "--seconds needs a number above 0"),
      ] {
        let outcome = try Command.run(arguments: arguments, in: directory)
        #expect(outcome.status == 64 && outcome.errors.contains(expected), "\(arguments): \(outcome.errors)")
      }
      #expect(try Command.run("help", "train", in: directory).output.contains("--epochs"))
      #expect(try Command.run("help", in: directory).status == 0)
      let version = try Command.run("--version", in: directory)
      #expect(version.status == 0 && version.output == "\(accelerandoVersion)\n")
    }
  }

  @Test func aRunStandsForItsRecipeWhereThatMakesSense() throws {
    try withTemporaryDirectory { directory in
      let trained = try train(
        "Dense: {units: 1}", loss: "mse", targets: NDArray(zeros: TensorType(.float32, [8])), in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      let exported = try Command.run("export", "run", "--step", "predict", "--stablehlo", "-", in: directory)
      #expect(exported.output.hasPrefix("module") && exported.output.contains("3x1xf32"), "\(exported.errors)")
      let again = try Command.run("train", "run", in: directory)
      #expect(again.status == 0, "a trained model goes on: \(again.errors)")
    }
  }

  @Test func evaluationTakesDataOfAnyName() throws {
    try withTemporaryDirectory { directory in
      let trained = try train(
        "Dense: {units: 1}", loss: "mse", targets: NDArray(zeros: TensorType(.float32, [8])), in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      let x = NDArray(zeros: TensorType(.float32, [5, 3]))
      try NPZ.write(
        [("x_test", x), ("y_test", NDArray(zeros: TensorType(.float32, [5]))), ("other", x)],
        to: directory.appendingPathComponent("new.npz"))
      let outcome = try Command.run("evaluate", "run", "--data", "new.npz", in: directory)
      #expect(outcome.status == 0 && outcome.output.hasPrefix("5 samples"), "\(outcome.errors)")
      #expect(outcome.errors.contains("not used: other"), "\(outcome.errors)")
    }
  }

  @Test func pipesAreRead() throws {
    try withTemporaryDirectory { directory in
      let trained = try Command.shell(
        "$A train <($A recipes mlp) --data sample --limit 64 --epochs 1 --output run", in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      // Relative paths in a recipe that comes from a pipe begin in the working directory.
      _ = try train("Dense: {units: 1}", loss: "mse", targets: NDArray(zeros: TensorType(.float32, [8])), in: directory)
      let piped = try Command.shell("cat r.yaml | $A train /dev/stdin", in: directory)
      #expect(piped.status == 0, "\(piped.errors)")
      try FileManager.default.removeItem(at: directory.appendingPathComponent("run"))
      #expect(
        try Command.shell("$A train mlp --data sample --limit 64 --epochs 1 --output run", in: directory).status == 0)
      try NPY.write(
        NDArray(zeros: TensorType(.uint8, [3, 28, 28, 1])), to: directory.appendingPathComponent("x.npy"))
      let predicted = try Command.shell("mkfifo f; cat x.npy >f & $A predict run f", in: directory)
      #expect(predicted.output.split(separator: "\n").count == 3, "\(predicted.errors)")
      let nobody = try Command.shell("$A predict run f", in: directory)
      #expect(nobody.status == 65 && nobody.errors.contains("no program writes into the pipe"), "\(nobody.errors)")
    }
  }

  @Test func dataThatBecomeShorterWhileTheyAreUsedAreSaidToHave() throws {
    try withTemporaryDirectory { directory in
      let x = NDArray(zeros: TensorType(.float32, [100_000, 4]))
      try NPY.write(x, to: directory.appendingPathComponent("x.npy"))
      try NPY.write(NDArray(zeros: TensorType(.float32, [100_000])), to: directory.appendingPathComponent("y.npy"))
      let recipe = """
        data: {inputs: x.npy, targets: y.npy}
        layers: [Dense: {units: 1}]
        compile: {loss: mse}
        fit: {epochs: 100000, shuffle: false}
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("r.yaml"))
      let line = """
        $A train r.yaml >out 2>err & job=$!
        for i in $(seq 1200); do grep -q 'Epoch 1/' out && break; sleep 0.05; done
        : >x.npy
        wait $job; status=$?; cat err >&2; exit $status
        """
      let outcome = try Command.shell(line, in: directory)
      #expect(
        outcome.status == 65 && outcome.errors.contains("became shorter while it was in use"), "\(outcome.errors)")
    }
  }
}
