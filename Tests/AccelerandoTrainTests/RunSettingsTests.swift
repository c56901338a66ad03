import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// A layer that says nothing about its settings.
private struct Hidden: Layer {
  let factor: Double
  func forward(_ x: Tensor) -> Tensor { x * factor }
}

/// Another process, which has said what its run depends on.
private struct Other: WorkerGroup {
  let bytes: [UInt8]
  var rank: Int { 0 }
  var size: Int { 2 }

  func makeExchange(_ memory: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) -> any WorkerExchange {
    // The lengths are exchanged first.
    let count = withUnsafeBytes(of: Int64(bytes.count)) { Array($0) }
    let part = parts[1]
    return Exchange { memory[part].copyBytes(from: part.count == 8 ? count : bytes) }
  }

  private final class Exchange: WorkerExchange {
    let bring: () -> Void
    init(_ bring: @escaping () -> Void) { self.bring = bring }
    func start() {}
    func advance() {}
    func finish() { bring() }
  }
}

@Suite struct RunSettingsTests {
  /// Everything that a run is made of.
  private struct Parts {
    var layers: [any Layer] = [
      Dense(8, activation: .relu), Dropout(0.2), LayerNormalization(), Rescaling(2), Dense(2, activation: .softmax),
    ]
    var optimizer: any Optimizer = SGD(0.1, momentum: 0.5)
    var loss: any Loss = SparseCategoricalCrossentropy()
    var metrics: [any Metric] = [.accuracy]
    var precision = Precision.float32
    var seed: UInt64 = 1
    var batchSize = 10
    var callbacks: [any Callback] = []

    func settings() throws -> [RunSetting] {
      let (x, y) = try quadrants(20)
      let model = Model(Sequential(layers), inputShape: [2], backend: testBackend, seed: seed)
      try model.compile(optimizer: optimizer, loss: loss, metrics: metrics, precision: precision)
      return try model.settings() + model.feeder(Dataset(x, y), .train, batchSize: batchSize, shuffles: true).settings()
        + TrainingRun.settings(of: callbacks)
    }
  }

  private static let variants: [(String, @Sendable (inout Parts) -> Void)] = [
    ("layers.0.Dense.activation: relu before, tanh after", { $0.layers[0] = Dense(8, activation: .tanh) }),
    ("layers.0.Dense.units: 8 before, 9 after", { $0.layers[0] = Dense(9, activation: .relu) }),
    ("layers.1.Dropout.rate: 0.2 before, 0.3 after", { $0.layers[1] = Dropout(0.3) }),
    ("layers.2.LayerNormalization.epsilon", { $0.layers[2] = LayerNormalization(epsilon: 1e-5) }),
    ("layers.3.Rescaling.scale: 2 before, 3 after", { $0.layers[3] = Rescaling(3) }),
    ("optimizer.momentum: 0.5 before, 0.9 after", { $0.optimizer = SGD(0.1, momentum: 0.9) }),
    ("optimizer.nesterov", { $0.optimizer = SGD(0.1, momentum: 0.5, nesterov: true) }),
    ("optimizer.clipnorm", { $0.optimizer = SGD(0.1, momentum: 0.5, clipping: .norm(1)) }),
    ("optimizer.learning_rate: 0.1 before, 0.2 after", { $0.optimizer = SGD(0.2, momentum: 0.5) }),
    ("optimizer: sgd before, adam after", { $0.optimizer = Adam(0.1) }),
    (
      "optimizer.learning_rate",
      { $0.optimizer = SGD(.exponentialDecay(0.1, steps: 5, rate: 0.5), momentum: 0.5) }
    ),
    ("loss.from_logits", { $0.loss = SparseCategoricalCrossentropy(fromLogits: true) }),
    ("metrics: accuracy before,", { $0.metrics = [SparseTopKCategoricalAccuracy(k: 1)] }),
    ("precision: float32 before, mixed_bfloat16 after", { $0.precision = .mixedBFloat16 }),
    ("seed: 1 before, 2 after", { $0.seed = 2 }),
    ("batch size: 10 before, 5 after", { $0.batchSize = 5 }),
    ("callback EarlyStopping.patience: none before, 3 after", { $0.callbacks = [EarlyStopping(patience: 3)] }),
  ]

  @Test(arguments: variants.indices) func everySettingThatDiffersIsNamedWithBothValues(_ number: Int) throws {
    let (expected, change) = Self.variants[number]
    var parts = Parts()
    let before = try parts.settings()
    #expect(RunSetting.differences(before, "before", try Parts().settings(), "after").isEmpty)
    change(&parts)
    let text = RunSetting.differences(before, "before", try parts.settings(), "after")
    #expect(text.contains(expected), "\(text)")
  }

  @Test func whatSaysNothingAboutItsSettingsIsKnownByWhatItComputes() throws {
    var (a, b) = (Parts(), Parts())
    a.layers[3] = Hidden(factor: 2)
    b.layers[3] = Hidden(factor: 3)
    #expect(RunSetting.differences(try a.settings(), "a", try a.settings(), "b").isEmpty)
    let text = RunSetting.differences(try a.settings(), "a", try b.settings(), "b")
    #expect(text.contains("digest of the step"), "\(text)")
  }

  @Test func workersOfOtherSettingsAreRefusedWithTheDifference() throws {
    var parts = Parts()
    parts.layers[1] = Dropout(0.4)
    let text = try parts.settings().map { "\($0.name)\u{1f}\($0.value)" }.joined(separator: "\u{1e}")
    let backend = SharedBackend(
      common: testBackend, local: testBackend, team: testBackend.team, group: Other(bytes: Array(text.utf8)))
    let refusal = message { try backend.agree(on: try Parts().settings()) }
    #expect(refusal.contains("rate: 0.2 for worker 0, 0.4 for worker 1"), "\(refusal)")
  }
}
