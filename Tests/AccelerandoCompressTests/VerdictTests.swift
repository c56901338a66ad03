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
