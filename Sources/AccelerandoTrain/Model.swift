// A model that can be trained: an architecture, its values on a device, and its compilation.

import AccelerandoCore
import AccelerandoNN
import Foundation

/// One input of a model, without the batch axis.
public struct ModelInput: Hashable, Sendable {
  /// The shape of one sample.
  public let shape: [Int]
  /// The element type that the architecture is checked with. Data of other types are accepted too.
  public let dtype: DType
  /// The name, for data by name; inputs without one are called `input`, `input_1` and so on.
  public let name: String?

  /// Describes an input.
  public init(_ shape: [Int], dtype: DType = .float32, name: String? = nil) {
    self.shape = shape
    self.dtype = dtype
    self.name = name
  }
}

/// A model with its values: compile it, fit it, evaluate it, predict with it.
///
/// A model is not Sendable: only one thread at a time may use it, like the memory on the device that it represents. To
/// pass a trained model to other threads, pass its `weights()`, which are a Sendable value, and the architecture.
public final class Model {
  /// The architecture.
  public let layer: any Layer
  /// The inputs.
  public let inputs: [ModelInput]
  /// The device, or the devices that work together.
  public var backend: any Backend { session.backend }
  /// The seed of initial weights, shuffling and the randomness of layers.
  public let seed: UInt64
  /// What the model is trained with, once it is compiled.
  public private(set) var compilation: Compilation?
  /// What training does with each output.
  private(set) var tasks: [OutputTask] = []
  /// Applied to every read of a parameter, in order: masks, casts, quantization. They are functions, which files cannot
  /// hold: a model that has some is not saved, its weights are.
  public let parameterTransforms: [Scope.Transform]
  /// What is done to parameters at the beginning of every step, in order; see `addParameterRule(_:)`.
  public internal(set) var parameterRules: [any ParameterRule] = []

  /// The passes through data that training has begun: the next one has an order of its own.
  var passes = 0
  /// Whether the weights and their running means have changed places.
  var holdsAverages = false
  /// What tracing found that is likely not meant.
  let notes = TraceNotes()

  private(set) var session: Session
  /// Whether the model has the weights of another model of the same layers, where there is one.
  let sharesWeights: Bool
  private let described: Result<Outline, any Error>
  private var holdsValues = false
  /// Parameters that begin with fresh values here, although another model of the same layers has trained them.
  private var beginsAnew: [String] = []
  var settling: Settling?

  /// Makes a model. An invalid architecture is reported by the first call that uses it.
  /// - Parameters:
  ///   - layer: the architecture.
  ///   - inputs: its inputs.
  ///   - backend: the device to run on.
  ///   - seed: the seed of initial weights, shuffling and dropout.
  ///   - sharesWeights: whether the model has the weights of the model that trained its layers last, where there is one: the
  ///     same memory, so that training one changes the other. Layers without such a model have weights of their own. Models
  ///     that share weights are used by one thread at a time.
  ///   - parameterTransforms: applied to every read of a parameter.
  public init(
    _ layer: any Layer, inputs: [ModelInput], backend: any Backend, seed: UInt64 = 0, sharesWeights: Bool = false,
    parameterTransforms: [Scope.Transform] = []
  ) {
    self.sharesWeights = sharesWeights
    self.layer = layer
    self.inputs = inputs
    self.seed = seed
    self.parameterTransforms = parameterTransforms
    session = Session(backend: backend)
    described = Result {
      for input in inputs where !input.shape.allSatisfy({ $0 >= 0 }) {
        throw TrainingError("the shape of an input has sizes of at least 0; received \(input.shape).")
      }
      return try Outline(of: layer, inputs: inputs.map { TensorType($0.dtype, [1] + $0.shape) })
    }
  }

