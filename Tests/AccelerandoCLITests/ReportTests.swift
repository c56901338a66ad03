import Foundation
import Testing

/// Pages and plots of runs.
@Suite struct ReportTests {
  @Test func aPageShowsTheCurvesOfAllRunsAndHowTheirRecipesDiffer() throws {
    try withTemporaryDirectory { directory in
      let recipe = try Command.run("recipes", "mlp", in: directory).output
      for (name, units) in [("first", "128"), ("a <b>&", "32")] {
        try Data(recipe.replacingOccurrences(of: "units: 128", with: "units: \(units)").utf8)
          .write(to: directory.appendingPathComponent("recipe.yaml"))
        let trained = try Command.run(
          "train", "recipe.yaml", "--data", "sample", "--limit", "64", "--epochs", "2", "--output", name, in: directory)
        #expect(trained.status == 0, "\(trained.errors)")
      }
      let outcome = try Command.run("report", "first", "a <b>&", "--output", "page.html", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let page = try String(contentsOf: directory.appendingPathComponent("page.html"), encoding: .utf8)
      #expect(page.contains("<ins>+  - Dense: {units: 32, activation: relu}"))
      #expect(page.contains("a &lt;b&gt;&amp;, validation") && !page.contains("<b>&"))
      let piped = try Command.run("report", "first", "a <b>&", "--output", "-", in: directory)
      #expect(piped.output == page)
      let plot = try Command.run("plot", "first", in: directory)
      #expect(plot.status == 0 && plot.output.contains("* training") && plot.output.contains("o validation"))
      let isPlain = plot.output.allSatisfy { $0.isASCII }
      #expect(isPlain, "\(plot.output)")
    }
  }

  @Test func aPageShowsWhatAModelLearnedAndWhatInspectionSaw() throws {
    try withTemporaryDirectory { directory in
      let trained = try Command.run(
        "train", "mlp", "--data", "sample", "--limit", "64", "--epochs", "2", "--inspect", "--plot", "--output", "run",
        in: directory)
      #expect(trained.status == 0 && trained.output.contains("* training"), "\(trained.errors)")
      #expect(trained.output.contains("norm of all gradients"))
      let outcome = try Command.run(
        "report", "run", "--data", "sample", "--limit", "64", "--output", "-", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      for id in [
        "curves", "confusion", "classes", "calibration", "worst", "inspection", "weights", "gradients", "times",
      ] {
        #expect(outcome.output.contains("<section id=\"\(id)\""), "\(id)")
      }
      #expect(outcome.output.components(separatedBy: "data:image/png;base64,").count == 25)
      #expect(outcome.output.contains("T-shirt"))
      // Without the data, the page has the rest and says why.
      let alone = try Command.run("report", "run", "--data", "nowhere", "--output", "-", in: directory)
      #expect(
        alone.status == 0 && alone.output.contains("Without an evaluation") && alone.output.contains("id=\"weights\""))
      #expect(!alone.output.contains("id=\"confusion\""))
      let plain = try Command.run("report", "run", "--files-only", "--output", "-", in: directory)
      #expect(plain.status == 0 && !plain.output.contains("Without an evaluation"))
      // Looking on does not change what is trained.
      let other = try Command.run(
        "train", "mlp", "--data", "sample", "--limit", "64", "--epochs", "2", "--output", "other", in: directory)
      #expect(other.status == 0)
      let weights = try ["run", "other"].map {
        try Data(contentsOf: directory.appendingPathComponent("\($0)/model/weights.safetensors"))
      }
      #expect(weights[0] == weights[1])
    }
  }

  @Test func whatIsNoRunIsRefusedBeforeAnythingIsWritten() throws {
    try withTemporaryDirectory { directory in
      try Data("x".utf8).write(to: directory.appendingPathComponent("file"))
      let damaged = directory.appendingPathComponent("damaged")
      try FileManager.default.createDirectory(at: damaged, withIntermediateDirectories: true)
      try Data("layers:\n".utf8).write(to: damaged.appendingPathComponent("recipe.yaml"))
      try Data("{\"recipe\": \"x\",\n \"seed\": 3}".utf8).write(to: damaged.appendingPathComponent("training.json"))
      for (name, words) in [
        ("nowhere", "does not exist"), (".", "is not the directory of a finished run"),
        ("file", "is a file and not the directory of a run"),
        ("damaged", "training.json, line 2: needs a text as 'seed'"),
      ] {
        for command in [["report", name, "--output", "page.html"], ["plot", name]] {
          let outcome = try Command.run(arguments: command, in: directory)
          #expect(outcome.status == 65 && outcome.errors.contains(words), "\(command): \(outcome.errors)")
        }
      }
      #expect(!FileManager.default.fileExists(atPath: directory.appendingPathComponent("page.html").path))
      #expect(try Command.run("report", "--output", "page.html", in: directory).status == 64)
    }
  }
}
