import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// Twenty steps of Keras with one optimizer, from Tests/Goldens.
private struct GoldenRun: Sendable, CustomTestStringConvertible {
  let name: String
  let config: Config
  let tensors: [String: NDArray]
  var testDescription: String { name }

  static let all: [GoldenRun] = {
    do {
      let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Goldens/data/training.safetensors").standardized
      let file = try Safetensors.read(url)
      let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
      let cases = try Config(json: file.metadata["cases"] ?? "", file: "training.safetensors")
      guard case .array(let list) = cases.value else { return [] }
      return list.compactMap { entry in
        guard case .string(let name)? = entry["name"]?.value, case .object(let roles)? = entry["tensors"]?.value
        else { return nil }
        var own: [String: NDArray] = [:]
        for role in roles {
          if case .string(let key) = role.value.value { own[role.key] = tensors[key] }
        }
        return GoldenRun(name: name, config: entry, tensors: own)
      }
    } catch {
      Issue.record("training.safetensors: \(error)")
      return []
    }
  }()

  /// The weights' roles in the order of the layers.
  var parameters: [String] {
    guard case .array(let values)? = config["parameters"]?.value else { return [] }
    return values.compactMap { if case .string(let text) = $0.value { text } else { nil } }
  }

  /// Every how many elements of a final weight are stored.
  func stride(_ role: String) -> Int {
    if case .int(let step)? = config["sampled_every"]?[role]?.value { step } else { 1 }
  }

  func model() throws -> Model {
    let layer = Sequential {
      Rescaling(1 / 255)
      if name.hasPrefix("mlp") {
        Flatten()
        Dense(128, activation: .relu)
      } else {
        Conv2D(32, kernelSize: (3, 3), activation: .relu)
        MaxPooling2D()
        Flatten()
      }
      Dense(10, activation: .softmax)
    }
    let model = Model(layer, inputShape: [28, 28, 1], backend: testBackend)
    let names = try model.outline().parameters.map(\.name)
    try model.setWeights(
      Store(try zip(names, parameters).map { ($0, try #require(tensors["initial.\($1)"])) }))
    return model
  }

  func optimizer() -> any Optimizer {
    switch name.split(separator: "/").last {
    case "sgd": .sgd()
    case "sgd_momentum": .sgd(momentum: 0.9)
    case "adamw": .adamW()
    case "rmsprop": .rmsprop()
    default: .adam()
    }
  }
}

@Suite struct GoldenFitTests {
  @Test(arguments: GoldenRun.all)
  fileprivate func twentyStepsOfFitAgreeWithKeras(_ golden: GoldenRun) throws {
    let model = try golden.model()
    try model.compile(optimizer: golden.optimizer(), loss: .sparseCategoricalCrossentropy)
    let images = try #require(golden.tensors["images"])
    let labels = try #require(golden.tensors["labels"])
    let losses = try #require(golden.tensors["losses"]).elements(as: Double.self)
    for step in 0..<20 {
      let x = try images.rows(step..<step + 1).reshaped([32, 28, 28])
      let y = try labels.rows(step..<step + 1).reshaped([32])
      let loss = try model.fit(x, y, shuffle: false, verbose: .silent)["loss"][0]
      #expect(abs(loss - losses[step]) <= 1e-4 * losses[step], "step \(step): \(loss), Keras \(losses[step])")
    }
    let final = try model.weights()
    for (name, role) in zip(final.names, golden.parameters) {
      let expected = try #require(golden.tensors["final.\(role)"]).elements(as: Double.self)
      let stride = golden.stride("final.\(role)")
      let all = try #require(final[name]).elements(as: Double.self)
      let received = Swift.stride(from: 0, to: all.count, by: stride).map { all[$0] }
      #expect(received.count == expected.count)
      let scale = expected.map(\.magnitude).max() ?? 1
      let error = zip(received, expected).map { abs($0 - $1) }.max() ?? 0
      #expect(error <= 1e-4 * scale, "\(name): off by \(error) at a scale of \(scale)")
    }
  }

  @Test func thereAreRunsForBothModelsAndAllOptimizers() {
    #expect(GoldenRun.all.count == 10)
  }
}
