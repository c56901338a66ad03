import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
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

@Suite struct SavingTests {
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
