// Global pruning by LAMP scores against the paper's formula, computed weight by weight.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@testable import AccelerandoCompress

/// Dense layers of so many units.
private func stack(_ units: [Int], inputs: Int, seed: UInt64) throws -> Model {
  let model = Model(Sequential(units.map { Dense($0) }), inputShape: [inputs], backend: testBackend, seed: seed)
  try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy(fromLogits: true))
  return model
}

/// w² / Σ v² over all v of the tensor that are not smaller than w.
private func scores(_ weights: [Double]) -> [Double] {
  weights.map { w in w * w / weights.filter { abs($0) >= abs(w) }.map { $0 * $0 }.reduce(0, +) }
}

@Suite struct LayerAdaptiveTests {
  @Test(arguments: [0.1, 0.5, 0.8, 0.95], [1, 2, 3] as [UInt64])
  func whatIsKeptAreTheLargestScoresOfThePaper(_ sparsity: Double, _ seed: UInt64) throws {
    let model = try stack([7, 40, 3], inputs: 5, seed: seed)
    var weights = try model.weights()
    let names = weights.names.filter { $0.hasSuffix("weight") }
    // Tensors of very different sizes and scales; squares of some would not be 32-bit numbers any more.
    for (name, scale) in zip(names, [1, 1e-25, 1e25] as [Float]) {
      let array = try #require(weights[name])
      weights[name] = try NDArray(array.elements(as: Float.self).map { $0 * scale }, shape: array.shape)
    }
    try model.setWeights(weights)
    let expected = try names.flatMap { scores(try #require(weights[$0]).elements(as: Double.self)) }
    try model.pruneOnce(to: sparsity, competition: .lamp)
    let pruned = try model.weights()
    let isKept = try names.flatMap { try #require(pruned[$0]).elements(as: Float.self).map { $0 != 0 } }
    #expect(isKept.filter { $0 }.count == keptCount(of: expected.count, sparsity: Float(sparsity)))
    let kept = zip(expected, isKept).filter(\.1).map(\.0)
    let lost = zip(expected, isKept).filter { !$0.1 }.map(\.0)
    // Scores are computed in 32-bit arithmetic.
    #expect((kept.min() ?? 0) >= (lost.max() ?? 1) * (1 - 1e-5))
  }

  @Test func noTensorLosesEverythingAndSmallOnesKeepMore() throws {
    let model = try stack([2, 60, 60], inputs: 3, seed: 5)
    try model.pruneOnce(to: 0.98, competition: .lamp)
    let rows = try model.sparsity().rows.filter(\.prunable)
    #expect(rows.allSatisfy { $0.kept >= 1 })
    #expect(rows[0].sparsity < rows[2].sparsity)
  }

  @Test func aTensorOfZerosLeavesTheOthersTheirWeights() throws {
    let model = try stack([4, 4], inputs: 4, seed: 1)
    var weights = try model.weights()
    weights["layers.0.weight"] = NDArray(repeating: 0, type: TensorType(.float32, [4, 4]))
    try model.setWeights(weights)
    try model.pruneOnce(to: 0.75, competition: .lamp)
    #expect(try model.sparsity().rows.filter(\.prunable).map(\.kept) == [0, 8])
  }

  @Test func trainingUnderAScheduleEndsAtTheSparsityOfAllTogetherOnEveryEngine() throws {
    let x = try NDArray((0..<96 * 6).map { Float(($0 * 37) % 19) / 19 }, shape: [96, 6])
    let y = NDArray((0..<96).map { Int32($0 % 3) })
    for engine in engines {
      let model = Model(Sequential([16, 24, 3].map { Dense($0) }), inputShape: [6], backend: engine, seed: 2)
      try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy(fromLogits: true))
      try model.prune(Pruning(.polynomial(from: 0.3, to: 0.8, end: 12, frequency: 2), competition: .lamp))
      try model.fit(x, y, epochs: 3, batchSize: 16, verbose: .silent)
      let rows = try model.sparsity().rows.filter(\.prunable)
      let count = rows.map(\.count).reduce(0, +)
      #expect(rows.map(\.kept).reduce(0, +) == keptCount(of: count, sparsity: 0.8))
    }
  }
}