  /// Makes a model of one input.
  /// - Parameters:
  ///   - layer: the architecture.
  ///   - inputShape: the shape of one sample, without the batch axis: `[28, 28, 1]`.
  ///   - backend: the device to run on.
  ///   - seed: the seed of initial weights, shuffling and dropout.
  public convenience init(_ layer: any Layer, inputShape: [Int], backend: any Backend, seed: UInt64 = 0) {
    self.init(layer, inputs: [ModelInput(inputShape)], backend: backend, seed: seed)
  }

  /// Makes a model of a graph of layers. Layers of a trained model bring their weights along, which both models then share.
  public convenience init(inputs: [Input], output: LayerOutput, backend: any Backend, seed: UInt64 = 0) {
    self.init(inputs: inputs, outputs: [output], backend: backend, seed: seed)
  }

  /// Makes a model of a graph of layers. Layers of a trained model bring their weights along: the models share them, so that
  /// intermediate outputs are features of the trained model, and a new head is trained on them.
  /// - Parameters:
  ///   - inputs: the graph's inputs.
  ///   - outputs: the graph's outputs, which have the names of their layers.
  ///   - backend: the device to run on.
  ///   - seed: the seed of initial weights, shuffling and dropout.
  public convenience init(inputs: [Input], outputs: [LayerOutput], backend: any Backend, seed: UInt64 = 0) {
    self.init(
      Functional(inputs: inputs, outputs: outputs),
      inputs: inputs.map { ModelInput($0.shape, dtype: $0.dtype, name: $0.name) },
      backend: backend, seed: seed, sharesWeights: true)
  }

  /// Makes a model of a graph of layers with named outputs: `["digit": digit, "parity": parity]`.
  public convenience init(
    inputs: [Input], outputs: KeyValuePairs<String, LayerOutput>, backend: any Backend, seed: UInt64 = 0
  ) {
    self.init(
      Functional(inputs: inputs, outputs: outputs),
      inputs: inputs.map { ModelInput($0.shape, dtype: $0.dtype, name: $0.name) },
      backend: backend, seed: seed, sharesWeights: true)
  }

  /// The parameters and shapes of the architecture.
  /// - Throws: `GraphError` when the architecture is invalid.
  public func outline() throws -> Outline { try described.get() }

  /// Sets optimizer, loss and metrics. Weights do not change; the optimizer starts anew.
  /// - Throws: `GraphError` when the architecture is invalid, `TrainingError` when two metrics have one name.
  public func compile(
    optimizer: any Optimizer, loss: any Loss, metrics: [any Metric] = [], weightedMetrics: [any Metric] = [],
    precision: Precision = .float32, groups: [ParameterGroup] = []
  ) throws {
    try compile(
      Compilation(
        optimizer: optimizer, loss: loss, metrics: metrics, weightedMetrics: weightedMetrics, precision: precision,
        groups: groups))
  }

  /// Sets optimizer, losses and metrics of a model with several outputs, by the names of the outputs. Logs have the sum
  /// `loss`, and `NAME_loss` and `NAME_METRIC` for each output.
  /// - Parameters:
  ///   - optimizer: the optimizer.
  ///   - losses: the loss of each output that has one.
  ///   - lossWeights: what the losses are multiplied by in the sum that training minimizes; 1 where nothing is said.
  ///   - metrics: metrics with equal weights for all samples.
  ///   - weightedMetrics: metrics with sample weights.
  ///   - precision: the element types that the model computes in.
  ///   - groups: the parameters that are frozen, or trained by another optimizer or rate.
  /// - Throws: `GraphError` when the architecture is invalid, `TrainingError` for outputs that do not exist.
  public func compile(
    optimizer: any Optimizer, losses: [String: any Loss], lossWeights: [String: Double] = [:],
    metrics: [String: [any Metric]] = [:], weightedMetrics: [String: [any Metric]] = [:],
    precision: Precision = .float32, groups: [ParameterGroup] = []
  ) throws {
    if let stranger = lossWeights.keys.sorted().first(where: { losses[$0] == nil }) {
      throw TrainingError("there is a weight for the loss of '\(stranger)', which has no loss.")
    }
    func watched(_ metrics: [String: [any Metric]], _ isWeighted: Bool) -> [OutputMetric] {
      metrics.sorted { $0.key < $1.key }.flatMap { output, metrics in
        metrics.map { OutputMetric($0, of: output, isWeighted: isWeighted) }
      }
    }
    try compile(
      Compilation(
        optimizer: optimizer,
        losses: losses.sorted { $0.key < $1.key }.map {
          OutputLoss($0.value, of: $0.key, weight: lossWeights[$0.key] ?? 1)
        }, watching: watched(metrics, false) + watched(weightedMetrics, true), precision: precision,
        groups: groups))
  }

