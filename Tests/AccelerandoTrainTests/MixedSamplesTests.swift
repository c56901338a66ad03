// Mixed images and mixed labels: the loss is that of both labels in proportion, for any number of workers.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Testing

@testable import AccelerandoTrain

@Suite struct MixedSamplesTests {
  /// A model of which the loss says what was mixed: no weights act before it.
  private func model(_ mixing: any Layer, on backend: any Backend) throws -> Model {
    let model = Model(
      Sequential([mixing, Flatten(), Dense(3, activation: .softmax)]), inputShape: [4, 4, 1], backend: backend, seed: 3)
    try model.compile(optimizer: .sgd(0.5), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    return model
  }

  private func data() throws -> Dataset {
    let pixels = RandomKey(seed: 1).uniform(22 * 16)
    return try Dataset(
      NDArray(pixels, shape: [22, 4, 4, 1]), NDArray((0..<22).map { Int32($0 * 7 % 3) })
    ).shuffled(false)
  }

  static let layers: [any Layer] = [MixUp(alpha: 0.8), MixUp(alpha: 1), CutMix(), CutMix(0.5)]

  private func shared(_ threads: Int) -> SharedBackend {
    let engine = CPUBackend(threads: threads, sharing: .always)
    return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
  }

  @Test(arguments: layers.indices)
  func anyNumberOfWorkersMixesTheSameSamples(_ index: Int) throws {
    func weights(_ workers: Int) throws -> Store {
      let model = try model(Self.layers[index], on: shared(workers))
      _ = try model.fit(data(), epochs: 2, batchSize: 8)
      return try model.weights()
    }
    let alone = try weights(1)
    for workers in [2, 3] { #expect(try weights(workers) == alone) }
  }

  /// With weights of zero all classes have the same probability, whatever is mixed; with labels that are all the same,
  /// mixing them changes nothing.
  @Test(arguments: layers.indices)
  func mixedLabelsOfOneClassAreThatClass(_ index: Int) throws {
    let pixels = NDArray(repeating: 0.5, type: TensorType(.float32, [16, 4, 4, 1]))
    let labels = NDArray([Int32](repeating: 2, count: 16))
    let data = try Dataset(pixels, labels).shuffled(false)
    let mixed = try model(Self.layers[index], on: CPUBackend())
    let plain = try model(Identity(), on: CPUBackend())
    let losses = try [mixed, plain].map { try $0.fit(data, epochs: 2, batchSize: 16)["loss"] }
    #expect(losses[0].count == 2)
    for (a, b) in zip(losses[0], losses[1]) { #expect((a - b).magnitude < 1e-5) }
  }

  /// The gradient of a bias under softmax is the mean of probability − target: with images of zeros and a rate of one, what
  /// the bias becomes says what the targets were.
  @Test func theLossIsThatOfBothLabelsInProportion() throws {
    let pixels = NDArray(zeros: TensorType(.float32, [2, 4, 4, 1]))
    let data = try Dataset(pixels, NDArray([Int32(0), 1])).shuffled(false)
    let model = try model(MixUp(alpha: 1), on: CPUBackend())
    _ = try model.fit(data, epochs: 1, batchSize: 2)
    let bias = try #require(try model.weights().entries.first { $0.1.shape == [3] }?.1.elements(as: Double.self))
    // Targets of class 2 never occur, those of 0 and 1 share one half each, however they are mixed.
    #expect((bias[2] - -0.5 / 3).magnitude < 1e-6)
    #expect((bias[0] + bias[1] - 0.5 / 3).magnitude < 1e-6)
    #expect(bias[0].magnitude + bias[1].magnitude > 0)
  }

  @Test func aModelMixesOnce() throws {
    let twice = Model(
      Sequential([MixUp(), CutMix(), Flatten(), Dense(3)]), inputShape: [4, 4, 1], backend: CPUBackend(), seed: 3)
    let error = #expect(throws: (any Error).self) {
      try twice.compile(optimizer: .sgd(0.5), loss: .sparseCategoricalCrossentropy(fromLogits: true))
      _ = try twice.fit(data(), epochs: 1)
    }
    #expect("\(String(describing: error))".contains("a model has one layer that mixes samples"))
  }
}
