// Sizes that no tensor has are answered with an error: arithmetic on them must not overflow on the way to it. The layers and
// their settings are those that the catalog lists, so that a new layer is tried as soon as it is there.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct AbsurdSizesTests {
  private static let huge = Int(Int32.max)

  static let layers: [any Layer] = [
    Conv2D(4, kernelSize: (3, 3), padding: .same, dilation: (huge, huge)),
    Conv2D(4, kernelSize: (huge, huge), padding: .same),
    Conv2D(4, kernelSize: (huge, huge)),
    MaxPooling2D(poolSize: (huge, huge), padding: .same),
    AveragePooling2D(poolSize: (huge, huge), padding: .same),
  ]

  @Test(arguments: layers.indices)
  func aLayerOfAbsurdSizeIsRefused(_ index: Int) {
    #expect(throws: GraphError.self) {
      try Outline(of: Self.layers[index], inputs: [TensorType(.float32, [2, 28, 28, 1])])
    }
  }

  @Test func aStrideBeyondTheImageGivesOneWindow() throws {
    let types = [TensorType(.float32, [2, 28, 28, 1])]
    let layer = Conv2D(4, kernelSize: (3, 3), strides: (1 << 24, 1 << 24))
    #expect(try Outline(of: layer, inputs: types).output.shape == [2, 1, 1, 4])
    #expect(throws: GraphError.self) {
      try Outline(of: Conv2D(4, kernelSize: (3, 3), strides: (Self.huge, Self.huge)), inputs: types)
    }
  }

  @Test(arguments: ["9223372036854775807", "4294967296", "-4294967296"])
  func aSettingBeyondThirtyTwoBitsIsRefusedByName(_ number: String) throws {
    let config = Config(["units": Config(.int(try #require(Int(number))))])
    #expect(throws: ConfigError.self) { try ConfigReader(config, subject: "Dense").int("units") }
  }

  // MARK: Every setting of every layer

  static let extremes = [
    Int.max, 1 << 62, Int(UInt32.max), Int(Int32.max), Int(Int32.max) - 1, 1 << 30, 1_000_000_007, 1 << 20, 1, 0, -1,
    Int(Int32.min), Int.min,
  ]

  static let shapes: [[TensorType]] = [
    [TensorType(.float32, [2, 6, 6, 4])], [TensorType(.float32, [2, 5, 8])], [TensorType(.float32, [2, 12])],
    [TensorType(.float32, [2, 6, 6, 4]), TensorType(.float32, [2, 6, 6, 4])],
  ]

  /// A layer's settings, those that have to be there with something small.
  private static func settings(_ entry: CatalogEntry) -> [String: Config] {
    var settings: [String: Config] = [:]
    for setting in entry.settings where setting.isRequired {
      switch setting.kind {
      case let kind where kind.contains("list of inputs"):
        settings[setting.key] = Config(.array([Config(["shape": .ints([12])])]))
      case let kind where kind.contains("list of nodes"):
        settings[setting.key] = Config(.array([Config(["layer": "Flatten", "inputs": .ints([0])])]))
      case _ where setting.key == "equation": settings[setting.key] = "...x,xy->...y"
      case let kind where kind.contains("list of whole numbers"): settings[setting.key] = .ints([2, 1])
      case let kind where kind.contains("an activation"): settings[setting.key] = "relu"
      case let kind where kind.contains("whole number"): settings[setting.key] = 2
      case let kind where kind.contains("number"): settings[setting.key] = 0.5
      default: settings[setting.key] = Config(.array([]))
      }
    }
    return settings
  }

  /// Writes values for one setting into a layer in every form that a number may have there.
  private static func variants(_ setting: Setting, _ number: Int) -> [Config] {
    let plain = Config(.int(number))
    return [
      plain, .ints([number]), .ints([number, number]), .ints([1, number]),
      Config(.array([.ints([number, 0]), .ints([1, number])])), Config(.double(Double(number))),
    ]
  }

  @Test(arguments: LayerCatalog().names)
  func noNumberInAnySettingTraps(_ name: String) throws {
    let entry = try LayerCatalog().entry(name)
    let base = Self.settings(entry)
    var tried = 0
    for setting in entry.settings where setting.kind.contains("number") {
      for number in Self.extremes {
        for value in Self.variants(setting, number) {
          var settings = base
          settings[setting.key] = value
          let config = Config(
            .object([
              Config.Entry(name, Config(.object(settings.sorted { $0.key < $1.key }.map { Config.Entry($0, $1) })))
            ]))
          guard let layer = try? LayerCatalog().layer(config) else { continue }
          tried += 1
          for types in Self.shapes { Self.trace(layer, types) }
        }
      }
    }
    #expect(tried > 0 || !entry.settings.contains { $0.kind.contains("whole number") })
  }

  @Test(arguments: LayerCatalog().names)
  func noNumberInAllSettingsAtOnceTraps(_ name: String) throws {
    let entry = try LayerCatalog().entry(name)
    for number in Self.extremes {
      var settings = Self.settings(entry)
      for setting in entry.settings where setting.kind.contains("number") {
        settings[setting.key] =
          Self.variants(setting, number).first { value in
            var trial = settings
            trial[setting.key] = value
            return (try? LayerCatalog().layer(Self.config(name, trial))) != nil
          } ?? settings[setting.key]
      }
      guard let layer = try? LayerCatalog().layer(Self.config(name, settings)) else { continue }
      for types in Self.shapes { Self.trace(layer, types) }
    }
  }

  private static func config(_ name: String, _ settings: [String: Config]) -> Config {
    Config(
      .object([Config.Entry(name, Config(.object(settings.sorted { $0.key < $1.key }.map { Config.Entry($0, $1) })))]))
  }

  /// Traces a layer alone, and three of it, and takes gradients; all that matters is that the program goes on.
  private static func trace(_ layer: any Layer, _ types: [TensorType]) {
    _ = try? Outline(of: layer, inputs: types)
    guard types.count == 1 else { return }
    let stack = Sequential([layer, layer, layer])
    guard let outline = try? Outline(of: stack, inputs: types) else { return }
    #expect(outline.output.elementCount <= TensorType.mostElements)
    let inputs = outline.parameters.map(\.type) + types
    _ = try? Program.trace(inputs) { tensors in
      guard let first = tensors.last else { return [] }
      let values = Dictionary(uniqueKeysWithValues: zip(outline.parameters.map(\.name), tensors))
      let scope = Scope(
        graph: first.graph, names: outline.names, values: values, isTraining: true,
        randomKey: first.constant(NDArray([UInt32(1), 2])))
      let sum = scope.run { stack(first) }.sum()
      return [sum] + gradients(of: sum, withRespectTo: [first])
    }
  }

  @Test func layersMadeInSwiftAreRefusedWithTheWordsOfRecipes() {
    func problem(_ layer: any Layer, _ shape: [Int] = [2, 6, 6, 4]) -> String {
      do { _ = try Outline(of: layer, inputs: [TensorType(.float32, shape)]) } catch { return "\(error)" }
      return "no error"
    }
    #expect(problem(Dense(0)).contains("'units' needs a whole number of at least 1; received the number 0"))
    #expect(problem(Dense(.max)).contains("'units' needs a whole number of at most 2147483647"))
    #expect(problem(ZeroPadding2D(.max)).contains("'padding' needs"))
    #expect(problem(UpSampling2D(size: (.max, 1))).contains("'size' needs"))
    #expect(problem(Dropout(1.5)).contains("'rate' needs a number from 0 to 1; received the number 1.5"))
    #expect(problem(Dropout(.nan)).contains("'rate' needs"))
    #expect(problem(BatchNormalization(momentum: 2)).contains("'momentum' needs a number from 0 to 1"))
    #expect(problem(BatchNormalization(epsilon: -1)).contains("'epsilon' needs a number of at least 0"))
    #expect(problem(LayerNormalization(epsilon: .infinity)).contains("'epsilon' needs"))
    #expect(problem(LeakyReLU(negativeSlope: .nan)).contains("'negative_slope' needs a finite number"))
    #expect(problem(Rescaling(.infinity)).contains("'scale' needs"))
    #expect(problem(Dense(2, activation: .celu(alpha: 0))).contains("'alpha' needs a number above 0"))
    #expect(problem(Dense(2, weightInitializer: .randomNormal(standardDeviation: -1))).contains("'stddev' needs"))
    #expect(problem(Dense(2, biasInitializer: .constant(.nan))).contains("'value' needs"))
    #expect(problem(MultiHeadAttention(headCount: 0, keySize: 2), [2, 5, 8]).contains("'num_heads' needs"))
    let large = MultiHeadAttention(headCount: Int(Int32.max), keySize: Int(Int32.max))
    #expect(problem(large, [2, 5, 8]).contains("elements are the most"))
    // A layer that is made inside of another's formula is looked at as well.
    struct Hidden: Layer { func forward(_ x: Tensor) -> Tensor { Dropout(-1)(x) } }
    #expect(problem(Hidden()).contains("'rate' needs"))
  }

  @Test func typesThatNoTensorHasAreNamed() {
    #expect(TensorType(.float32, [1 << 20, 1 << 20]).problem == nil)
    #expect(TensorType(.float32, [0, 5]).problem == nil)
    #expect(TensorType(.float32, [1 << 20, 1 << 20, 2]).problem?.contains("too large") == true)
    #expect(TensorType(.float32, [0, 1 << 20, 1 << 21]).problem?.contains("too large") == true)
    #expect(TensorType(.float32, [Int.max]).problem?.contains("2147483647 are the most") == true)
    #expect(TensorType(.float32, [2, -1]).problem?.contains("-1 elements") == true)
  }
}
