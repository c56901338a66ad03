// A recipe of a graph with several inputs and outputs, through every command that takes one.

import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@Suite struct GraphCommandTests {
  /// The recipe that comes with the examples, and its data.
  private static let examples = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Examples/Recipes").standardized

  private func withExample(_ body: (URL) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      for name in ["leaves.yaml", "leaves.npz"] {
        try FileManager.default.copyItem(
          at: Self.examples.appending(path: name), to: directory.appending(path: name))
      }
      try body(directory)
    }
  }

  private func object(_ outcome: Command.Outcome) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome.errors)")
  }

  @Test func theExampleTrainsEvaluatesPredictsResumesAndGoesOn() throws {
    try withExample { directory in
      let trained = try Command.run(
        "train", "leaves.yaml", "--epochs", "3", "--output", "run", "--json", "-", in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      #expect(trained.output.contains("\"kind_loss\"") && trained.output.contains("\"val_height_mean_absolute_error\""))

      let measured = try object(try Command.run("evaluate", "run", "--json", in: directory))
      #expect(measured["samples"] as? Int == 80)
      let names = ["loss", "kind_loss", "height_loss", "kind_accuracy", "height_mean_absolute_error"]
      for name in names { #expect(measured[name] is Double, "\(name)") }
      let sum = (measured["kind_loss"] as? Double ?? 0) + 0.5 * (measured["height_loss"] as? Double ?? 0)
      #expect(abs((measured["loss"] as? Double ?? 0) - sum) < 1e-5 * max(sum, 1))

      let words = try Command.run("predict", "run", "leaves.npz", "--limit", "2", in: directory)
      let lines = words.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
      #expect(lines.count == 2, "\(words.errors)")
      #expect(lines.map(\.count) == [6, 6] && lines[1][0] == "1" && lines[1][1] == "kind" && lines[1][4] == "height")

      let written = try Command.run("predict", "run", "leaves.npz", "--output", "p.npz", in: directory)
      #expect(written.status == 0 && written.errors.contains("kind float32[80, 3]"), "\(written.errors)")
      let arrays = try NPZ.read(directory.appending(path: "p.npz"))
      #expect(arrays.map(\.name) == ["kind", "height"] && arrays.map(\.value.shape) == [[80, 3], [80, 1]])
      let piped = try Command.shell("$A predict run leaves.npz --output - > q.npz", in: directory)
      #expect(piped.status == 0, "\(piped.errors)")
      #expect(try NPZ.read(directory.appending(path: "q.npz")).map(\.value) == arrays.map(\.value))

      let more = try Command.run("train", "run", "--epochs", "4", "--output", "more", in: directory)
      #expect(more.status == 0, "\(more.errors)")
      let better = try object(try Command.run("evaluate", "more", "--json", in: directory))
      #expect(try #require(better["loss"] as? Double) < sum)

      // What is done in two runs has the weights of what is done in one.
      func digest(_ name: String) throws -> String {
        let text = try String(contentsOf: directory.appending(path: "\(name)/training.json"), encoding: .utf8)
        return try #require(text.firstMatch(of: /"weights_sha256": "(\w+)"/)).output.1.description
      }
      let whole = try Command.run("train", "leaves.yaml", "--epochs", "5", "--output", "whole", in: directory)
      let rest = try Command.run("train", "--resume", "run", "--epochs", "5", in: directory)
      #expect(whole.status == 0 && rest.status == 0, "\(whole.errors) \(rest.errors)")
      #expect(try digest("run") == digest("whole"))
    }
  }

  @Test func theExampleIsPrunedAndCompared() throws {
    try withExample { directory in
      let trained = try Command.run("train", "leaves.yaml", "--epochs", "2", "--output", "run", in: directory)
      #expect(trained.status == 0, "\(trained.errors)")
      for method in ["magnitude", "filters"] {
        let pruned = try Command.run(
          "prune", "run", "--method", method, "--epochs", "2", "--output", method, in: directory)
        #expect(pruned.status == 0, "\(method): \(pruned.errors)")
        let compared = try Command.run("compare", "run", method, "--seconds", "0.01", in: directory)
        #expect(compared.status == 0 && compared.output.contains("kind_accuracy: "), "\(method): \(compared.errors)")
      }
      // The bodies of the residual blocks may become thinner; what is added keeps its place.
      let summary = try Command.run("summary", "filters", in: directory)
      #expect(summary.output.contains("  conv2d (Conv2D)"), "\(summary.output)\(summary.errors)")
    }
  }

  @Test func theSummaryOpensBlocksAndSaysWhatIsRead() throws {
    try withExample { directory in
      let outcome = try Command.run("summary", "leaves.yaml", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let lines = outcome.output.split(separator: "\n").map(String.init)
      let table = lines.filter { "┏┃┡│├└".contains($0.first ?? " ") }
      #expect(Set(table.map(\.count)).count == 1, "the table lines up:\n\(outcome.output)")
      func row(_ name: String) -> String { table.first { $0.contains(name) } ?? "no \(name)" }
      #expect(row("picture (Input)").contains("(None, 12, 12, 1)"))
      #expect(row("both (Concatenate)").contains("seen, measured"))
      #expect(row("│   add (Add)").contains("input, change"), "blocks are indented")
      #expect(row("height (Dense)").contains("│ both "), "\(row("height (Dense)"))")

      let json = try object(try Command.run("summary", "leaves.yaml", "--json", in: directory))
      let layers = try #require(json["layers"] as? [[String: Any]])
      #expect(json["is_chain"] as? Bool == false)
      let block = try #require(layers.first { $0["name"] as? String == "residual" })
      let inner = try #require(block["layers"] as? [[String: Any]])
      #expect(inner.count == 4 && inner[2]["reads"] as? [String] == ["input", "change"])
      let counts = inner.compactMap { $0["parameters"] as? Int }
      #expect(counts.reduce(0, +) == block["parameters"] as? Int)
      #expect((json["inputs"] as? [[String: Any]])?.map { $0["name"] as? String } == ["picture", "measures"])
    }
  }

  @Test func layersInBlocksAreFrozenAndGiveTheirWeightsByTheirPath() throws {
    try withExample { directory in
      let text = try String(contentsOf: directory.appending(path: "leaves.yaml"), encoding: .utf8)
      func train(_ name: String, _ more: String, _ arguments: String...) throws -> Command.Outcome {
        try
          (more
          + text.replacing(
            "  loss_weights:", with: "  groups: [{match: [residual], trainable: false}]\n  loss_weights:"))
          .write(to: directory.appending(path: "\(name).yaml"), atomically: true, encoding: .utf8)
        return try Command.run(arguments: ["train", "\(name).yaml", "--epochs", "1"] + arguments, in: directory)
      }
      let first = try train("first", "", "--output", "first")
      #expect(first.status == 0, "\(first.errors)")
      let summary = try Command.run("summary", "first", in: directory)
      #expect(summary.output.contains("Non-trainable params: 1,168 "), "\(summary.output)\(summary.errors)")
      let second = try train("second", "weights: {from: first, layers: [residual_1.change, stem]}\n")
      #expect(second.status == 0 && second.errors.contains("4 parameters have the values of"), "\(second.errors)")
    }
  }

  @Test func longNamesAreCutAndTheTableStillLinesUp() throws {
    try withTemporaryDirectory { directory in
      let name = "a" + String(repeating: "very_", count: 30) + "long_name"
      let text = """
        data: {name: fashion-mnist-sample}
        layers:
          - Flatten
          - Dense: {units: 10, name: \(name)}
          - Add: {from: [\(name), \(name), \(name), \(name), \(name)]}
        compile: {optimizer: sgd, loss: mse}
        """
      try text.write(to: directory.appending(path: "a.yaml"), atomically: true, encoding: .utf8)
      let outcome = try Command.run("summary", "a.yaml", in: directory)
      let table = outcome.output.split(separator: "\n").filter { "┏┃┡│├└".contains($0.first ?? " ") }
      #expect(
        Set(table.map(\.count)).count == 1 && table.allSatisfy { $0.count < 240 }, "\(outcome.output)\(outcome.errors)")
      #expect(outcome.output.contains("avery_very_very_…") && outcome.output.contains("long_name (Dense)"))
      #expect(outcome.output.contains(", +2"))
    }
  }

  @Test func mistakesAreAnsweredWithFileLineAndLayer() throws {
    try withExample { directory in
      func edit(_ old: String, _ new: String) throws -> Command.Outcome {
        let text = try String(contentsOf: directory.appending(path: "leaves.yaml"), encoding: .utf8)
        #expect(text.contains(old))
        try text.replacing(old, with: new).write(
          to: directory.appending(path: "b.yaml"), atomically: true, encoding: .utf8)
        return try Command.run("train", "b.yaml", "--epochs", "1", in: directory)
      }
      let shape = try edit("residual: {filters: 8,", "residual: {filters: 9,")
      #expect(shape.status == 65 && shape.errors.contains("b.yaml:16: Functional 'b' › "), "\(shape.errors)")
      #expect(shape.errors.contains("Used at b.yaml:22."), "\(shape.errors)")
      let name = try edit("[seen, measured]", "[seen, mesured]")
      #expect(name.status == 65 && name.errors.contains("b.yaml:27: 'from' names 'mesured'"), "\(name.errors)")
      let labels = try edit("height: [mean", "hight: [mean")
      #expect(labels.status == 65 && labels.errors.contains("Did you mean 'height'?"), "\(labels.errors)")
      let data = try edit("measures: [3]", "sizes: [3]").errors + edit("[12, 12, 1]", "[10, 10, 1]").errors
      #expect(data.contains("names 'measures'"), "\(data)")
      #expect(
        data.contains(
          "b.yaml:7: the input 'picture' is declared with samples of shape [10, 10, 1]; the data have samples of shape [12, 12, 1]"
        ), "\(data)")
      let input = try edit("measures: [3]", "measures: [3]\n  unread: [2]")
      #expect(input.errors.contains("b.yaml:9: no layer reads the input 'unread'"), "\(input.errors)")
      let renamed = try Command.shell(
        "sed 's/measures/sizes/g' leaves.yaml > c.yaml; $A train c.yaml --epochs 1", in: directory)
      #expect(renamed.status == 65 && renamed.errors.contains("x_test_sizes"), "\(renamed.errors)")
    }
  }
}