  /// Says what the model is trained with.
  public func compile(_ compilation: Compilation) throws { try compile(compilation, optimizerState: nil) }

  /// Says what the model is trained with.
  /// - Parameter optimizerState: where the optimizer stands; nil for a new beginning.
  func compile(_ compilation: Compilation, optimizerState: Store?) throws {
    try compilation.checkSettings()
    let tasks = try compilation.tasks(for: try outline())
    let plan = try ParameterPlan(compilation, for: try outline())
    try checkSize(slots: compilation.optimizer.slots.count + compilation.optimizer.options.slots.count)
    try prepareValues()
    session.forget(prefixes: [
      "slot/", "loss_scale/", StateName.totals(.train), StateName.totals(.evaluate), StateName.iteration,
      StateName.learningRate,
    ])
    self.compilation = compilation
    self.tasks = tasks
    try session.set(StateName.randomKey, RandomKey(seed: seed).folded("layers").array)
    let initial = initialOptimizerState(of: compilation, plan)
    if let mismatch = optimizerState?.mismatch(with: initial.map { ($0.name, $0.type) }) { throw mismatch }
    for (name, type, value) in initial {
      try session.set(name, optimizerState?[name] ?? NDArray(repeating: value, type: type))
    }
  }

  /// Changes what training does from now on; state that there is already stays.
  func recompile(_ compilation: Compilation) throws {
    try compilation.checkSettings()
    let tasks = try compilation.tasks(for: try outline())
    let initial = initialOptimizerState(of: compilation, try ParameterPlan(compilation, for: try outline()))
    let known = Set(initial.map(\.name))
    session.forget(prefixes: session.buffers.keys.filter { $0.hasPrefix("slot/") && !known.contains($0) })
    (self.compilation, self.tasks) = (compilation, tasks)
    // A mean of weights begins with the weights as they are; the first of all steps would see to that itself.
    let means = Dictionary(
      uniqueKeysWithValues: try outline().parameters.map {
        (StateName.slot(OptimizerOptions.average, of: $0.name), StateName.parameter($0.name))
      })
    for (name, type, value) in initial where session.buffers[name] == nil {
      let start = try means[name].flatMap { try session.value($0) }
      try session.set(name, start ?? NDArray(repeating: value, type: type))
    }
  }

  /// What an optimizer begins with: its slots for each parameter that it trains, the count of its steps, the learning
  /// rate, the scale of the loss.
  private func initialOptimizerState(
    of compilation: Compilation, _ plan: ParameterPlan
  ) -> [(name: String, type: TensorType, value: Double)] {
    var state = plan.groups.flatMap { group in
      group.parameters.flatMap { spec in
        group.slots(of: spec).map {
          (StateName.slot($0.name, of: spec.name), $0.type(for: spec.type), $0.initialValue)
        }
      }
    }
    if compilation.precision.scalesLoss {
      state.append((LossScale.scaleName, TensorType(.float32, []), Double(LossScale.initial)))
      state.append((LossScale.goodStepsName, TensorType(.float32, []), 0))
    }
    state.append((StateName.iteration, TensorType(.int32, []), 0))
    if case .constant(let rate) = compilation.optimizer.learningRate {
      state.append((StateName.learningRate, TensorType(.float32, []), rate))
    }
    for group in plan.groups where group.rateName != StateName.learningRate {
      guard case .constant(let rate) = group.optimizer.learningRate else { continue }
      state.append((group.rateName, TensorType(.float32, []), rate))
    }
    return state
  }

