// Random architectures, as recipes say them: every layer of the catalog with settings of its own, chains and branches that
// meet again, shared layers and layers inside layers, inputs of several kinds. A case is text and arrays, so that other
// programs can be given the same one.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoTrain

/// A network with data, a loss and an optimizer.
public struct RandomNetwork: CustomStringConvertible, Sendable {
  /// What the case is made of.
  public let seed: UInt64
  /// The network, as a layer in a file.
  public let network: Config
  /// The inputs of the network.
  public let inputs: [ModelInput]
  /// The optimizer, as recipes have it.
  public let optimizer: Config
  /// The loss, as recipes have it.
  public let loss: Config
  /// The metrics, as recipes have them.
  public let metrics: [Config]
  /// The samples, an array for each input.
  public let features: [NDArray]
  /// The labels.
  public let labels: NDArray
  /// Samples in a step.
  public let batchSize: Int
  /// The names of all layers in it.
  public let layerNames: Set<String>

  /// Makes a case; equal seeds give equal ones.
  public init(seed: UInt64) throws {
    var builder = NetworkBuilder(seed: seed)
    self = try builder.build()
  }

  init(
    seed: UInt64, network: Config, inputs: [ModelInput], optimizer: Config, loss: Config, metrics: [Config],
    features: [NDArray], labels: NDArray, batchSize: Int, layerNames: Set<String>
  ) {
    self.seed = seed
    self.network = network
    self.inputs = inputs
    self.optimizer = optimizer
    self.loss = loss
    self.metrics = metrics
    self.features = features
    self.labels = labels
    self.batchSize = batchSize
    self.layerNames = layerNames
  }

  /// The case as a recipe without its data.
  public var recipe: Config {
    Config([
      "layers": Config(.array([network])),
      "compile": Config(["optimizer": optimizer, "loss": loss, "metrics": Config(.array(metrics))]),
      "fit": Config(["batch_size": Config(.int(batchSize))]),
    ])
  }

  public var description: String { "seed \(seed), batches of \(batchSize) of \(labels.shape[0]):\n\(recipe.json)" }

  /// The network on a backend, compiled.
  /// - Parameters:
  ///   - backend: where it runs.
  ///   - optimizer: in the place of the case's own.
  public func model(on backend: any Backend, optimizer other: (any Optimizer)? = nil) throws -> Model {
    let model = Model(try LayerCatalog().layer(network), inputs: inputs, backend: backend, seed: seed)
    try model.compile(
      optimizer: try other ?? Catalog.optimizers.make(optimizer), loss: try Catalog.losses.make(loss),
      metrics: try metrics.map { try Catalog.metrics.make($0) })
    return model
  }

  /// The samples with their labels.
  public var data: Dataset { get throws { try Dataset(features: features, labels: labels) } }
}

/// Puts a network together node by node; a layer that does not fit where it was tried is left out.
private struct NetworkBuilder {
  private struct Value {
    let shape: [Int]
    var isUsed = false
  }

  private let seed: UInt64
  private var random: RandomSource
  private let catalog = LayerCatalog()
  private var inputs: [ModelInput] = []
  private var features: [NDArray] = []
  private var values: [Value] = []
  private var nodes: [Config] = []
  private var operands: [[Int]] = []
  private var names: Set<String> = ["Functional"]

  private static let largestSample = 2500

  init(seed: UInt64) {
    self.seed = seed
    random = RandomSource(seed: seed &* 977 &+ 13)
  }

  mutating func build() throws -> RandomNetwork {
    let batchSize = random.integer(2...9)
    let count = batchSize * random.integer(1...2) + random.integer(0...batchSize - 1)
    addInputs(count)
    if seed % 2 == 0 { addPlanned(Int(seed / 2 % 1000), count) }
    for _ in 0..<random.integer(2...9) { addLayer() }
    joinLooseEnds()
    let (loss, labels, metrics) = addHead(count)
    let network = Config(
      .object([Config.Entry("Functional", functional(inputs, nodes, operands, output: values.count - 1))]))
    return RandomNetwork(
      seed: seed, network: network, inputs: inputs, optimizer: drawOptimizer(), loss: loss, metrics: metrics,
      features: features, labels: labels, batchSize: batchSize, layerNames: names)
  }

