import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Synchronization
import Testing

private struct Scaled: ConfigurableLayer {
  let amount: Double
  let gain = Parameter(.ones)

  init(amount: Double) { self.amount = amount }
  init(config: ConfigReader) throws { amount = try config.double("amount") }
  func config() -> Config { Config(["amount": Config(.double(amount))]) }
  func forward(_ x: Tensor) -> Tensor { x * gain[x.dim(-1)] * amount }
}

private struct Doubled: Loss, Configurable {
  var name: String { "doubled" }
  var configName: String { name }
  func config() -> Config { Config([:]) }
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    SparseCategoricalCrossentropy().values(prediction, target) * 2
  }
}

/// A loss that says nothing of itself.
private struct Focal: Loss {
  var name: String { "focal" }
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    SparseCategoricalCrossentropy().values(prediction, target)
  }
}

private struct Often: MeanMetric {
  var name: String { "often" }
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor { prediction.sum(axes: [1]) }
}

private struct Bold: Optimizer {
  var learningRate: LearningRate = 0.1
  var clipping: GradientClipping? { nil }
  var slots: [Slot] { [] }
  func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) { (weight - gradient * learningRate, []) }
}

/// What the library says while something is done.
private func warnings(_ body: () throws -> Void) rethrows -> [String] {
  let log = WarningLog()
  try Warning.$listener.withValue(Warning.Listener { log.add($0) }, operation: body)
  return log.texts
}

private final class WarningLog: Sendable {
  private let said = Mutex<[String]>([])
  var texts: [String] { said.withLock { $0 } }
  func add(_ text: String) { said.withLock { $0.append(text) } }
}