  /// Initializes the parameters, once.
  func prepareValues() throws {
    guard !holdsValues else { return }
    let bytes = try checkSize()
    if bytes >= Self.largeModel {
      Warning.say("the model's parameters take \(Self.size(bytes)); to make their first values takes a while.")
    }
    let adopted = try adoptSharedValues()
    beginsAnew = try outline().names.learned.filter { !adopted.contains($0) }
    if try adopted.count < outline().parameters.count {
      for (name, value) in try outline().initialValues(seed: seed).entries where !adopted.contains(name) {
        try session.set(StateName.parameter(name), value)
      }
    }
    holdsValues = true
    try noteHomes(trains: false)
  }

  /// Initializing parameters of this many bytes takes seconds.
  private static let largeModel = 1 << 28

  /// Says, before values are used for the first time, that they are not those that another model of the same layers
  /// has.
  func warnOfFreshValues() {
    guard let first = beginsAnew.first else { return }
    Warning.say(
      "a model with some of these layers has been trained; this one begins with fresh values of '\(first)'"
        + (beginsAnew.count > 1 ? " and \(beginsAnew.count - 1) more" : "")
        + ". Take them over with setWeights(_:), or train this model.")
    beginsAnew = []
  }

  /// Refuses parameters that cannot fit, before any memory is taken for them.
  /// - Parameter slots: how many tensors the optimizer keeps beside each parameter that it trains.
  /// - Returns: the bytes of the parameters and the slots.
  @discardableResult
  private func checkSize(slots: Int = 0) throws -> Int {
    // What an optimizer keeps on a far device takes none of this machine's memory.
    let copies = session.backend.runsAhead ? 1 : 1 + slots
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    var total = 0
    for spec in try outline().parameters {
      // A parameter has at most 2⁴⁰ elements: neither the product nor the sum comes near an overflow before it is
      // refused.
      total += spec.type.byteCount * (spec.role == .trainable ? copies : 1)
      guard total < memory else {
        let what = copies > 1 ? "parameters and what the optimizer keeps of each" : "parameters"
        throw TrainingError(
          "the model's \(what) do not fit into this machine's \(Self.size(memory)): with '\(spec.name)', "
            + "\(spec.type), they take \(Self.size(total)). Make that layer smaller.")
      }
    }
    return total
  }

  /// Moves the model's values, and the optimizer's state, to another device or to several. The memory on the old one is
  /// released.
  /// - Throws: the device's error when it lacks the memory; the model then stays where it was.
  public func move(to backend: any Backend) throws {
    let moved = Session(backend: backend)
    for name in session.buffers.keys.sorted() {
      if let value = try session.value(name) { try moved.set(name, value) }
    }
    session = moved
    settling = nil
  }

  /// The names of the inputs: those that they were given, otherwise `input`, `input_1` and so on.
  public var inputNames: [String] {
    var count = 0
    return inputs.map { input in
      if let name = input.name { return name }
      defer { count += 1 }
      return count == 0 ? "input" : "input_\(count)"
    }
  }

  func compiled() throws -> Compilation {
    guard let compilation else {
      throw TrainingError("the model is not compiled: call compile(optimizer:loss:metrics:) first.")
    }
    return compilation
  }

  func programs() throws -> StepPrograms {
    StepPrograms(
      layer: layer, outline: try outline(), compilation: compilation, transforms: parameterTransforms,
      rules: parameterRules, notes: notes,
      leastSamples: backend is SharedBackend ? SharedBackend.leastSamples : 2)
  }