  // MARK: Inputs

  private mutating func addInputs(_ count: Int) {
    for _ in 0..<random.pick([1, 1, 2]) {
      let first = inputs.count
      switch random.integer(0...5) {
      case 5: addInput([3, 4, 3, random.integer(1...3)], .float32, nil, count)
      case 0, 1:
        let shape = [random.integer(4...9), random.integer(4...9), random.integer(1...4)]
        if random.chance(0.4) {
          let pixels = (0..<count * shape.elementCount).map { _ in UInt8(random.integer(0...255)) }
          addInput(shape, .uint8, NDArray(pixels))
          append(Config(["Rescaling": Config(["scale": 0.0078125, "offset": -1.0])]), [first], "Rescaling")
        } else {
          addInput(shape, .float32, numbers(count * shape.elementCount))
        }
      case 2:
        addInput([random.integer(2...7), random.integer(2...6)], .float32, nil, count)
      case 3:
        let (length, words) = (random.integer(2...7), random.integer(3...12))
        let tokens = (0..<count * length).map { _ in Int32(random.integer(0...words - 1)) }
        addInput([length], .int32, NDArray(tokens))
        append(
          Config([
            "Embedding": Config(["input_dim": Config(.int(words)), "output_dim": Config(.int(random.integer(2...6)))])
          ]),
          [first], "Embedding")
      default: addInput([random.integer(2...20)], .float32, nil, count)
      }
    }
  }

