// Masks and weights of places in losses and metrics of `fit` and `evaluate`.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct MaskedMetricTests {
  /// Words to probabilities of three classes for each place.
  private func tagger(_ length: Int, loss: any Loss = SparseCategoricalCrossentropy()) throws -> Model {
    let words = Input(shape: [length], dtype: .int32)
    let rows = Embedding(
      inputDim: 6, outputDim: 4, initializer: .randomUniform(from: -1, to: 1), masksZero: true)(words)
    let model = Model(
      inputs: [words], output: Dense(3, activation: .softmax)(rows), backend: CPUBackend(threads: 2), seed: 7)
    try model.compile(
      optimizer: .sgd(0.1), loss: loss,
      metrics: [.accuracy, .loss(SparseCategoricalCrossentropy(), name: "entropy")],
      weightedMetrics: [.sparseCategoricalAccuracy])
    return model
  }

  @Test func fillingUpSequencesChangesNoMetric() throws {
    let plain = try tagger(3)
    let filled = try tagger(5)
    let words = try NDArray([1, 2, 3, 4, 5, 1] as [Int32], shape: [2, 3])
    let padded = try NDArray([1, 2, 3, 0, 0, 4, 5, 1, 0, 0] as [Int32], shape: [2, 5])
    let labels = try NDArray([0, 1, 2, 2, 1, 0] as [Int32], shape: [2, 3])
    let longer = try NDArray([0, 1, 2, 0, 1, 2, 1, 0, 2, 2] as [Int32], shape: [2, 5])
    let weights = try NDArray([1, 0.5, 2, 3, 0, 1] as [Float], shape: [2, 3])
    let wider = try NDArray([1, 0.5, 2, 9, 9, 3, 0, 1, 9, 9] as [Float], shape: [2, 5])
    let first = try plain.evaluate(words, labels, sampleWeights: weights)
    let second = try filled.evaluate(padded, longer, sampleWeights: wider)
    #expect(first.keys.sorted() == ["accuracy", "entropy", "loss", "sparse_categorical_accuracy"])
    for (name, value) in first { #expect(abs(value - (second[name] ?? .nan)) < 1e-6, "\(name)") }
    // Without the mask, or the weights, there are other numbers.
    #expect(first["accuracy"] != first["sparse_categorical_accuracy"])
  }

  @Test func placesOfAnIgnoredClassChangeNothing() throws {
    let ignoring = SparseCategoricalCrossentropy(ignoredClass: 255)
    let masked = try tagger(3)
    let ignored = try tagger(3, loss: ignoring)
    let padded = try NDArray([1, 2, 0, 4, 0, 0] as [Int32], shape: [2, 3])
    let words = try NDArray([1, 2, 3, 4, 5, 1] as [Int32], shape: [2, 3])
    let labels = try NDArray([0, 1, 2, 2, 1, 0] as [Int32], shape: [2, 3])
    let known = try NDArray([0, 1, 255, 2, 255, 255] as [Int32], shape: [2, 3])
    let first = try masked.evaluate(padded, labels)
    try ignored.compile(optimizer: .sgd(0.1), loss: ignoring, metrics: [.loss(ignoring, name: "entropy")])
    let second = try ignored.evaluate(words, known)
    for name in ["loss", "entropy"] { #expect(abs((first[name] ?? 0) - (second[name] ?? .nan)) < 1e-6, "\(name)") }
  }

  @Test func masksAndWeightsThatDoNotFitAreErrorsBeforeTheFirstStep() throws {
    let words = try NDArray([1, 2, 3, 4, 5, 1] as [Int32], shape: [2, 3])
    let labels = try NDArray([0, 1, 2, 2, 1, 0] as [Int32], shape: [2, 3])
    let weights = try NDArray([Float](repeating: 1, count: 4), shape: [2, 2])
    let wrong = message { _ = try tagger(3).fit(words, labels, sampleWeights: weights, verbose: .silent) }
    #expect(wrong.contains("[2, 2]"), "\(wrong)")
    let spoken = message { _ = try tagger(3, loss: CTC()).fit(words, labels, verbose: .silent) }
    #expect(spoken.contains("has one loss for each sample"), "\(spoken)")
    let layer = Lambda { x in x.masked(by: x.notEqual(to: x.zerosLike()).any(axes: [1])) }
    let model = Model(Sequential { layer }, inputShape: [3, 2], backend: testBackend)
    let shape = message { _ = try model.outline() }
    #expect(shape.contains("needs a mask bool of its first axes"), "\(shape)")
  }
}