  /// Brings a dataset to the steps of a kind.
  func feeder(
    _ data: Dataset, _ kind: StepKind, batchSize: Int, shuffles: Bool = false, classWeights: [Int: Double]? = nil
  ) throws -> Feeder {
    let expectation = DataExpectation(
      inputs: inputs, names: inputNames, outline: try outline(), tasks: kind == .predict ? [] : tasks)
    return try Feeder(
      data, kind: kind, batchSize: batchSize, key: RandomKey(seed: seed).folded("shuffle"), shuffles: shuffles,
      session: session, programs: try programs(), expectation: expectation, classWeights: classWeights)
  }
}

// MARK: - Values

extension Model {
  /// The values of all parameters, in the order of first use: a snapshot.
  public func weights() throws -> Store {
    try prepareValues()
    return Store(
      try outline().parameters.map { spec in
        (spec.name, try session.buffer(StateName.parameter(spec.name), spec.type).read())
      })
  }

  /// Sets the values of all parameters.
  /// - Throws: `StoreMismatch` listing every missing, unexpected and mis-shaped name; nothing is changed then.
  public func setWeights(_ store: Store) throws {
    let parameters = try outline().parameters
    if let mismatch = store.mismatch(with: parameters.map { ($0.name, $0.type) }) { throw mismatch }
    // There is nothing that values from before would be needed for: drawing them takes longer than reading a file.
    try checkSize()
    if !holdsValues { _ = try adoptSharedValues() }
    holdsValues = true
    beginsAnew = []
    try outline().names.noteLearning()
    for (name, value) in store.entries { try session.set(StateName.parameter(name), value) }
    try noteHomes(trains: false)
  }

  /// Sets the values of some parameters, whose types fit.
  func take(_ values: [(String, NDArray)]) throws {
    try prepareValues()
    let names = Set(values.map(\.0))
    beginsAnew.removeAll { names.contains($0) }
    for (name, value) in values { try session.set(StateName.parameter(name), value) }
  }

  /// The number of steps of the optimizer.
  public func iteration() throws -> Int {
    try session.value(StateName.iteration)?.elements(as: Int32.self).first.map(Int.init) ?? 0
  }

  /// The learning rate of the next step.
  public func learningRate() throws -> Double {
    switch try compiled().optimizer.learningRate {
    case .constant: try session.scalar(StateName.learningRate)
    case .schedule: try compiled().optimizer.learningRate.value(iteration: try iteration())
    }
  }

  /// Sets the learning rate of the next steps.
  /// - Throws: `TrainingError` when the optimizer follows a schedule, `ConfigError` for a rate that is none.
  public func setLearningRate(_ rate: Double) throws {
    guard case .constant = try compiled().optimizer.learningRate else {
      throw TrainingError("the optimizer follows a learning-rate schedule; its rate cannot be set as well.")
    }
    try LearningRate.constant(rate).check()
    try session.set(StateName.learningRate, NDArray(scalar: Float(rate)))
  }

  /// The optimizer's state: the step counter, the learning rate and its slots, by name.
  public func optimizerState() throws -> Store {
    _ = try compiled()
    let names = session.buffers.keys.filter {
      $0.hasPrefix("slot/") || $0.hasPrefix("loss_scale/") || $0 == StateName.iteration
        || $0.hasPrefix(StateName.learningRate)
    }
    return Store(try names.sorted().compactMap { name in try session.value(name).map { (name, $0) } })
  }

  /// Sets the optimizer's state.
  /// - Throws: `StoreMismatch` when it belongs to another optimizer or another model; nothing is changed then.
  public func setOptimizerState(_ store: Store) throws {
    let current = try optimizerState()
    if let mismatch = store.mismatch(with: current.entries.map { ($0.0, $0.1.type) }) { throw mismatch }
    for (name, value) in store.entries { try session.set(name, value) }
  }
}