  /// Adds a layer over sequences, images or volumes with an input that it fits: so that each kind has its turn, however
  /// rarely chance would draw it.
  private mutating func addPlanned(_ number: Int, _ count: Int) {
    let recurrent = ["LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "TimeDistributed", "Masking", "RepeatVector"]
    let kinds = catalog.names.filter {
      recurrent.contains($0) || $0.contains("1D") || $0.contains("2D") || $0.contains("3D")
        || Self.imageLayers.contains($0)
    }
    let name = kinds[number % kinds.count]
    for shape in [[6], [5, 4], [5, 4, 3], [3, 4, 3, 2], [2, 3, 3, 3, 2]] {
      guard let (settings, _) = settings(name, shape) else { continue }
      let place = inputs.count
      addInput(shape, .float32, nil, count)
      if append(layer(name, settings), [place], name) { return }
      append("Identity", [place], "Identity")
    }
  }

  private mutating func addInput(_ shape: [Int], _ dtype: DType, _ array: NDArray?, _ count: Int = 0) {
    let array = array ?? numbers(count * shape.elementCount)
    let samples = array.elementCount / shape.elementCount
    inputs.insert(ModelInput(shape, dtype: dtype), at: inputs.count)
    if let shaped = try? array.reshaped([samples] + shape) { features.append(shaped) }
    // Inputs have the first numbers: whatever was made before moves one up.
    let position = inputs.count - 1
    values.insert(Value(shape: shape), at: position)
    operands = operands.map { $0.map { $0 >= position ? $0 + 1 : $0 } }
  }

  /// Numbers for an input of float32, in any type in which files have them.
  private mutating func numbers(_ count: Int) -> NDArray {
    let dtype = random.pick([DType.float32, .float32, .float64, .float16])
    return NDArray((0..<count).map { _ in Float(random.real(-1...1)) }).converted(to: dtype)
  }

  /// Labels in any type in which files have them.
  private mutating func labels<T: TensorScalar>(_ values: [T], _ shape: [Int], _ dtypes: [DType]) -> NDArray {
    let array = NDArray(values).converted(to: random.pick(dtypes))
    return (try? array.reshaped(shape)) ?? array
  }

  // MARK: Layers

  /// Adds a layer of a random kind to a random place.
  private mutating func addLayer() {
    for _ in 0..<30 {
      let name = random.pick(catalog.names)
      let isLate = random.chance(0.7)
      let place = isLate ? values.count - 1 : random.integer(0...values.count - 1)
      // Integers go where they must: into the layer that was put behind their input.
      guard !(inputs.indices.contains(place) && inputs[place].dtype != .float32) else { continue }
      if random.chance(0.08), shareLayer(at: place) { return }
      guard let (settings, more) = settings(name, values[place].shape) else { continue }
      if append(layer(name, settings + options(of: name)), [place] + more, name) { return }
    }
  }

  private func layer(_ name: String, _ settings: [Config.Entry]) -> Config {
    settings.isEmpty ? Config(.string(name)) : Config(.object([Config.Entry(name, Config(.object(settings)))]))
  }

  /// Penalties and limits for some of the weights of a layer, and some layers that are not trained.
  private mutating func options(of name: String) -> [Config.Entry] {
    guard random.chance(0.25), let known = try? catalog.entry(name).settings.map(\.key) else { return [] }
    return known.compactMap { key in
      switch key {
      case let key where key.hasSuffix("_regularizer") && random.chance(0.5):
        return Config.Entry(key, Config(.string(random.pick(["l1", "l2", "l1_l2"]))))
      case let key where key.hasSuffix("_constraint") && random.chance(0.3):
        return Config.Entry(key, Config(.string(random.pick(["max_norm", "non_neg", "unit_norm"]))))
      case "trainable": return random.chance(0.2) ? Config.Entry(key, false) : nil
      default: return nil
      }
    }
  }

  /// Applies an earlier layer once more, with the same parameters.
  private mutating func shareLayer(at place: Int) -> Bool {
    for node in nodes.indices.reversed() {
      guard case .object(let entries) = nodes[node].value, entries.first?.key == "layer", operands[node].count == 1,
        values[operands[node][0]].shape == values[place].shape, operands[node][0] != place,
        !inputs.indices.contains(operands[node][0]) || inputs[operands[node][0]].dtype == .float32,
        !["CutMix", "MixUp"].contains(where: { entries[0].value.json.contains($0) })
      else { continue }
      nodes.append(Config(["shares": Config(.int(node))]))
      operands.append([place])
      values[place].isUsed = true
      values.append(Value(shape: values[inputs.count + node].shape))
      return true
    }
    return false
  }

  @discardableResult
  private mutating func append(_ layer: Config, _ sources: [Int], _ name: String) -> Bool {
    guard let made = try? catalog.layer(layer),
      let outline = try? Outline(
        of: made,
        inputs: sources.map { source in
          TensorType(inputs.indices.contains(source) ? inputs[source].dtype : .float32, [3] + values[source].shape)
        })
    else { return false }
    let shape = Array(outline.output.shape.dropFirst())
    guard outline.output.rank >= 2, outline.output.shape[0] == 3, shape.elementCount > 0,
      shape.elementCount <= Self.largestSample
    else { return false }
    nodes.append(Config(["layer": layer]))
    operands.append(sources)
    for source in sources { values[source].isUsed = true }
    values.append(Value(shape: shape))
    names.insert(name)
    return true
  }

  private static let imageLayers: Set<String> = [
    "AutoContrast", "CenterCrop", "CutMix", "MixUp", "RandomBrightness", "RandomColorJitter", "RandomContrast",
    "RandomCrop", "RandomErasing", "RandomFlip", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomShear", "RandomTranslation", "RandomZoom", "Resizing", "Solarization",
  ]

  /// Settings for a layer over images.
  private mutating func imageSettings(_ name: String, _ shape: [Int]) -> [Config.Entry]? {
    guard shape.count == 3 else { return nil }
    func entry(_ key: String, _ value: Config) -> Config.Entry { Config.Entry(key, value) }
    func range(_ low: Double, _ high: Double) -> Config {
      Config(.array([Config(.double(low)), Config(.double(high))]))
    }
    let values = entry("value_range", range(-2, 2))
    let edges = [
      entry("fill_mode", Config(.string(random.pick(["constant", "nearest", "reflect", "wrap"])))),
      entry("fill_value", 0.25),
      entry("interpolation", Config(.string(random.pick(["bilinear", "bilinear", "nearest"])))),
    ]
    let size = [
      entry("height", Config(.int(random.integer(1...shape[0])))),
      entry("width", Config(.int(random.integer(1...shape[1])))),
    ]
    let hasColors = shape[2] == 3
    switch name {
    case "Resizing":
      return [
        entry("height", Config(.int(random.integer(1...9)))), entry("width", Config(.int(random.integer(1...9)))),
      ]
        + [
          entry("interpolation", Config(.string(random.pick(["nearest", "bilinear", "bicubic", "area", "lanczos3"]))))
        ]
        + (random.chance(0.3) ? [entry(random.pick(["crop_to_aspect_ratio", "pad_to_aspect_ratio"]), true)] : [])
    case "CenterCrop": return size
    case "RandomCrop":
      return size + [
        entry("padding", Config(.int(random.integer(0...3)))),
        entry("fill_mode", Config(.string(random.pick(["constant", "nearest", "reflect", "wrap"])))),
      ]
    case "CutMix", "MixUp":
      // A model mixes once.
      guard names.isDisjoint(with: ["CutMix", "MixUp"]) else { return nil }
      return [entry(name == "MixUp" ? "alpha" : "factor", Config(.double(random.pick([0.3, 1.0]))))]
    case "RandomFlip":
      return [entry("mode", Config(.string(random.pick(["horizontal", "vertical", "horizontal_and_vertical"]))))]
    case "RandomTranslation": return [entry("height_factor", 0.4), entry("width_factor", range(-0.2, 0.6))] + edges
    case "RandomRotation": return [entry("factor", 0.2)] + edges
    case "RandomZoom": return [entry("height_factor", 0.5)] + edges
    case "RandomShear": return [entry("x_factor", 0.5), entry("y_factor", range(0.1, 0.3))] + edges
    case "RandomErasing":
      return [entry("scale", range(0.1, 0.5)), values] + (random.chance(0.5) ? [entry("fill_value", 0.5)] : [])
    case "RandomGrayscale": return hasColors ? [] : nil
    case "RandomSaturation": return hasColors ? [entry("factor", range(0.3, 0.7))] : nil
    case "RandomHue": return hasColors ? [entry("factor", 0.3), values] : nil
    case "RandomColorJitter":
      return [entry("brightness_factor", 0.2), entry("contrast_factor", 0.4), values]
        + (hasColors && random.chance(0.5) ? [entry("saturation_factor", range(0.4, 0.6))] : [])
    case "RandomPosterization": return [entry("factor", range(2, 6)), values]
    case "Solarization": return [entry("addition_factor", 0.2), entry("threshold_factor", 0.8), values]
    case "AutoContrast", "RandomInvert": return [values]
    default: return [entry("factor", 0.3), values]
    }
  }

  /// Settings for a layer on a value of the given shape, and what other values it takes; nil where it does not fit.
  private mutating func settings(_ name: String, _ shape: [Int]) -> (settings: [Config.Entry], more: [Int])? {
    func entry(_ key: String, _ value: Config) -> Config.Entry { Config.Entry(key, value) }
    func number(_ range: ClosedRange<Int>) -> Config { Config(.int(random.integer(range))) }
    func padding() -> Config { Config(.string(random.pick(["valid", "same"]))) }
    switch name {
    case "Dense":
      return ([entry("units", number(1...12)), entry("activation", activation()), entry("use_bias", flag(0.8))], [])
    case "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional", "RNN":
      return recurrentSettings(name, shape).map { ($0, []) }
    case "TimeDistributed":
      guard shape.count > 1 else { return nil }
      return ([entry("layer", layer("Dense", [entry("units", number(1...6)), entry("activation", activation())]))], [])
    case "Masking": return shape.count > 1 ? ([entry("mask_value", 0)], []) : nil
    case "RepeatVector": return shape.count == 1 ? ([entry("n", number(1...4))], []) : nil
    case let name
    where name.hasSuffix("1D") || name.contains("2D") || name.hasSuffix("3D") || name.hasSuffix("Transpose"):
      return spatialSettings(name, shape).map { ($0, []) }
    case "BatchNormalization":
      return (
        [entry("momentum", 0.9), entry("center", flag(0.8)), entry("scale", flag(0.8)), entry("epsilon", 0.01)], []
      )
    case "LayerNormalization":
      return ([entry("center", flag(0.8)), entry("scale", flag(0.8)), entry("epsilon", 0.01)], [])
    case "GroupNormalization":
      let groups = random.pick((1...(shape.last ?? 1)).filter { (shape.last ?? 1) % $0 == 0 })
      return ([entry("groups", Config(.int(groups))), entry("center", flag(0.8)), entry("epsilon", 0.01)], [])
    case "RMSNormalization": return ([entry("epsilon", 0.01)], [])
    case "UnitNormalization": return ([entry("axis", .ints([-1]))], [])
    case "GaussianNoise": return ([entry("stddev", 0.1)], [])
    case "GaussianDropout", "AlphaDropout": return ([entry("rate", 0.2)], [])
    case "Identity": return ([], [])
    case "ActivityRegularization": return ([entry("l1", 0.01), entry("l2", 0.02)], [])
    case "EinsumDense":
      return (
        [
          entry("equation", "...x,xy->...y"), entry("output_shape", Config(.array([number(1...6)]))),
          entry("bias_axes", "y"), entry("activation", activation()),
        ], []
      )
    case "Dot":
      let others = values.indices.filter { values[$0].shape == shape && isFloating($0) }
      return ([entry("axes", -1), entry("normalize", flag(0.3))], [random.pick(others)])
    case "Attention", "AdditiveAttention":
      guard shape.count == 2 else { return nil }
      let others = values.indices.filter {
        values[$0].shape.count == 2 && values[$0].shape[1] == shape[1] && isFloating($0)
      }
      var settings = [entry("use_scale", flag(0.5)), entry("use_causal_mask", flag(0.3))]
      if name == "Attention" { settings.append(entry("score_mode", Config(.string(random.pick(["dot", "concat"]))))) }
      return (settings, [random.pick(others)])
    case "GroupQueryAttention":
      guard shape.count == 2 else { return nil }
      let heads = random.integer(1...2)
      return (
        [
          entry("head_dim", number(1...4)), entry("num_query_heads", Config(.int(heads * random.integer(1...2)))),
          entry("num_key_value_heads", Config(.int(heads))), entry("use_causal_mask", flag(0.3)),
          entry("use_gate", flag(0.3)),
        ] + (random.chance(0.3) ? [entry("sliding_window", number(1...3))] : []), []
      )
    case "Dropout": return ([entry("rate", Config(.double(random.pick([0.0, 0.1, 0.5]))))], [])
    case "Activation": return ([entry("activation", activation())], [])
    case "ReLU":
      var settings = [entry("negative_slope", Config(.double(random.pick([0, 0.1]))))]
      if random.chance(0.5) { settings.append(entry("max_value", Config(.double(random.pick([0.5, 6]))))) }
      if random.chance(0.3) { settings.append(entry("threshold", 0.1)) }
      return (settings, [])
    case "LeakyReLU": return ([entry("negative_slope", 0.2)], [])
    case "ELU": return ([entry("alpha", Config(.double(random.pick([0.5, 1]))))], [])
    case "PReLU":
      return ([entry("alpha_initializer", Config(["constant": Config(["value": 0.1])]))], [])
    case "Softmax": return ([entry("axis", -1)], [])
    case "Flatten": return ([], [])
    case "Reshape":
      let count = shape.elementCount
      let first = random.pick((1...count).filter { count % $0 == 0 })
      // Five axes are sequences of volumes.
      if random.chance(0.2) { return ([entry("target_shape", .ints([first, 1, -1, 1, 1]))], []) }
      return ([entry("target_shape", .ints(random.chance(0.5) ? [first, count / first] : [first, -1, 1]))], [])
    case "Permute": return ([entry("dims", .ints(Array(1...shape.count).shuffled(using: &random)))], [])
    case "Rescaling": return ([entry("scale", Config(.double(random.real(0.5...1.5)))), entry("offset", 0.1)], [])
    case "Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract":
      let others = values.indices.filter { values[$0].shape == shape && isFloating($0) }
      let count = name == "Subtract" ? 1 : random.integer(1...2)
      return ([], (0..<count).map { _ in random.pick(others) })
    case "Concatenate":
      let others = values.indices.filter { values[$0].shape.dropLast() == shape.dropLast() && isFloating($0) }
      return ([], (0..<random.integer(1...2)).map { _ in random.pick(others) })
    case "MultiHeadAttention":
      guard shape.count == 2 else { return nil }
      let others = values.indices.filter {
        values[$0].shape.count == 2 && values[$0].shape[1] == shape[1] && isFloating($0)
      }
      var settings = [entry("num_heads", number(1...3)), entry("key_dim", number(1...4)), entry("use_gate", flag(0.3))]
      if random.chance(0.3) { settings.append(entry("sliding_window", number(1...3))) }
      return (settings, [random.pick(others)])
    case "Embedding": return nil  // Behind inputs of integers.
    case "Sequential":
      return ([entry("layers", Config(.array((0..<random.integer(1...3)).map { _ in inner() })))], [])
    case "Functional":
      // A residual block.
      let block = functional(
        [ModelInput(shape)], [inner(), inner(), Config(.string("Add"))].map { Config(["layer": $0]) },
        [[0], [1], [random.integer(0...1), 2]], output: 3)
      guard case .object(let settings) = block.value else { return nil }
      return (settings, [])
    case let name where Self.imageLayers.contains(name): return imageSettings(name, shape).map { ($0, []) }
    default: return nil  // A test asks for the names that are never drawn.
    }
  }

  /// Settings for a recurrent layer; nil where the value is no sequence.
  private mutating func recurrentSettings(_ name: String, _ shape: [Int]) -> [Config.Entry]? {
    let axes = name.hasSuffix("D") ? Int(String(name.dropLast().last ?? "1")) ?? 1 : 0
    guard shape.count == axes + 2 else { return nil }
    func entry(_ key: String, _ value: Config) -> Config.Entry { Config.Entry(key, value) }
    func units() -> Config.Entry { entry("units", Config(.int(random.integer(1...6)))) }
    let returning = [entry("return_sequences", flag(0.5)), entry("go_backwards", flag(0.3))]
    switch name {
    case "RNN":
      let cells = (0..<random.integer(1...2)).map { _ in
        let name = random.pick(["SimpleRNNCell", "LSTMCell", "GRUCell"])
        names.insert(name)
        return layer(name, [units()])
      }
      if cells.count > 1 { names.insert("StackedRNNCells") }
      let cell = cells.count == 1 ? cells[0] : layer("StackedRNNCells", [entry("cells", Config(.array(cells)))])
      return [entry("cell", cell)] + returning
    case "Bidirectional":
      let inner = random.pick(["SimpleRNN", "LSTM", "GRU"])
      let mode = random.pick(["concat", "sum", "mul", "ave"])
      return [
        entry("layer", layer(inner, [units(), returning[0]])), entry("merge_mode", Config(.string(mode))),
      ]
    case "LSTM", "GRU", "SimpleRNN":
      var settings = [units(), entry("use_bias", flag(0.8)), entry("dropout", Config(.double(random.pick([0, 0.1]))))]
      if name == "GRU" { settings.append(entry("reset_after", flag(0.7))) }
      return settings + returning
    default:
      let size = (0..<axes).map { _ in random.integer(1...3) }
      return [
        entry("filters", Config(.int(random.integer(1...3)))), entry("kernel_size", .ints(size)),
        entry("padding", Config(.string(random.pick(["valid", "same"])))),
      ] + returning
    }
  }

  /// Settings for a layer over sequences, images or volumes; nil where the value is none.
  private mutating func spatialSettings(_ name: String, _ shape: [Int]) -> [Config.Entry]? {
    let rank = name.contains("1D") ? 1 : name.contains("2D") ? 2 : 3
    guard shape.count == rank + 1 else { return nil }
    let isFirst = random.chance(0.15) && name != "UpSampling1D"
    let channels = isFirst ? shape[0] : shape[rank]
    func sizes(_ range: ClosedRange<Int>) -> Config { .ints((0..<rank).map { _ in random.integer(range) }) }
    func set(_ key: String, _ value: Config) { settings.append(Config.Entry(key, value)) }
    var settings: [Config.Entry] = []
    if isFirst { set("data_format", "channels_first") }
    switch name.replacing("1D", with: "").replacing("2D", with: "").replacing("3D", with: "") {
    case "UpSampling":
      set("size", sizes(1...2))
      if rank == 2, random.chance(0.5) { set("interpolation", Config(.string(random.pick(["bilinear", "bicubic"])))) }
    case "ZeroPadding": set("padding", rank == 1 ? Config(.int(random.integer(0...2))) : sizes(0...2))
    case "Cropping": set("cropping", rank == 1 ? Config(.int(random.integer(0...1))) : sizes(0...1))
    case "SpatialDropout": set("rate", 0.2)
    case "GlobalAveragePooling", "GlobalMaxPooling": set("keepdims", flag(0.3))
    case "AdaptiveAveragePooling", "AdaptiveMaxPooling": set("output_size", sizes(1...3))
    case "MaxPooling", "AveragePooling":
      set("pool_size", sizes(1...3))
      set("padding", Config(.string(random.pick(["valid", "same"]))))
      if random.chance(0.5) { set("strides", sizes(1...3)) }
    default:
      set("kernel_size", sizes(1...(rank == 3 ? 3 : 4)))
      set("padding", Config(.string(random.pick(["valid", "same"]))))
      set("activation", activation())
      // A step and a dilation together are refused, as in Keras.
      if random.chance(0.4) {
        set("strides", .ints([Int](repeating: random.integer(1...3), count: rank)))
      } else if random.chance(0.3) {
        set("dilation_rate", .ints([Int](repeating: 2, count: rank)))
      }
      if name.hasPrefix("Depthwise") || name.hasPrefix("Separable") {
        set("depth_multiplier", Config(.int(random.integer(1...2))))
      }
      let mayGroup = !name.hasPrefix("Separable") && !name.hasSuffix("Transpose") && !name.hasPrefix("Depthwise")
      let groups = !mayGroup ? 1 : channels % 2 == 0 ? random.pick([1, 1, 2]) : random.pick([1, 1, channels])
      if mayGroup { set("groups", Config(.int(groups))) }
      if !name.hasPrefix("Depthwise") { set("filters", Config(.int(groups * random.integer(1...5)))) }
    }
    return settings
  }

  private func isFloating(_ value: Int) -> Bool { !inputs.indices.contains(value) || inputs[value].dtype == .float32 }

  /// A layer of one input that keeps shapes, for a block inside the network.
  private mutating func inner() -> Config {
    let name = random.pick(["LayerNormalization", "Activation", "BatchNormalization", "LeakyReLU", "Rescaling"])
    guard let (settings, _) = settings(name, [1]) else { return "Flatten" }
    names.insert(name)
    return layer(name, settings)
  }

  private mutating func flag(_ probability: Double) -> Config { Config(.bool(random.chance(probability))) }

  private mutating func activation() -> Config {
    let name = random.pick(Catalog.activations.names)
    // Where a function jumps, engines that round otherwise may be on different sides; glu needs even sizes.
    if ["threshold", "hard_shrink", "glu"].contains(name) { return "relu" }
    return name == "gelu" ? Config(["gelu": Config(["approximate": flag(0.5)])]) : Config(.string(name))
  }

  // MARK: The end

  /// Brings all values that nobody uses together in one vector.
  private mutating func joinLooseEnds() {
    var loose = values.indices.filter { !values[$0].isUsed && isFloating($0) }
    if loose.isEmpty { loose = [values.count - 1] }
    var vectors: [Int] = []
    for value in loose {
      var last = value
      if values[last].shape.count == 3, random.chance(0.6) {
        let name = random.pick(["GlobalMaxPooling2D", "GlobalAveragePooling2D"])
        if append(Config(.string(name)), [last], name) { last = values.count - 1 }
      }
      if values[last].shape.count != 1, append("Flatten", [last], "Flatten") { last = values.count - 1 }
      vectors.append(last)
    }
    if vectors.count > 1 { append("Concatenate", vectors, "Concatenate") }
  }

  private mutating func addHead(_ count: Int) -> (loss: Config, labels: NDArray, metrics: [Config]) {
    let last = values.count - 1
    func dense(_ units: Int, _ activation: String) {
      append(
        Config(["Dense": Config(["units": Config(.int(units)), "activation": Config(.string(activation))])]), [last],
        "Dense")
    }
    let classes = random.integer(2...5)
    switch random.integer(0...5) {
    case 0, 1:
      dense(classes, "softmax")
      let classOf = (0..<count).map { _ in Int32(random.integer(0...classes - 1)) }
      let labels = labels(classOf, [count], [.int32, .int64, .uint8, .int8, .uint32, .float32, .float64])
      return ("sparse_categorical_crossentropy", labels, ["accuracy"])
    case 2:
      dense(classes, "softmax")
      var places = [Float](repeating: 0, count: count * classes)
      for sample in 0..<count { places[sample * classes + random.integer(0...classes - 1)] = 1 }
      let labels = labels(places, [count, classes], [.float32, .float64, .float16, .uint8, .bool, .int64])
      return ("categorical_crossentropy", labels, ["accuracy"])
    case 3:
      dense(1, "sigmoid")
      let isOne = (0..<count).map { _ in Float(random.integer(0...1)) }
      let labels = labels(isOne, [count, 1], [.float32, .float64, .float16, .uint8, .bool, .int32])
      return ("binary_crossentropy", labels, ["accuracy"])
    default:
      let outputs = random.integer(1...3)
      dense(outputs, "linear")
      let targets = (0..<count * outputs).map { _ in Float(random.real(-1...1)) }
      let loss = random.pick(["mean_squared_error", "mean_absolute_error", "huber"])
      let labels = labels(targets, [count, outputs], [.float32, .float64, .float16])
      return (Config(.string(loss)), labels, ["mean_squared_error"])
    }
  }

  private mutating func drawOptimizer() -> Config {
    // Where a step follows a sign or a norm of all elements, engines that round otherwise may differ by whole steps.
    let name = random.pick(
      ["sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "ftrl", "schedule_free_adamw"])
    var settings = [Config.Entry("learning_rate", Config(.double(name == "sgd" ? 0.02 : 0.002)))]
    switch name {
    case "sgd":
      settings.append(Config.Entry("momentum", Config(.double(random.pick([0, 0.9])))))
      settings.append(Config.Entry("nesterov", flag(0.5)))
    case "adam", "adamw": settings.append(Config.Entry("amsgrad", flag(0.3)))
    case "rmsprop": settings.append(Config.Entry("momentum", Config(.double(random.pick([0, 0.5])))))
    default: break
    }
    if random.chance(0.3) {
      settings.append(Config.Entry(random.pick(["clipnorm", "global_clipnorm", "clipvalue"]), 0.5))
    }
    return Config(.object([Config.Entry(name, Config(.object(settings)))]))
  }

  private func functional(_ inputs: [ModelInput], _ nodes: [Config], _ operands: [[Int]], output: Int) -> Config {
    let specs = inputs.map { Config(["shape": .ints($0.shape), "dtype": Config(.string($0.dtype.rawValue))]) }
    let joined = zip(nodes, operands).map { node, sources -> Config in
      guard case .object(let entries) = node.value else { return node }
      return Config(.object(entries + [Config.Entry("inputs", .ints(sources))]))
    }
    return Config(["inputs": Config(.array(specs)), "nodes": Config(.array(joined)), "output": Config(.int(output))])
  }
}

extension RandomNetwork {
  /// The layers of the catalog that no rule draws.
  public static func undrawnLayers() throws -> Set<String> {
    var drawn: Set<String> = []
    for seed in 0..<400 as Range<UInt64> { drawn.formUnion(try RandomNetwork(seed: seed).layerNames) }
    return Set(LayerCatalog().names).subtracting(drawn)
  }
}
