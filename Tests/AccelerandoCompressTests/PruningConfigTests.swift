// A model that is being pruned, in files: it goes on as if it had never been saved.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoCompress

@Suite struct PruningConfigTests {
  private static let kinds: [Pruning] = [
    Pruning(.polynomial(from: 0.3, to: 0.75, end: 12, frequency: 3)),
    Pruning(.constant(0.5, begin: 2, end: 9, frequency: 2), structure: .filters, competition: .global),
    Pruning(.constant(0.5, frequency: 3), structure: .blocks(height: 2, width: 4, pooling: .max)),
    .nOfM(zeros: 1, of: 2), Pruning(.constant(0.4, frequency: 2), competition: .lamp),
  ]

  @Test(arguments: kinds.indices)
  func aModelThatIsSavedWhileItIsPrunedGoesOnAsBefore(kind: Int) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("pruning-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let x = try NDArray(RandomKey(seed: 5).uniform(40 * 8, from: -1, to: 1), shape: [40, 8])
    let y = NDArray((0..<40).map { Int32($0 % 4) })
    let layer = Sequential {
      Dense(24, activation: .relu).constrained(kernel: .maxNorm(0.6))
      Dense(4, activation: .softmax)
    }
    let model = Model(layer, inputShape: [8], backend: testBackend, seed: 3)
    try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
    try model.prune(Self.kinds[kind])
    func fit(_ model: Model) throws {
      try model.fit(x, y, epochs: 2, batchSize: 11, shuffle: false, verbose: .silent)
    }
    try fit(model)
    try model.save(to: directory)
    let loaded = try Model.load(
      from: directory, backend: testBackend, catalogs: ModelCatalogs(parameterRules: .parameterRules))
    #expect(loaded.parameterRules.map { "\($0)" } == model.parameterRules.map { "\($0)" })
    #expect(try loaded.ruleState() == model.ruleState())
    try fit(model)
    try fit(loaded)
    #expect(try loaded.weights() == model.weights())
    #expect(try loaded.ruleState() == model.ruleState())
    // Limits and masks hold together: zeros stay, and no column is longer than it may be.
    let kernel = try #require(try loaded.settledWeights()["layers.0.weight"]).elements(as: Float.self)
    #expect(kernel.contains(0))
    for column in 0..<24 {
      var sum: Float = 0
      for row in 0..<8 { sum += kernel[row * 24 + column] * kernel[row * 24 + column] }
      #expect(sum.squareRoot() < 0.6001)
    }
  }

  @Test func pruningStandsBesideOtherRulesAndReplacesItself() throws {
    struct Nothing: ParameterRule {
      var initialState: Store { Store([("nothing", NDArray(scalar: Int32(0)))]) }
      func apply(to parameters: [String: Tensor], in step: RuleStep) -> [String: Tensor] { [:] }
      func check(_ state: Store, steps: Int?) throws {}
    }
    let model = Model(Dense(4), inputShape: [8], backend: testBackend)
    try model.addParameterRule(Nothing())
    try model.prune(Pruning(.constant(0.5, frequency: 1)))
    try model.prune(Pruning(.constant(0.75, frequency: 1)))
    #expect(model.parameterRules.count == 2)
    #expect("\(model.parameterRules[1])".contains("0.75"))
    try model.removePruning()
    #expect(model.parameterRules.count == 1 && model.parameterRules[0] is Nothing)
  }
}
