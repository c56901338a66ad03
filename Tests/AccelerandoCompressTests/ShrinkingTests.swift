import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@testable import AccelerandoCompress

/// A network with everything that channels pass through: a residual addition, normalization, a depthwise convolution,
/// concatenation, flattening.
private func network(seed: UInt64 = 2) -> Model {
  let input = Input(shape: [8, 8, 3])
  let stem = Conv2D(12, kernelSize: (3, 3), padding: .same, name: "stem")(input)
  let normalized = BatchNormalization(name: "stem_norm")(stem)
  let active = ActivationLayer(.relu)(normalized)
  let inner = Conv2D(10, kernelSize: (3, 3), padding: .same, activation: .relu, name: "inner")(active)
  let back = Conv2D(12, kernelSize: (1, 1), usesBias: false, name: "back")(inner)
  let sum = Add()([active, back])
  let depthwise = DepthwiseConv2D(kernelSize: (3, 3), padding: .same, depthMultiplier: 2, name: "depthwise")(sum)
  let pooled = MaxPooling2D()(depthwise)
  let side = Conv2D(6, kernelSize: (3, 3), strides: (2, 2), padding: .same, activation: .relu, name: "side")(sum)
  let joined = Concatenate()([pooled, side])
  let flat = Flatten()(joined)
  let hidden = Dense(16, activation: .relu, name: "hidden")(flat)
  let output = Dense(5, activation: .softmax, name: "classes")(hidden)
  return Model(inputs: [input], output: output, backend: testBackend, seed: seed)
}

private func images(_ count: Int) throws -> NDArray {
  try NDArray(RandomKey(seed: 9).uniform(count * 192, from: -1, to: 1), shape: [count, 8, 8, 3])
}

/// Sets what leads out of some channels to zero, so that the channels do not matter.
private func silence(_ model: Model, _ changes: [(parameter: String, axis: Int, places: Set<Int>)]) throws {
  var weights = try model.weights()
  for (parameter, axis, places) in changes {
    let array = try #require(weights[parameter], "\(weights.names)")
    var elements = array.elements(as: Float.self)
    let inner = array.shape[(axis + 1)...].reduce(1, *)
    for index in elements.indices where places.contains(index / inner % array.shape[axis]) { elements[index] = 0 }
    weights[parameter] = try NDArray(elements, shape: array.shape)
  }
  try model.setWeights(weights)
}

/// A layer of one's own that says what it does with channels.
private struct Gain: Layer {
  let factor = Parameter(.ones)
  func forward(_ x: Tensor) -> Tensor { x * factor[x.dim(-1)] }
  func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.with(factor) }
}

/// One that says nothing.
private struct Mixture: Layer {
  let matrix = Parameter(.glorotUniform)
  func forward(_ x: Tensor) -> Tensor { x.matmul(matrix[x.dim(-1), x.dim(-1)]) }
}

@Suite struct ShrinkingTests {
  @Test func channelsPassThroughLayersOfOnesOwnThatSaySo() throws {
    func model(_ own: any Layer) -> Model {
      Model(
        Sequential {
          Dense(8, activation: .relu, name: "first")
          own
          Dense(3)
        }, inputShape: [4], backend: testBackend, seed: 1)
    }
    let small = try model(Gain()).withoutChannels(0.5)
    #expect(try small.weights().entries.map(\.1.shape) == [[4, 4], [4], [4], [4, 3], [3]])
    #expect(throws: CompressionError.self) { try model(Mixture()).withoutChannels(0.5) }
  }

  @Test func channelsAreFollowedThroughTheWholeGraph() throws {
    let model = network()
    let small = try model.withoutChannels(0.5)
    let shapes = Dictionary(
      uniqueKeysWithValues: try small.outline().layerCalls.map { ($0.name, Array($0.output.shape.dropFirst())) })
    #expect(shapes["stem"] == [8, 8, 6])
    #expect(shapes["inner"] == [8, 8, 5])
    #expect(shapes["back"] == [8, 8, 6])
    #expect(shapes["depthwise"] == [8, 8, 12])
    #expect(shapes["side"] == [4, 4, 3])
    #expect(shapes["hidden"] == [8])
    #expect(shapes["classes"] == [5])
    #expect(try small.predict(try images(3)).shape == [3, 5])
  }

