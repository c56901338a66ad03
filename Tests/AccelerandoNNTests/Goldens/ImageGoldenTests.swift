// What random image layers do with the numbers that they have drawn, against Keras'.

import AccelerandoCore
import AccelerandoFormats
import Testing

@testable import AccelerandoNN

@Suite struct ImageGoldenTests {
  @Test(arguments: Golden.cases("images").filter { $0.kind != "resize" })
  func drawnNumbersDoWhatTheyDoInKeras(_ golden: Golden) throws {
    let roles = golden.tensors.keys.filter { $0 != "y" }.sorted()
    let inputs = try roles.map { try golden.tensor($0) }
    for backend in backends {
      let values = try evaluate(inputs, on: backend) { tensors in
        [try result(golden, Dictionary(uniqueKeysWithValues: zip(roles, tensors)))]
      }
      let expected = try golden.tensor("y")
      expectClose(
        golden.name.hasSuffix("/nearest") ? withoutTies(values[0], expected) : values[0], expected,
        "\(golden.name) on \(backend.name)", relative: 2e-5)
    }
  }

  /// The received pixels, but for a few at most: where a place lies in the middle between two pixels, the last bit of its
  /// computation says which of them is the nearest, and XLA computes it with another last bit.
  private func withoutTies(_ received: NDArray, _ expected: NDArray) -> NDArray {
    guard received.shape == expected.shape else { return received }
    var values = received.elements(as: Float.self)
    let wanted = expected.elements(as: Float.self)
    let ties = values.indices.filter { (values[$0] - wanted[$0]).magnitude > 1e-2 }
    guard ties.count * 50 <= values.count else { return received }
    for index in ties { values[index] = wanted[index] }
    return (try? NDArray(values, shape: received.shape)) ?? received
  }

