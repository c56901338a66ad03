import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@Suite struct AdaptingTests {
  private let backend = CPUBackend()

  /// Numbers `[count, width]` that are not centred.
  private func numbers(_ count: Int, _ width: Int, scale: Float = 7) throws -> NDArray {
    try NDArray(
      (0..<count * width).map { Float(($0 * 7919) % 1013) / 1013 * scale + Float($0 % width) },
      shape: [count, width])
  }

  private func labels(_ count: Int) -> NDArray { NDArray((0..<count).map { Int32($0 % 2) }) }

  private func value(_ model: Model, _ name: String) throws -> [Float] {
    let weights = try model.weights()
    let found = weights.entries.first { $0.0.hasSuffix(name) }
    return try #require(found, "\(name) of \(weights.entries.map(\.0))").1.elements(as: Float.self)
  }

  private func model(_ layers: [any Layer], _ shape: [Int], seed: UInt64 = 0) -> Model {
    Model(Sequential(layers), inputShape: shape, backend: backend, seed: seed)
  }

  @Test(arguments: GoldenAdapting.cases)
  func whatIsLearnedIsWhatKerasLearns(_ golden: GoldenAdapting) throws {
    let layer = try LayerCatalog().layer(Config([golden.kind: golden.config]))
    let x = try #require(golden.tensors["x"])
    let shape = Array(x.shape.dropFirst())
    for batchSize in [7, 1000] {
      let model = model([layer, Flatten()], shape)
      try model.adapt(to: Dataset(features: [x]), batchSize: batchSize)
      if golden.kind == "Normalization" {
        for (ours, theirs) in [("adaptedMean", "mean"), ("adaptedVariance", "variance")] {
          let expected = try #require(golden.tensors[theirs]).elements(as: Float.self)
          let found = try value(model, ours)
          #expect(found.count == expected.count)
          // Keras adds up in float32.
          for (a, b) in zip(found, expected) {
            #expect(abs(a - b) <= 1e-6 + 1e-5 * abs(b), "\(theirs): \(a), Keras \(b)")
          }
        }
      } else {
        let expected = try #require(golden.tensors["boundaries"]).elements(as: Float.self)
        // One bin has no boundaries.
        let found = expected.isEmpty ? [] : try value(model, "boundaries")
        #expect(Array(found.prefix(expected.count)) == expected)
        #expect(found.dropFirst(expected.count).allSatisfy { $0 == .greatestFiniteMagnitude })
        let bins = try model.predict(Dataset(features: [x]))
        #expect(bins.elements(as: Int32.self) == golden.tensors["y"]?.elements(as: Int32.self))
      }
    }
  }

  @Test func layersAreFoundWhereverTheyStandAndReadWhatTheModelComputes() throws {
    struct Block: Layer {
      var name: String? { "block" }
      let inner = Normalization()
      func forward(_ x: Tensor) -> Tensor { inner(x * 2) }
    }
    let x = try numbers(50, 3)
    let input = Input(shape: [3])
    let scaled = Rescaling(10)(input)
    let output = Sequential([Block(), Dense(2)])(scaled)
    let model = Model(inputs: [input], output: output, backend: backend)
    #expect(try model.needsAdapting)
    try model.adapt(to: Dataset(features: [x]), batchSize: 16)
    #expect(try !model.needsAdapting)
    let alone = self.model([Normalization()], [3])
    try alone.adapt(to: Dataset(features: [x]), batchSize: 50)
    for (a, b) in zip(try value(model, "adaptedMean"), try value(alone, "adaptedMean")) {
      #expect(abs(a - 20 * b) <= 1e-5 * abs(a))
    }
  }

  @Test func layersBehindOneAnotherLearnOneAfterTheOther() throws {
    let x = try numbers(64, 2)
    let model = model(
      [Normalization(), Discretization(numBins: 4, outputMode: .oneHot), Flatten(), Dense(1)], [2])
    try model.adapt(to: Dataset(features: [x]), batchSize: 10)
    // Boundaries of normalized numbers, not of the data.
    let bounds = try value(model, "boundaries")
    #expect(bounds.count == 3 && bounds.allSatisfy { abs($0) < 3 })
    #expect(bounds == bounds.sorted())
  }

  @Test func aLayerThatStandsTwiceLearnsFromBothPlaces() throws {
    let shared = Normalization()
    let (a, b) = (Input(shape: [1], name: "a"), Input(shape: [1], name: "b"))
    let model = Model(inputs: [a, b], output: Add()([shared(a), shared(b)]), backend: backend)
    let (low, high) = (
      try NDArray([Float(0), 2], shape: [2, 1]), try NDArray([Float(10), 12], shape: [2, 1])
    )
    try model.adapt(to: Dataset(features: [low, high]), batchSize: 1)
    #expect(try value(model, "adaptedMean") == [6])
    #expect(try value(model, "adaptedVariance") == [26])
  }

  @Test func givenValuesAreKeptAndAdaptedOnesToo() throws {
    let given = Normalization(mean: [1, 2], variance: [1, 4])
    let model = model([given, Normalization()], [2])
    let x = try numbers(20, 2)
    try model.adapt(to: Dataset(features: [x]))
    let learned = try value(model, "adaptedMean")
    try model.adapt(to: Dataset(features: [try numbers(20, 2, scale: 50)]))
    #expect(try value(model, "adaptedMean") == learned)
    try model.adapt(to: Dataset(features: [try numbers(20, 2, scale: 50)]), again: true)
    #expect(try value(model, "adaptedMean") != learned)
  }

  @Test func trainingWithoutAdaptingIsRefusedBeforeTheFirstStep() throws {
    let model = model([Normalization(name: "scaled"), Dense(2)], [3])
    try model.compile(optimizer: .sgd(), loss: .sparseCategoricalCrossentropy(fromLogits: true))
    let (x, y) = (try numbers(20, 3), labels(20))
    let error = #expect(throws: TrainingError.self) { try model.fit(x, y, verbose: .silent) }
    let message = "\(try #require(error))"
    #expect(message.contains("'scaled'") && message.contains("adapt(to:)"))
    #expect(throws: TrainingError.self) { try model.evaluate(x, y) }
    try model.adapt(to: Dataset(x, y))
    let before = try value(model, "adaptedMean")
    try model.fit(x, y, epochs: 2, verbose: .silent)
    #expect(try value(model, "adaptedMean") == before)
  }

  @Test func whatIsLearnedIsSavedWithTheModel() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "adapted-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let model = model(
      [
        Normalization(), Discretization(numBins: 5), Embedding(inputDim: 5, outputDim: 2),
        Flatten(),
      ], [3])
    let x = try numbers(40, 3)
    try model.adapt(to: Dataset(features: [x]))
    try model.save(to: directory)
    let loaded = try Model.load(from: directory, backend: backend)
    #expect(try !loaded.needsAdapting)
    #expect(try loaded.predict(x) == model.predict(x))
  }

  @Test func numbersThatAreMissingAreNamed() throws {
    let model = model([Normalization(), Dense(1)], [2])
    let x = try NDArray([Float(1), 2, 3, .nan, 5, 6], shape: [3, 2])
    let error = #expect(throws: TrainingError.self) {
      try model.adapt(to: Dataset(features: [x]), batchSize: 1)
    }
    let message = "\(try #require(error))"
    #expect(message.contains("sample 1"))
  }

  @Test func streamsAndWholeNumbersAreLearnedFrom() throws {
    let bytes = try NDArray((0..<60).map { UInt8($0 * 4) }, shape: [20, 3])
    let model = model([Normalization()], [3])
    try model.adapt(
      to: Dataset(batches: { try [0..<7, 7..<20].map { Batch(features: [try bytes.rows($0)]) } }))
    let alone = self.model([Normalization()], [3])
    try alone.adapt(to: Dataset(features: [bytes]))
    #expect(try value(model, "adaptedMean") == value(alone, "adaptedMean"))
    #expect(try value(model, "adaptedMean") == [114, 118, 122])
  }
}

/// What Keras learned from some data.
struct GoldenAdapting: Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  let config: Config
  let tensors: [String: NDArray]
  var testDescription: String { name }

  static let cases: [GoldenAdapting] = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../Goldens/data/adapting.safetensors")
    guard let file = try? Safetensors.read(url.standardized),
      let list = try? Config(json: file.metadata["cases"] ?? "", file: "adapting"),
      case .array(let cases) = list.value
    else { return [] }
    let stored = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
    return cases.compactMap { node in
      guard case .string(let name)? = node["name"]?.value,
        case .string(let kind)? = node["kind"]?.value,
        let config = node["config"], case .object(let roles)? = node["tensors"]?.value
      else { return nil }
      let tensors = roles.compactMap { role -> (String, NDArray)? in
        guard case .string(let key) = role.value.value, let array = stored[key] else { return nil }
        return (role.key, array)
      }
      return GoldenAdapting(
        name: name, kind: kind, config: config, tensors: Dictionary(uniqueKeysWithValues: tensors))
    }
  }()
}
