// Twenty steps of recurrent nets by `fit`, from the same weights, against Keras': states that batches hand on and masks
// take part.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// A net, its weights before and after, and the losses between.
private struct SequenceRun: Sendable, CustomTestStringConvertible {
  let name: String
  let config: Config
  let tensors: [String: NDArray]
  var testDescription: String { name }

  static let all: [SequenceRun] = {
    do {
      let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Goldens/data/sequence_training.safetensors").standardized
      let file = try Safetensors.read(url)
      let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
      let cases = try Config(json: file.metadata["cases"] ?? "", file: "sequence_training.safetensors")
      guard case .array(let list) = cases.value else { return [] }
      return try list.map { entry in
        let reader = try ConfigReader(entry, subject: "case")
        var own: [String: NDArray] = [:]
        if case .object(let roles) = try reader.required("tensors").value {
          for role in roles { if case .string(let key) = role.value.value { own[role.key] = tensors[key] } }
        }
        return SequenceRun(name: try reader.string("name"), config: try reader.required("config"), tensors: own)
      }
    } catch {
      Issue.record("sequence_training.safetensors: \(error)")
      return []
    }
  }()
}

@Suite struct SequenceTrainingTests {
  @Test(arguments: SequenceRun.all)
  fileprivate func lossesAndWeightsOfTwentyStepsAgreeWithKeras(_ run: SequenceRun) throws {
    let (x, y) = (try #require(run.tensors["x"]), try #require(run.tensors["y"]))
    let settings = Config(["layers": run.config["layers"]])
    let layer = try LayerCatalog().layer(Config(.object([Config.Entry("Sequential", settings)])))
    let model = Model(layer, inputShape: Array(x.shape.dropFirst(2)), backend: testBackend)
    // States begin as zeros.
    try model.setWeights(
      Store(
        try model.outline().parameters.map { spec in
          let given = run.tensors.first { $0.key.hasPrefix("initial.") && names(spec.name, $0.key) }
          return (spec.name, given?.value ?? NDArray(zeros: spec.type))
        }))
    try model.compile(
      optimizer: try Catalog.optimizers.make(try #require(run.config["optimizer"])), loss: .meanSquaredError)
    let losses = try #require(run.tensors["losses"]).elements(as: Double.self)
    for step in 0..<20 {
      let batch = step % x.shape[0]
      let (data, labels) = (try x.rows(batch..<batch + 1), try y.rows(batch..<batch + 1))
      let loss = try model.fit(
        try data.reshaped(Array(x.shape.dropFirst())), try labels.reshaped(Array(y.shape.dropFirst())),
        batchSize: x.shape[1], shuffle: false, verbose: .silent)["loss"][0]
      #expect(abs(loss - losses[step]) <= 2e-5 * max(losses[step], 0.1), "step \(step): \(loss), Keras \(losses[step])")
    }
    let final = try model.weights()
    for (key, value) in run.tensors where key.hasPrefix("final.") {
      let name = try #require(final.names.first { names($0, key) })
      let (a, b) = (try #require(final[name]).elements(as: Double.self), value.elements(as: Double.self))
      #expect(a.count == b.count)
      let error = zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
      #expect(error <= 1e-4 * max(b.map(\.magnitude).max() ?? 1, 1), "\(name) is off by \(error)")
    }
  }

  /// Whether a parameter's path ends with that of a role, `initial.1.cell.kernel`.
  private func names(_ parameter: String, _ role: String) -> Bool {
    ("." + parameter).hasSuffix("." + role.split(separator: ".", maxSplits: 1).dropFirst().joined())
  }

  @Test func thereAreRunsOfEachKindOfLayer() {
    let kinds = Set(SequenceRun.all.map { String($0.name.prefix { $0 != "/" }) })
    #expect(kinds == ["simple_rnn", "lstm", "gru", "bidirectional", "conv_lstm"])
  }
}
