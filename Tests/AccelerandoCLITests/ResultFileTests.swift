import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

/// What `evaluate` and `predict` write: files with all that is known of each sample.
@Suite struct ResultFileTests {
  /// A recipe on arrays in an NPZ file, trained a little.
  private func train(
    _ layers: String, loss: String, metrics: String = "", x: NDArray, y: NDArray, in directory: URL
  ) throws {
    try NPZ.write([("x_train", x), ("y_train", y)], to: directory.appendingPathComponent("data.npz"))
    let recipe = """
      data: {npz: data.npz}
      layers: [\(layers)]
      compile: {optimizer: {name: adam, learning_rate: 0.05}, loss: \(loss)\(metrics)}
      fit: {epochs: 20, batch_size: 8}
      """
    try Data(recipe.utf8).write(to: directory.appendingPathComponent("recipe.yaml"))
    let outcome = try Command.run("train", "recipe.yaml", "--output", "run", in: directory)
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
  }

  private func lines(_ name: String, in directory: URL) throws -> [[String]] {
    try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
  }

  /// Points around three corners, by class.
  private func points() throws -> (x: NDArray, y: NDArray) {
    let corners: [(Float, Float)] = [(0, 0), (1, 0), (0, 1)]
    var (x, y) = ([Float](), [Int32]())
    for index in 0..<60 {
      let corner = corners[index % 3]
      let shift = Float(index % 7) * 0.05 - 0.15
      x += [corner.0 + shift, corner.1 - shift]
      y.append(Int32(index % 3))
    }
    return (try NDArray(x, shape: [60, 2]), NDArray(y))
  }

  @Test func classes() throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try points()
      try train(
        "Dense: {units: 3, activation: softmax}", loss: "sparse_categorical_crossentropy",
        metrics: ", metrics: [accuracy]",
        x: x, y: y, in: directory)
      let evaluated = try Command.run(
        "evaluate", "run", "--json", "--output", "rows.csv", "--worst", "3", in: directory)
      #expect(evaluated.status == 0, "\(evaluated.errors)")
      let found = try object(evaluated.output)
      let output = try #require((found["outputs"] as? [[String: Any]])?.first)
      #expect(output["accuracy"] as? Double == found["accuracy"] as? Double)
      let matrix = try #require(output["confusion_matrix"] as? [[Int]])
      #expect(matrix.map { $0.reduce(0, +) } == [20, 20, 20])
      let worst = try #require(found["worst_samples"] as? [[String: Any]]).compactMap { $0["loss"] as? Double }
      #expect(worst.count == 3 && worst == worst.sorted(by: >))
      let rows = try lines("rows.csv", in: directory)
      #expect(
        rows[0] == [
          "id", "truth", "class", "probability", "probabilities_0", "probabilities_1", "probabilities_2", "loss",
        ])
      #expect(rows.count == 61)
      // The matrix, the losses and the mean of the losses follow from the rows.
      #expect(rows.dropFirst().count { $0[1] == "0" && $0[2] == "0" } == matrix[0][0])
      let losses = rows.dropFirst().compactMap { Double($0[7]) }
      #expect(abs(losses.reduce(0, +) / 60 - (found["loss"] as? Double ?? 0)) < 1e-4)
      #expect(abs((losses.max() ?? 0) - worst[0]) < 1e-9)
      for row in rows.dropFirst() {
        let (truth, loss) = (try #require(Int(row[1])), try #require(Double(row[7])))
        #expect(abs(-log(try #require(Double(row[4 + truth]))) - loss) < 1e-4)
      }

      try NPY.write(x, to: directory.appendingPathComponent("x.npy"))
      #expect(try Command.run("predict", "run", "x.npy", "--output", "p.csv", in: directory).status == 0)
      #expect(try Command.run("predict", "run", "x.npy", "--output", "p.json", in: directory).status == 0)
      let predicted = try lines("p.csv", in: directory)
      #expect(predicted.map { Array($0[1...]) } == rows.map { Array($0[2..<7]) })
      let json =
        try JSONSerialization.jsonObject(with: Data(contentsOf: directory.appendingPathComponent("p.json")))
        as? [[String: Any]]
      #expect(json?.count == 60 && (json?[0]["probabilities"] as? [String: Double])?.count == 3)
      // The terminal shows the same.
      let text = try Command.run("evaluate", "run", in: directory).output
      #expect(text.contains("Confusion matrix") && text.contains("macro average") && text.contains("Calibration"))
    }
  }

  @Test func decisionsAndLabels() throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try points()
      let isFirst = y.elements(as: Int32.self).map { Float($0 == 0 ? 1 : 0) }
      try train(
        "Dense: {units: 1}", loss: "{name: binary_crossentropy, from_logits: true}", x: x,
        y: try NDArray(isFirst, shape: [60, 1]), in: directory)
      var output = try #require(
        (try object(Command.run("evaluate", "run", "--json", in: directory).output)["outputs"] as? [[String: Any]])?
          .first)
      #expect(output["classes"] as? [String] == ["0", "1"])
      #expect((output["confusion_matrix"] as? [[Int]])?.map { $0.reduce(0, +) } == [40, 20])

      let both = zip(isFirst, y.elements(as: Int32.self)).flatMap { [$0, $1 > 0 ? 1 : 0] as [Float] }
      try train(
        "Dense: {units: 2, activation: sigmoid}", loss: "binary_crossentropy", x: x,
        y: try NDArray(both, shape: [60, 2]),
        in: directory)
      output = try #require(
        (try object(Command.run("evaluate", "run", "--json", in: directory).output)["outputs"] as? [[String: Any]])?
          .first)
      #expect(output["kind"] as? String == "labels")
      #expect((output["per_class"] as? [[String: Any]])?.compactMap { $0["support"] as? Int } == [20, 40])
    }
  }

  @Test func quantities() throws {
    try withTemporaryDirectory { directory in
      let values = (0..<40).map { Float($0) / 40 }
      var targets = values.map { 3 * $0 }
      targets[7] += 5
      let (x, y) = (try NDArray(values, shape: [40, 1]), try NDArray(targets, shape: [40, 1]))
      try train(
        "Dense: {units: 1}", loss: "mean_squared_error", metrics: ", metrics: [mean_absolute_error]", x: x, y: y,
        in: directory)
      let outcome = try Command.run("evaluate", "run", "--json", "--output", "rows.json", "--worst", "1", in: directory)
      let found = try object(outcome.output)
      let quantity = try #require(
        ((found["outputs"] as? [[String: Any]])?.first?["quantities"] as? [[String: Any]])?.first)
      let error = try #require(quantity["mean_absolute_error"] as? Double)
      #expect(abs(error - (found["mean_absolute_error"] as? Double ?? 0)) < 1e-5)
      #expect((found["worst_samples"] as? [[String: Any]])?.first?["id"] as? String == "7")
      let quantiles = try #require(quantity["residual_quantiles"] as? [String: Double])
      #expect(quantiles["0.0"].map { $0 < -3 } == true && quantiles.count == 7)
    }
  }

  @Test func aNameWithAnotherEndIsRefusedBeforeAnythingIsRun() throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run("evaluate", "nowhere", "--output", "rows.xlsx", in: directory)
      #expect(outcome.status == 64 && outcome.errors.contains(".csv or .json"), "\(outcome.errors)")
    }
  }
}