@Suite struct SavingTests {
  @Test func whatAModelIsTrainedWithIsLeftOutWhereItCannotBeWritten() throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try quadrants(20)
      let kinds: [(any Optimizer, any Loss, [any Metric], String)] = [
        (.adam, Focal(), [.accuracy], "a loss of type 'Focal'"),
        (.adam, .sparseCategoricalCrossentropy, [Often()], "a metric of type 'Often'"),
        (Bold(), .sparseCategoricalCrossentropy, [], "an optimizer of type 'Bold'"),
      ]
      for (index, (optimizer, loss, metrics, expected)) in kinds.enumerated() {
        let url = directory.appendingPathComponent("model \(index)")
        let model = classifier(seed: 5)
        try model.compile(optimizer: optimizer, loss: loss, metrics: metrics)
        try model.fit(x, y, verbose: .silent)
        let said = try warnings { try model.save(to: url) }
        #expect(said.count == 1 && said[0].contains(expected) && said[0].contains("Compile the model again"), "\(said)")
        let copy = try Model.load(from: url, backend: testBackend)
        #expect(try copy.predict(x) == model.predict(x))
        #expect(copy.compilation == nil)
      }
    }
  }

  @Test func layersThatAreSharedComeBackShared() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("tied")
      let (x, y) = try quadrants(20)
      let (dense, norm) = (Dense(2), BatchNormalization())
      let block = Sequential([dense, norm])
      let model = Model(
        Sequential([block, ActivationLayer(.tanh), block, dense]), inputShape: [2], backend: testBackend)
      try model.compile(optimizer: .adam(0.01), loss: .meanSquaredError)
      let targets = try NDArray(y.elements(as: Float.self).flatMap { [$0, 1 - $0] }, shape: [20, 2])
      try model.fit(x, targets, epochs: 2, verbose: .silent)
      try model.save(to: url)
      let copy = try Model.load(from: url, backend: testBackend)
      #expect(try copy.predict(x) == model.predict(x))
      for each in [model, copy] { try each.fit(x, targets, epochs: 4, initialEpoch: 2, verbose: .silent) }
      #expect(try copy.weights() == model.weights())
      #expect(try copy.weights().count == 6)
      let summary = try model.summary()
      #expect(summary.contains(" Trainable params: 10 ") && summary.contains("Non-trainable params: 4 "), "\(summary)")
    }
  }

  @Test func aModelWithTransformsIsNotSavedAsIfItHadNone() throws {
    try withTemporaryDirectory { directory in
      let halved: Scope.Transform = { spec, value in spec.type.rank == 2 ? value * 0.5 : value }
      func make() -> Model {
        Model(Dense(2), inputs: [ModelInput([2])], backend: testBackend, seed: 1, parameterTransforms: [halved])
      }
      let model = make()
      let url = directory.appendingPathComponent("model")
      #expect(message { try model.save(to: url) }.contains("saveWeights(to:)"))
      #expect(!FileManager.default.fileExists(atPath: url.path))
      try model.saveWeights(to: url)
      let copy = make()
      try copy.loadWeights(from: url)
      let (x, _) = try quadrants(4)
      #expect(try copy.predict(x) == model.predict(x))
    }
  }

  @Test func aSecondModelOfTrainedLayersSaysThatItBeginsAnew() throws {
    let (x, y) = try quadrants(20)
    let (input, hidden) = (Input(shape: [2]), Dense(4, activation: .tanh))
    let features = hidden(input)
    let whole = Model(inputs: [input], output: Dense(2, activation: .softmax)(features), backend: testBackend)
    try whole.compile(optimizer: .adam, loss: .sparseCategoricalCrossentropy)
    #expect(try warnings { try whole.fit(x, y, verbose: .silent) } == [])
    let part = Model(Functional(inputs: [input], output: features), inputShape: [2], backend: testBackend)
    let said = try warnings { for _ in 0..<2 { _ = try part.predict(x) } }
    #expect(said.count == 1 && said[0].contains("fresh values of 'layers.0.weight' and 1 more"), "\(said)")
    // Values that are taken over are no fresh ones.
    let copy = Model(whole.layer, inputShape: [2], backend: testBackend)
    let quiet = try warnings {
      try copy.compile(optimizer: .adam, loss: .sparseCategoricalCrossentropy)
      try copy.setWeights(try whole.weights())
      _ = try copy.predict(x)
    }
    #expect(quiet == [])
  }

  @Test func weightsSurviveAFile() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("w.safetensors")
      let (a, b) = (classifier(seed: 1), classifier(seed: 2))
      #expect(try a.weights() != b.weights())
      try a.saveWeights(to: url)
      try b.loadWeights(from: url)
      #expect(try a.weights() == b.weights())
    }
  }

  @Test func weightsOfAnotherModelAreRefusedWithAllDifferences() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("w.safetensors")
      let other = Model(
        Sequential {
          Dense(9); Dense(2, usesBias: false); Dense(3)
        }, inputShape: [2], backend: testBackend)
      try other.saveWeights(to: url)
      let model = classifier()
      let before = try model.weights()
      let text = message { try model.loadWeights(from: url) }
      #expect(text.contains("missing 'layers.1.bias'"))
      #expect(text.contains("unexpected 'layers.2.weight'") && text.contains("unexpected 'layers.2.bias'"))
      #expect(text.contains("'layers.0.weight' needs float32[2, 16]; received float32[2, 9]"))
      #expect(try model.weights() == before)
    }
  }

  @Test func aSavedModelTrainsOnAsIfItHadNotStopped() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("model")
      let (x, y) = try quadrants(50)
      let model = try compiledClassifier(seed: 9, [Dropout(0.2)])
      try model.fit(x, y, epochs: 2, verbose: .silent)
      try model.save(to: url)
      try model.save(to: url)
      let copy = try Model.load(from: url, backend: testBackend)
      #expect(try copy.predict(x) == model.predict(x))
      for each in [model, copy] { try each.fit(x, y, epochs: 4, initialEpoch: 2, verbose: .silent) }
      #expect(try copy.weights() == model.weights())
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["model"])
    }
  }

  @Test func aFailedSaveLeavesTheEarlierOneAlone() throws {
    struct Unwritable: Layer { func forward(_ x: Tensor) -> Tensor { x } }
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("model")
      let model = classifier()
      try model.save(to: url)
      let other = classifier(seed: 4, [Unwritable()])
      #expect(message { try other.save(to: url) }.contains("'Unwritable' cannot be written"))
      #expect(try Model.load(from: url, backend: testBackend).weights() == model.weights())
      let file = directory.appendingPathComponent("notes")
      try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
      try Data().write(to: file.appendingPathComponent("mine.txt"))
      #expect(message { try model.save(to: file) }.contains("would be lost: mine.txt"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: file.path) == ["mine.txt"])
      #expect(message { try model.save(to: URL(fileURLWithPath: "/proc/nowhere/model")) } != "no error")
    }
  }

  @Test func customKindsComeBackWithCatalogsThatKnowThem() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("model")
      let (x, y) = try quadrants(8)
      let model = classifier(seed: 2, [Scaled(amount: 3)])
      try model.compile(optimizer: .sgd(), loss: Doubled())
      try model.save(to: url)
      #expect(message { _ = try Model.load(from: url, backend: testBackend) }.contains("no layer 'Scaled'"))
      let catalogs = ModelCatalogs(
        layers: LayerCatalog(adding: [Scaled.self]), losses: Catalog.losses.adding("doubled") { _ in Doubled() })
      let copy = try Model.load(from: url, backend: testBackend, catalogs: catalogs)
      #expect(try copy.evaluate(x, y) == model.evaluate(x, y))
    }
  }

  @Test func missingAndDamagedFilesAreNamed() throws {
    try withTemporaryDirectory { directory in
      #expect(message { _ = try Model.load(from: directory, backend: testBackend) }.contains("architecture.json"))
      let url = directory.appendingPathComponent("model")
      try classifier().save(to: url)
      try Data("{\"inputs\": [".utf8).write(to: url.appendingPathComponent("architecture.json"))
      #expect(message { _ = try Model.load(from: url, backend: testBackend) }.contains("architecture.json:1"))
    }
  }

  @Test func theSummaryLinesUpAndCountsLikeKeras() throws {
    let layer = Sequential {
      Conv2D(32, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D()
      Flatten()
      Dense(10, activation: .softmax)
    }
    let model = Model(layer, inputShape: [28, 28, 1], backend: testBackend)
    let text = try model.summary()
    let table = text.split(separator: "\n").filter { "┏┃┡│├└".contains($0.first ?? " ") }
    #expect(Set(table.map(\.count)).count == 1)
    #expect(text.contains("Total params: 54,410 (212.54 KB)"))
    #expect(text.contains("conv2d (Conv2D)") && text.contains("(None, 26, 26, 32)"))
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy)
    #expect(try model.summary().contains("Optimizer params: 108,822 (425.09 KB)"))
  }
}
