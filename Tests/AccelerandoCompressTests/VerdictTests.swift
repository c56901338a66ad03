// What a verdict says of the forms of layers: only what the engine does.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@testable import AccelerandoCompress

@Suite struct VerdictTests {
  private func model(_ backend: any Backend, sparsity: Double) throws -> Model {
    let layers = Sequential {
      Dense(1024, activation: .relu)
      Dense(10, activation: .softmax)
    }
    let model = Model(layers, inputShape: [1024], backend: backend, seed: 4)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    if sparsity > 0 { try model.pruneOnce(to: sparsity) }
    return model
  }

  @Test func modelsThatDoDifferentWorkDoNotCompare() throws {
    func dense(_ units: Int, _ loss: any Loss, _ activation: Activation = .linear) throws -> Model {
      let model = Model(Dense(units, activation: activation), inputShape: [4], backend: testBackend)
      try model.compile(optimizer: .sgd, loss: loss)
      return model
    }
    let x = try NDArray(RandomKey(seed: 1).normal(32), shape: [8, 4])
    let data = try Dataset(x, NDArray((0..<8).map { Float($0 % 2) }))
    func verdict(_ before: Model, _ after: Model) throws -> CompressionVerdict {
      try CompressionVerdict(before: before, after: after, on: data, batchSize: 8, seconds: 0.001)
    }
    let classifier = try dense(3, .sparseCategoricalCrossentropy, .softmax)
    let text = message { _ = try verdict(classifier, dense(1, .meanSquaredError)) }
    #expect(text.contains("do not compare: the first takes a sample [4] to [3], the second [4] to [1]"), "\(text)")
    let other = try verdict(dense(1, .binaryCrossentropy, .sigmoid), dense(1, .meanSquaredError))
    let finding = "The losses do not compare: binary_crossentropy before, mean_squared_error after."
    #expect(other.findings.contains(finding))
    let row = other.description.split(separator: "\n").first { $0.hasPrefix("loss") }
    #expect(row?.hasSuffix("–") == true, "\(other)")
    let same = try verdict(dense(1, .meanSquaredError), dense(1, .meanSquaredError))
    #expect(!same.findings.contains { $0.contains("do not compare") })
  }

  @Test func aLayerIsCalledSparseWhereTheEngineLeavesItsZerosOut() throws {
    let data = try Dataset(
      NDArray(RandomKey(seed: 1).normal(64 * 1024), shape: [64, 1024]), NDArray((0..<64).map { Int32($0 % 10) }))
    let before = try model(testBackend, sparsity: 0)
    let verdict = try CompressionVerdict(
      before: before, after: try model(testBackend, sparsity: 0.98), on: data, batchSize: 32, seconds: 0.02)
    let large = try #require(verdict.layers.first)
    #expect(large.sparse != nil && abs(large.sparsity - 0.98) < 0.001)
    #expect(!verdict.findings.contains { $0.contains("zeros are multiplied") }, "\(verdict)")
    let same = try CompressionVerdict(
      before: before, after: try model(testBackend, sparsity: 0.1), on: data, batchSize: 32, seconds: 0.02)
    #expect(same.layers.allSatisfy { $0.sparse == nil && $0.fastest == .dense })
    #expect(same.findings.contains { $0.contains("zeros are multiplied") }, "\(same)")
  }
}
