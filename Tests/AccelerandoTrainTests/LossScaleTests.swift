// The scale of the loss in float16: steps that it leaves out change nothing, and it stays a useful number.

import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

@Suite struct LossScaleTests {
  private func setScale(of model: Model, to scale: Float, goodSteps: Float = 0) throws {
    var state = try model.optimizerState()
    state["loss_scale/scale"] = NDArray(scalar: scale)
    state["loss_scale/good_steps"] = NDArray(scalar: goodSteps)
    try model.setOptimizerState(state)
  }

  private func scale(of model: Model) throws -> Float {
    try #require(model.optimizerState()["loss_scale/scale"]).elements(as: Float.self)[0]
  }

  /// 64 samples of which one overflows float16 in the first layer.
  private func overflowing() throws -> (x: NDArray, y: NDArray) {
    let (x, y) = try quadrants(64)
    var values = x.elements(as: Float.self)
    values[40] = 60_000
    values[41] = 60_000
    return (try NDArray(values, shape: [64, 2]), y)
  }

  private func normalizing() throws -> Model {
    let layer = Sequential {
      Dense(8, weightInitializer: .ones)
      BatchNormalization()
      ActivationLayer(.relu)
      Dense(2, activation: .softmax)
    }
    let model = Model(layer, inputShape: [2], backend: testBackend, seed: 3)
    try model.compile(
      optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy], precision: .mixedFloat16)
    try setScale(of: model, to: 128)
    return model
  }

  @Test func aStepThatIsLeftOutChangesNoStatisticsAndNoTotals() throws {
    let (x, y) = try overflowing()
    // The batches of 16 without the second one, which overflows.
    let rows = Array(0..<16) + Array(32..<64)
    let good = Batch(features: [x], labels: y).gathered(rows[...])
    let (a, b) = (try normalizing(), try normalizing())
    let history = try a.fit(x, y, batchSize: 16, shuffle: false, verbose: .silent)
    let expected = try b.fit(
      Dataset(good.features[0], try #require(good.labels)), batchSize: 16, shuffle: false, verbose: .silent)
    #expect(try a.weights() == b.weights())
    #expect(history.epochs[0].logs == expected.epochs[0].logs)
    #expect(try a.iteration() == 3)
    #expect(try a.session.scalar(StateName.total(.train, .skippedSteps)) == 1)
  }

  @Test func stepsThatAreLeftOutAreSaid() throws {
    final class Shown: @unchecked Sendable { var text = "" }
    let shown = Shown()
    let (x, y) = try overflowing()
    try normalizing().fit(
      x, y, batchSize: 16, callbacks: [ProgressBar(moves: false) { shown.text += $0 }], verbose: .silent)
    #expect(shown.text.contains("1 of 4 steps were left out"))
    #expect(shown.text.contains("is 64 now"))
  }

  @Test func anEpochWithoutAStepThatCountsHasNoLoss() throws {
    let (x, y) = try quadrants(16)
    let model = try normalizing()
    try setScale(of: model, to: 1e30)
    let logs = try model.fit(x, y, batchSize: 16, verbose: .silent).epochs[0].logs
    #expect(try #require(logs["loss"]).isNaN)
  }

  /// Keras 3 (LossScaleOptimizer) trains on these numbers at a scale of 2⁻¹⁰ too.
  @Test func theScaleFallsBelowOneWhereGradientsAreLarge() throws {
    let rows = (0..<256).map { Float($0 % 16) * 10 }
    let x = try NDArray(rows.flatMap { [$0, 100, -$0, 50] }, shape: [256, 4])
    let y = try NDArray(rows.map { 20_000 + $0 * 1000 }, shape: [256, 1])
    let model = Model(
      Sequential {
        Dense(8, activation: .relu)
        Dense(1)
      }, inputShape: [4], backend: testBackend)
    try model.compile(optimizer: .adam(0.01), loss: .meanSquaredError, precision: .mixedFloat16)
    let before = try model.weights()
    try model.fit(x, y, epochs: 20, verbose: .silent)
    #expect(try scale(of: model) < 1)
    #expect(try model.iteration() > 100)
    #expect(try model.weights() != before)
  }

  @Test func theScaleGrowsToTheLargestPowerOfTwoAndFallsAgain() throws {
    let model = Model(Dense(1, weightInitializer: .zeros), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError, precision: .mixedFloat16)
    let zeros = NDArray(zeros: TensorType(.float32, [4, 1]))
    for scale in [Float(0x1p126), 0x1p127] {
      try setScale(of: model, to: scale, goodSteps: 1999)
      try model.fit(zeros, zeros, batchSize: 4, verbose: .silent)
      #expect(try self.scale(of: model) == 0x1p127)
    }
    let x = try NDArray([Float(1), 2], shape: [2, 1])
    let history = try model.fit(x, x, epochs: 300, verbose: .silent)
    #expect(try #require(history["loss"].last) < 1e-3)
  }

  @Test func aScaleThatCannotFallAnyMoreEndsTheRun() throws {
    let (x, y) = try quadrants(16)
    let model = try normalizing()
    var weights = try model.weights()
    let name = try #require(weights.names.first)
    weights[name] = NDArray(repeating: 60_000, type: try #require(weights[name]).type)
    try model.setWeights(weights)
    let large = try NDArray(x.elements(as: Float.self).map { $0 * 60_000 }, shape: [16, 2])
    let error = message { try model.fit(large, y, epochs: 500, verbose: .silent) }
    #expect(error.contains("even with the smallest scale"), "\(error)")
  }
}
