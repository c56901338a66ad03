// Weights by name, pattern and part: what is taken, what is left, and names that last.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoTrain

private func model(_ layers: [any Layer], seed: UInt64) -> Model {
  Model(Sequential(layers), inputShape: [2], backend: testBackend, seed: seed)
}

private func block() -> Sequential { Sequential([Dense(4, activation: .relu), Dense(4)], name: "block") }

private let first: [any Layer] = [
  Dense(4, activation: .relu, name: "stem"), block(), Dense(4), Dense(3, activation: .softmax, name: "head"),
]

@Suite struct WeightTransferTests {
  private let place = FileManager.default.temporaryDirectory.appendingPathComponent("transfer-\(UUID().uuidString)")

  private func saved(_ layers: [any Layer] = first) throws -> Store {
    let made = model(layers, seed: 1)
    try made.save(to: place)
    return try made.weights()
  }

  @Test func layersWithoutParametersChangeNoName() throws {
    let plain = try model(first, seed: 1).outline().lastingNames
    let grown: [any Layer] = [Rescaling(2)] + [first[0], Dropout(0.5), first[1]] + [Dropout(0.1)] + first[2...]
    let names = try model(grown, seed: 1).outline().lastingNames
    #expect(Set(plain.values) == Set(names.values))
    #expect(
      Set(plain.values) == [
        "stem.weight", "stem.bias", "block.dense.weight", "block.dense.bias", "block.dense_1.weight",
        "block.dense_1.bias", "dense.weight", "dense.bias", "head.weight", "head.bias",
      ])
  }

  @Test func aModelWithAnotherDropoutTakesAllWeights() throws {
    defer { try? FileManager.default.removeItem(at: place) }
    let before = try saved()
    let grown = model([Dense(4, activation: .relu, name: "stem"), Dropout(0.5), block()] + first[2...], seed: 2)
    let transfer = try grown.takeWeights(from: place)
    #expect(transfer.taken.count == 10 && transfer.left.isEmpty && transfer.unused.isEmpty)
    let after = try grown.weights()
    #expect(after["layers.0.weight"] == before["layers.0.weight"])
    #expect(after["layers.2.layers.1.weight"] == before["layers.1.layers.1.weight"])
    #expect(after["layers.4.bias"] == before["layers.3.bias"])
  }

  @Test func aPartIsTakenAndTheReportSaysWhatWasNot() throws {
    defer { try? FileManager.default.removeItem(at: place) }
    let before = try saved()
    let other = model(
      [Dense(4, activation: .relu, name: "stem"), block(), Dense(4), Dense(5, name: "head"), Dense(2, name: "new")],
      seed: 2)
    let own = try other.weights()
    let transfer = try other.takeWeights(from: place, except: ["block.dense_1"])
    let after = try other.weights()
    #expect(
      transfer.taken == [
        "stem.weight", "stem.bias", "block.dense.weight", "block.dense.bias", "dense.weight", "dense.bias",
      ])
    #expect(transfer.misshaped.map(\.name) == ["head.weight", "head.bias"])
    #expect(transfer.left == ["new.weight", "new.bias"])
    #expect(transfer.unused == ["block.dense_1.weight", "block.dense_1.bias"])
    #expect(after["layers.2.weight"] == before["layers.2.weight"])
    for name in ["layers.1.layers.1.weight", "layers.3.weight", "layers.4.weight"] { #expect(after[name] == own[name]) }
    #expect("\(transfer)".contains("6 parameters have the values of"))
    #expect("\(transfer)".contains("Not there: new.weight, new.bias."))
    let part = try other.takeWeights(from: place, layers: ["st*"])
    #expect(part.taken == ["stem.weight", "stem.bias"])
  }

  @Test func aFileOfWeightsIsTakenByPaths() throws {
    let file = place.appendingPathExtension("safetensors")
    defer { try? FileManager.default.removeItem(at: file) }
    let made = model(first, seed: 1)
    try made.saveWeights(to: file)
    let other = model(first, seed: 2)
    #expect(try other.takeWeights(from: file, layers: ["head"]).taken == ["head.weight", "head.bias"])
    #expect(try other.weights()["layers.3.weight"] == made.weights()["layers.3.weight"])
  }

  @Test func mistakesAreNamedAndChangeNothing() throws {
    defer { try? FileManager.default.removeItem(at: place) }
    _ = try saved()
    let other = model([Dense(7, name: "tail")], seed: 2)
    let own = try other.weights()
    #expect(message { try other.takeWeights(from: place) }.contains("nothing can be taken over"))
    #expect(message { try other.takeWeights(from: place, layers: ["tial"]) }.contains("Did you mean 'tail'?"))
    #expect(message { try other.takeWeights(from: place, except: ["x"]) }.contains("matches no parameter"))
    let missing = place.appendingPathExtension("missing")
    #expect(message { try other.takeWeights(from: missing) } != "no error")
    #expect(try other.weights() == own)
  }
}