  private func result(_ golden: Golden, _ tensors: [String: Tensor]) throws -> Tensor {
    func tensor(_ role: String) throws -> Tensor { try #require(tensors[role], "\(golden.name) has no '\(role)'") }
    func text(_ key: String) -> String {
      if case .string(let text)? = golden.config[key]?.value { return text }
      return ""
    }
    let x = try tensor("x")
    switch golden.kind.prefix(while: { $0 != "/" }) {
    case "warp":
      let matrix = try tensor("matrix")
      func column(_ index: Int) -> Tensor { matrix.sliced(axis: 1, index..<index + 1).reshaped([matrix.dim(0)]) }
      let map = AffineMap(a: column(0), b: column(1), c: column(2), d: column(3), e: column(4), f: column(5))
      return x.warped(
        map,
        Sampling(
          try #require(FillMode(rawValue: text("fill_mode"))), 7,
          try #require(Interpolation(rawValue: text("interpolation")))))
    case "rotation": return rows(.rotation(by: try tensor("angle"), of: x))
    case "zoom": return rows(.zoom(height: try tensor("height"), width: try tensor("width"), of: x))
    case "brightness": return x.brightened(by: try tensor("factor"), 0...255)
    case "contrast": return x.contrasted(by: try tensor("factor"), 0...255)
    case "saturation": return x.saturated(by: try tensor("factor"))
    case "hue": return x.hueTurned(by: try tensor("factor"))
    case "grayscale": return x.grayscale()
    case "posterization": return x.posterized(bits: try tensor("bits"))
    case "solarization": return x.solarized(adding: try tensor("addition"), from: try tensor("threshold"))
    case "auto_contrast": return x.autoContrasted(0...255)
    default: throw ConfigError("there is no formula for \(golden.kind)")
    }
  }

  private func rows(_ map: AffineMap) -> Tensor {
    .concatenating([map.a, map.b, map.c, map.d, map.e, map.f].map { $0.reshaped([$0.dim(0), 1]) }, axis: 1)
  }
}

@Suite struct AugmentationTests {
  static let layers: [any ImageAugmentation] = [
    RandomFlip(), RandomTranslation(height: -0.3...0.3, width: -0.3...0.3), RandomRotation(-0.2...0.2),
    RandomZoom(height: -0.5...0.5), RandomShear(x: 0.2...0.4), RandomBrightness(-0.5...0.5), RandomContrast(0.7),
    RandomSaturation(0.2...0.4), RandomHue(0.3...0.5), RandomGrayscale(0.6), RandomInvert(0.5...0.6),
    RandomPosterization(2...4), Solarization(threshold: 0.2...0.8), AutoContrast(), RandomErasing(1...1),
    RandomColorJitter(brightness: -0.5...0.5, contrast: (0.5, 0.5), saturation: 0.3...0.4, hue: 0.2...0.3),
  ]

  private func run(_ layer: any Layer, _ x: NDArray, isTraining: Bool, seed: UInt64 = 1) throws -> NDArray {
    try evaluate([x, RandomKey(seed: seed).array], on: engines[0]) { tensors in
      let scope = Scope(
        graph: tensors[0].graph, names: ParameterNames(of: layer), values: [:], isTraining: isTraining,
        randomKey: tensors[1])
      return scope.run { layer.applied(to: [tensors[0]]) }
    }[0]
  }

  private func images(_ count: Int) throws -> NDArray {
    try NDArray(RandomKey(seed: 5).uniform(count * 6 * 8 * 3, from: 0, to: 255), shape: [count, 6, 8, 3])
  }

  /// The same picture again and again: what differs afterwards was drawn for each sample.
  private func copies(_ count: Int) throws -> NDArray {
    let one = RandomKey(seed: 5).uniform(6 * 8 * 3, from: 0, to: 255)
    return try NDArray((0..<count).flatMap { _ in one }, shape: [count, 6, 8, 3])
  }

  @Test(arguments: layers.indices)
  func nothingChangesUnlessTraining(_ index: Int) throws {
    let x = try images(3)
    #expect(try run(Self.layers[index], x, isTraining: false) == x)
  }

  @Test(arguments: layers.indices)
  func whileTrainingImagesChangeAndTheKeyDecidesHow(_ index: Int) throws {
    let (layer, x) = (Self.layers[index], try copies(12))
    let y = try run(layer, x, isTraining: true)
    #expect(y.type == x.type)
    #expect(y != x)
    #expect(try run(layer, x, isTraining: true) == y)
    guard !(layer is AutoContrast) else { return }
    #expect(try run(layer, x, isTraining: true, seed: 2) != y)
    let samples = try (0..<12).map { try y.rows($0..<$0 + 1) }
    #expect(Set(samples).count > 1)
  }

  @Test(arguments: layers.indices)
  func settingsSurviveTheWayThroughAFile(_ index: Int) throws {
    let config = try Config(of: Self.layers[index])
    let again = try LayerCatalog().layer(try Config(json: config.json, file: "layer"))
    #expect(try Config(of: again) == config)
  }

  @Test func flippedImagesAreImagesInAMirror() throws {
    let x = try copies(40)
    let y = try run(RandomFlip(.horizontal), x, isTraining: true)
    let mirrored = try evaluate([x], on: engines[0]) { [$0[0].reversed(axes: [2])] }[0]
    var flips = 0
    for sample in 0..<40 {
      let (row, own) = (try y.rows(sample..<sample + 1), try x.rows(sample..<sample + 1))
      if row != own {
        flips += 1
        #expect(try row == mirrored.rows(sample..<sample + 1))
      }
    }
    #expect((8...32).contains(flips))
  }

  static let movingLayers: [any Layer] = [
    RandomFlip(), RandomCrop(height: 3, width: 4), CenterCrop(height: 3, width: 4),
  ]

  @Test(arguments: movingLayers.indices)
  func bytesStayBytes(_ index: Int) throws {
    let bytes = try images(5).converted(to: .uint8)
    let y = try run(Self.movingLayers[index], bytes, isTraining: true)
    #expect(y.dtype == .uint8)
    let numbers = try run(Self.movingLayers[index], bytes.converted(to: .float32), isTraining: true)
    #expect(y.converted(to: .float32) == numbers)
  }

  @Test(arguments: FillMode.allCases)
  func croppedImagesAreWindowsOfTheImageWithItsMargins(_ mode: FillMode) throws {
    let x = try copies(30)
    let layer = RandomCrop(height: 6, width: 8, padding: 2, fillMode: mode, fillValue: 7)
    let y = try run(layer, x, isTraining: true)
    let wide = try evaluate([x], on: engines[0]) { [$0[0].padded(by: 2, mode, 7)] }[0]
    #expect(wide.shape == [30, 10, 12, 3])
    let picture = try wide.rows(0..<1).elements(as: Float.self)
    var windows: Set<[Float]> = []
    for top in 0...4 {
      for left in 0...4 {
        windows.insert(
          (0..<6).flatMap { row in
            let start = ((top + row) * 12 + left) * 3
            return Array(picture[start..<start + 24])
          })
      }
    }
    let samples = try (0..<30).map { try y.rows($0..<$0 + 1).elements(as: Float.self) }
    #expect(samples.allSatisfy(windows.contains))
    #expect(Set(samples).count > 5)
    // Otherwise the middle is cut out.
    #expect(try run(RandomCrop(height: 6, width: 6), x, isTraining: false).shape == [30, 6, 6, 3])
  }

  @Test(arguments: [0.1, 0.4, 2, 30.0])
  func betaNumbersHaveTheMomentsOfTheirDistribution(_ parameter: Double) throws {
    let count = 20_000
    let values = try evaluate(
      [NDArray(zeros: TensorType(.float32, [count, 1])), RandomKey(seed: 3).array], on: engines[0]
    ) { tensors in
      let scope = Scope(
        graph: tensors[0].graph, names: ParameterNames(of: RandomFlip()), isTraining: true, randomKey: tensors[1])
      return [scope.beta(parameter, for: tensors[0])]
    }[0].elements(as: Double.self)
    #expect(values.allSatisfy { (0...1).contains($0) })
    let mean = values.reduce(0, +) / Double(count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    #expect((mean - 0.5).magnitude < 0.015)
    let expected = 1 / (4 * (2 * parameter + 1))
    #expect((variance / expected - 1).magnitude < 0.06)
  }

  @Test func grayImagesAreRefusedByLayersOfColours() throws {
    let x = NDArray(zeros: TensorType(.float32, [2, 4, 4, 1]))
    let error = #expect(throws: GraphError.self) { try run(RandomHue(0...0.5), x, isTraining: true) }
    #expect("\(String(describing: error))".contains("needs images of three channels, red, green and blue"))
  }

  @Test func mixingIsRefusedWhereLabelsAreNotMixed() throws {
    let error = #expect(throws: GraphError.self) { try run(MixUp(), images(4), isTraining: true) }
    #expect("\(String(describing: error))".contains("their labels have to be mixed too"))
  }
}
