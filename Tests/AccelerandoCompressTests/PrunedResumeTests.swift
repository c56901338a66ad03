import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoCompress

/// The lights went out.
private struct PowerCut: Error {}

@Suite struct PrunedResumeTests {
  @Test(arguments: 1...15) func aRunThatIsPrunedAndDiesAfterAnyStepEndsWithTheMasksThatItWouldHaveHad(step: Int) throws
  {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("pruned-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let numbers = RandomKey(seed: 5).uniform(40 * 8, from: -1, to: 1)
    let x = try NDArray(numbers, shape: [40, 8])
    let y = NDArray((0..<40).map { Int32($0 % 4) })
    func train(_ callbacks: [any Callback]) throws -> (weights: Store, rule: Store) {
      let layer = Sequential {
        Dense(24, activation: .relu)
        Dropout(0.2)
        Dense(4, activation: .softmax)
      }
      let model = Model(layer, inputShape: [8], backend: testBackend, seed: 3)
      try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
      try model.prune(Pruning(.polynomial(from: 0.3, to: 0.75, end: 12, frequency: 3)))
      try model.fit(x, y, epochs: 4, batchSize: 11, callbacks: callbacks, verbose: .silent)
      return (try model.weights(), try model.ruleState())
    }
    let undisturbed = try train([])
    func checkpoints() -> Checkpoints { Checkpoints(directory, every: .steps(2), resumes: true) }
    var done = 0
    let first = checkpoints()
    let death = LambdaCallback(batchEnd: { _, _ in
      done += 1
      guard done == step else { return }
      first.writes = false
      throw PowerCut()
    })
    #expect(throws: PowerCut.self) { try train([death, first]) }
    let resumed = try train([checkpoints()])
    #expect(resumed.weights == undisturbed.weights)
    #expect(resumed.rule == undisturbed.rule)
  }
}