  @Test func branchesThatShareALayerKeepOneSetOfChannels() throws {
    let input = Input(shape: [8, 8, 3])
    let (norm, depthwise) = (
      BatchNormalization(name: "norm"), DepthwiseConv2D(kernelSize: (3, 3), padding: .same, name: "deep")
    )
    let a = Conv2D(8, kernelSize: (3, 3), padding: .same, name: "a")(input)
    let b = Conv2D(8, kernelSize: (1, 1), name: "b")(input)
    let joined = Concatenate()([norm(a), norm(b)])
    let (c, d) = (
      Conv2D(6, kernelSize: (1, 1), name: "c")(joined), Conv2D(6, kernelSize: (3, 3), padding: .same, name: "d")(joined)
    )
    let output = Dense(3)(Flatten()(Concatenate()([depthwise(c), depthwise(d)])))
    let model = Model(inputs: [input], output: output, backend: testBackend, seed: 5)
    try model.compile(optimizer: .sgd, loss: .meanSquaredError)
    func name(_ layer: String, _ role: String) throws -> String {
      let call = try #require(try model.outline().layerCalls.first { $0.name == layer && !$0.parameters.isEmpty })
      return try #require(call.parameters.first { $0.hasSuffix(role) })
    }
    // The same four channels of both branches, and two of the later ones, give nothing.
    let (gone, later): (Set<Int>, Set<Int>) = ([0, 3, 4, 6], [1, 2, 5])
    var changes: [(parameter: String, axis: Int, places: Set<Int>)] = []
    for layer in ["a", "b"] { changes += [(try name(layer, "weight"), 3, gone), (try name(layer, "bias"), 0, gone)] }
    for role in ["gamma", "beta", "movingMean"] { changes.append((try name("norm", role), 0, gone)) }
    for layer in ["c", "d"] { changes += [(try name(layer, "weight"), 3, later), (try name(layer, "bias"), 0, later)] }
    changes += [(try name("deep", "weight"), 2, later), (try name("deep", "bias"), 0, later)]
    try silence(model, changes)
    let small = try model.withoutChannels(0.5)
    #expect(try small.weights()[name("norm", "gamma")]?.shape == [4])
    #expect(try small.weights()[name("a", "weight")]?.shape == [3, 3, 3, 4])
    #expect(try small.weights()[name("deep", "weight")]?.shape == [3, 3, 3, 1])
    let (x, before) = (try images(4), try model.predict(try images(4)).elements(as: Float.self))
    let after = try small.predict(x).elements(as: Float.self)
    for (first, second) in zip(before, after) { #expect(abs(first - second) <= 1e-5 * max(1, abs(first))) }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func weightsThatAreNotFiniteAreRefusedWithTheirPlace(_ value: Float) throws {
    let model = network()
    try model.compile(optimizer: .sgd, loss: .sparseCategoricalCrossentropy)
    var weights = try model.weights()
    let name = "layers.3.weight"
    let kernel = try #require(weights[name], "\(weights.names)")
    #expect(kernel.shape == [3, 3, 12, 10])
    var elements = kernel.elements(as: Float.self)
    elements[((1 * 3 + 2) * 12 + 5) * 10 + 7] = value
    weights[name] = try NDArray(elements, shape: kernel.shape)
    try model.setWeights(weights)
    let actions: [(String, () throws -> Void)] = [
      ("withoutChannels", { _ = try model.withoutChannels(0.5) }), ("pruneOnce", { try model.pruneOnce(to: 0.5) }),
      ("lamp", { try model.pruneOnce(to: 0.5, competition: .lamp) }),
      ("filters", { try model.pruneOnce(to: 0.5, structure: .filters) }),
      ("prune", { try model.prune(Pruning(.constant(0.5), competition: .global)) }),
      ("2:4", { try model.prune(.nOfM(layers: ["inner"])) }),
    ]
    for (action, body) in actions {
      let text = message(body)
      #expect(text.contains("'\(name)' has the value \(value) at [1, 2, 5, 7]"), "\(action): \(text)")
      #expect(model.parameterRules.isEmpty)
    }
  }

  @Test func takingOutWhatDoesNotMatterChangesNoPrediction() throws {
    let model = network()
    let names = try model.outline().parameters.map(\.name)
    func name(_ layer: String, _ role: String) throws -> String {
      let call = try #require(try model.outline().layerCalls.first { $0.name == layer })
      return try #require(call.parameters.first { $0.hasSuffix(role) }, "\(names)")
    }
    // Six channels of the residual sum give nothing: their filters, biases, gamma and beta are zero.
    let gone: Set<Int> = [0, 2, 5, 7, 8, 11]
    try silence(
      model,
      [
        (name("stem", "weight"), 3, gone), (name("stem", "bias"), 0, gone), (name("stem_norm", "gamma"), 0, gone),
        (name("stem_norm", "beta"), 0, gone), (name("back", "weight"), 3, gone),
        (name("inner", "weight"), 3, [1, 3, 4, 6, 9]), (name("inner", "bias"), 0, [1, 3, 4, 6, 9]),
        (name("side", "weight"), 3, [0, 4, 5]), (name("side", "bias"), 0, [0, 4, 5]),
        (name("hidden", "weight"), 1, [0, 1, 2, 3, 8, 9, 10, 15]),
        (name("hidden", "bias"), 0, [0, 1, 2, 3, 8, 9, 10, 15]),
      ])
    let small = try model.withoutChannels(0.5)
    let x = try images(4)
    let before = try model.predict(x).elements(as: Double.self)
    let after = try small.predict(x).elements(as: Double.self)
    #expect(zip(before, after).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(try small.weights().entries.reduce(0) { $0 + $1.1.elementCount } < 4_000)
  }

  @Test func sequentialAndNestedModelsShrinkToo() throws {
    let layer = Sequential {
      Sequential {
        Conv2D(8, kernelSize: (3, 3), activation: .relu)
        BatchNormalization()
        MaxPooling2D()
      }
      Flatten()
      Dense(20, activation: .relu)
      Dropout(0.1)
      Dense(3)
    }
    let model = Model(layer, inputShape: [8, 8, 3], backend: testBackend)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy)
    let small = try model.withoutChannels(0.75)
    let shapes = try small.weights().entries.map(\.1.shape)
    #expect(shapes.contains([3, 3, 3, 2]))
    #expect(shapes.contains([2 * 9, 5]))
    #expect(shapes.contains([5, 3]))
    #expect(small.compilation != nil)
    // A smaller model is a model: it can be shrunk again.
    #expect(try small.withoutChannels(0.5).weights().entries.map(\.1.shape).contains([3, 3, 3, 1]))
  }

