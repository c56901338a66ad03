// Penalties, limits, frozen layers, means of weights and gradients of several batches: twenty steps of `fit` and an
// evaluation, against Keras'. Models are read from the settings that Keras' layers and optimizers report.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// A model that Keras has trained.
private struct TrainedCase: Sendable, CustomTestStringConvertible {
  let name: String
  let config: Config
  let tensors: [String: NDArray]
  var testDescription: String { name }

  static let all: [TrainedCase] = {
    do {
      let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Goldens/data/options.safetensors").standardized
      let file = try Safetensors.read(url)
      let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
      guard case .array(let list) = try Config(json: file.metadata["cases"] ?? "", file: "options").value else {
        return []
      }
      return list.compactMap { entry in
        guard case .string(let name)? = entry["name"]?.value, case .object(let roles)? = entry["tensors"]?.value,
          let config = entry["config"]
        else { return nil }
        var own: [String: NDArray] = [:]
        for role in roles { if case .string(let key) = role.value.value { own[role.key] = tensors[key] } }
        return TrainedCase(name: name, config: config, tensors: own)
      }
    } catch {
      Issue.record("options.safetensors: \(error)")
      return []
    }
  }()

  func tensor(_ role: String) throws -> NDArray { try #require(tensors[role], "\(name) has no '\(role)'") }

  /// The model with the weights that Keras began with, and their names in Keras' order.
  func model() throws -> (model: Model, names: [String]) {
    guard case .array(let layers)? = config["layers"]?.value else { throw ConfigError("\(name) has no layers") }
    let x = try tensor("x")
    let model = Model(
      Sequential(try layers.map { try LayerCatalog().layer($0) }),
      inputs: [ModelInput(Array(x.shape.dropFirst()), dtype: x.dtype)], backend: testBackend)
    let used = Set(try model.outline().parameters.map(\.name))
    let names = try model.outline().names.all.filter(used.contains)
    try model.setWeights(Store(try names.enumerated().map { ($0.element, try tensor("w\($0.offset)")) }))
    try model.compile(
      optimizer: try Catalog.optimizers.make(try #require(config["optimizer"])), loss: .meanSquaredError)
    return (model, names)
  }
}

private func expectNear(_ a: [Float], _ b: [Float], _ what: String, within relative: Float = 2e-4) {
  #expect(a.count == b.count)
  let scale = max(b.map(\.magnitude).max() ?? 0, 0.1)
  let worst = zip(a, b).map { ($0 - $1).magnitude / scale }.max() ?? 0
  #expect(worst < relative, "\(what): \(worst)\n\(a.prefix(8))\n\(b.prefix(8))")
}

@Suite struct OptionGoldenTests {
  @Test(arguments: TrainedCase.all)
  fileprivate func twentyStepsWithOptionsEndWhereKerasEnds(_ golden: TrainedCase) throws {
    let (model, names) = try golden.model()
    let (x, targets) = (try golden.tensor("x"), try golden.tensor("targets"))
    let validation = golden.tensors["validation"]
    let history = try model.fit(
      x, targets, epochs: 5, batchSize: 6, validation: validation == nil ? nil : Dataset(x, targets), shuffle: false,
      callbacks: validation == nil ? [] : [SwapEMAWeights()], verbose: .silent)
    func numbers(_ key: String) -> [Float] { history.epochs.map { Float($0.logs[key] ?? .nan) } }
    expectNear(numbers("loss"), try golden.tensor("losses").elements(as: Float.self), "losses")
    if let validation { expectNear(numbers("val_loss"), validation.elements(as: Float.self), "validation") }
    let weights = try model.weights()
    for (index, name) in names.enumerated() {
      expectNear(
        try #require(weights[name]).elements(as: Float.self),
        try golden.tensor("after\(index)").elements(as: Float.self), name)
    }
    let loss = Float(try model.evaluate(x, targets, batchSize: 6)["loss"] ?? .nan)
    expectNear([loss], try golden.tensor("evaluation").elements(as: Float.self), "evaluation")
  }

  @Test func allCasesAreThere() { #expect(TrainedCase.all.count >= 20) }
}