  @Test func layersThatAreUsedTwiceShrinkOnce() throws {
    let input = Input(shape: [6])
    let shared = Dense(6, activation: .relu, name: "shared")
    let first = Dense(6, activation: .relu, name: "first")(input)
    let twice = shared(shared(first))
    let model = Model(inputs: [input], output: Dense(2)(twice), backend: testBackend)
    let small = try model.withoutChannels(0.5)
    #expect(try small.weights().entries.map(\.1.shape) == [[6, 3], [3], [3, 3], [3], [3, 2], [2]])
  }

  @Test func onlyTheLayersThatAreMeantLoseOutputs() throws {
    let small = try network().withoutChannels(0.5, layers: ["inner", "hidden"])
    let shapes = Dictionary(
      uniqueKeysWithValues: try small.outline().layerCalls.map { ($0.name, Array($0.output.shape.dropFirst())) })
    #expect(shapes["stem"] == [8, 8, 12])
    #expect(shapes["inner"] == [8, 8, 5])
    #expect(shapes["side"] == [4, 4, 6])
    #expect(shapes["hidden"] == [8])
  }

  @Test func unknownLayersKeepWhatTheyGet() throws {
    let layer = Sequential {
      Dense(8, activation: .relu)
      Turned()
      Dense(6, activation: .relu)
      Dense(2)
    }
    let model = Model(layer, inputShape: [4], backend: testBackend)
    let small = try model.withoutChannels(0.5)
    #expect(try small.weights().entries.map(\.1.shape).contains([4, 8]))
    #expect(try small.weights().entries.map(\.1.shape).contains([8, 3]))
    let stuck = Model(
      Sequential {
        Dense(8)
        Turned()
      }, inputShape: [4], backend: testBackend)
    #expect(message { _ = try stuck.withoutChannels(0.5) }.contains("Turned"))
    #expect(message { _ = try stuck.withoutChannels(1) }.contains("below 1; received 1"))
  }
}

/// A layer that nobody foresaw.
private struct Turned: Layer {
  func forward(_ x: Tensor) -> Tensor { x.reversed(axes: [1]) }
}
