// Training that `fit` cannot describe: several models, several optimizers, losses of one's own. The user writes one step as
// formulas; it becomes one program, as the steps of `fit` are.

import AccelerandoCore
import AccelerandoNN

/// A training step of one's own for one or more models.
///
/// The formula is traced once for each shape of its inputs, compiled, and run on the models' own values, so that `predict`
/// and `save` use what was trained. A generative adversarial network:
///
///     let entropy = BinaryCrossentropy()
///     let step = try TrainingStep(generator, critic) { step in
///       let real = step.inputs[0].converted(to: .float32) / 255
///       let fake = generator(step.normal([real.shape[0], 64]))
///       let (yes, no) = (critic(real), critic(fake))
///       step.minimize(entropy(yes, yes.onesLike()) + entropy(no, no.zerosLike()), training: critic, by: .adam(2e-4))
///       let verdict = critic(fake)
///       step.minimize(entropy(verdict, verdict.onesLike()), training: generator, by: .adam(2e-4))
///     }
///     try step(images)
///
/// It runs on one device, that of the first model. It belongs to one thread.
public final class TrainingStep {
  /// The models, whose parameters the step may use and train.
  public let models: [Model]
  private let formula: (Trace) throws -> Void
  private let names: ParameterNames
  /// For each parameter by its name in the step: its model, and its name there.
  private var owners: [String: (model: Model, name: String)] = [:]
  /// The step's own state: optimizers' slots, sums of reported values, the number of steps.
  private let session: Session
  private var compiled: [[TensorType]: Compiled] = [:]
  /// The steps since the last averages.
  private var stepCount = 0

  private struct Compiled {
    let execution: any Execution
    let inputs: [any Buffer]
    /// The memory of each model that the program is tied to.
    let sessions: [Session]
  }

  /// The models as one layer, so that each parameter has one name.
  private struct Models: Layer {
    let models: [any Layer]
    func forward(_ x: Tensor) -> Tensor { x }
  }

  /// Describes a step.
  /// - Parameters:
  ///   - first: a model that the formula uses.
  ///   - others: further models. They move to the device of the first one.
  ///   - seed: the seed of random numbers and of dropout.
  ///   - formula: the step. It is called when the step first runs on inputs of some shapes; what it throws, the call throws.
  /// - Throws: `GraphError` for invalid models, `TrainingError` for models that cannot be trained together.
  public init(_ first: Model, _ others: Model..., seed: UInt64 = 0, formula: @escaping (Trace) throws -> Void) throws {
    models = [first] + others
    self.formula = formula
    names = ParameterNames(of: Models(models: models.map(\.layer)))
    session = Session(backend: first.backend)
    try session.set(StateName.randomKey, RandomKey(seed: seed).folded("step").array)
    for (number, model) in models.enumerated() {
      guard !models[..<number].contains(where: { $0 === model }) else {
        throw TrainingError("a training step got one model twice.")
      }
      guard model.parameterRules.isEmpty else {
        throw TrainingError(
          "a model with a parameter rule, such as pruning, is trained by fit; a training step has none.")
      }
      try adopt(model)
      if number > 0 { try model.move(to: first.backend) }
    }
  }

  /// Runs the step once.
  /// - Parameter arrays: the inputs by position or by name, with the batch axis: `[images]`, `["image": images]`.
  /// - Throws: `GraphError` for formulas that are none, `TrainingError` for models that cannot be trained together.
  public func callAsFunction(_ arrays: NamedArrays) throws {
    let types = arrays.map(\.type)
    var step = compiled[types]
    if let known = step, zip(known.sessions, models).contains(where: { $0 !== $1.session }) { step = nil }
    let current = try step ?? compile(types, names: arrays.names)
    compiled[types] = current
    for (array, buffer) in zip(arrays, current.inputs) { try buffer.write(array) }
    try current.execution.run()
    stepCount += 1
  }

  /// Runs the step once on inputs by position.
  public func callAsFunction(_ arrays: NDArray...) throws { try self(NamedArrays(arrays)) }

  /// The means of the reported values over the steps since the last call, by name; empty before the first step.
  public func averages() throws -> [String: Double] {
    defer { stepCount = 0 }
    var result: [String: Double] = [:]
    for (name, buffer) in session.buffers where name.hasPrefix(Self.reportPrefix) && stepCount > 0 {
      result[String(name.dropFirst(Self.reportPrefix.count))] = try session.scalar(name) / Double(stepCount)
      try buffer.write(NDArray(zeros: buffer.type))
    }
    return result
  }

  /// The optimizers' state and the number of steps, by name, to go on later. The models' weights are the models'.
  public func state() throws -> Store {
    let names = session.buffers.keys.filter { !$0.hasPrefix(Self.reportPrefix) }.sorted()
    return Store(try names.compactMap { name in try session.value(name).map { (name, $0) } })
  }

  /// Goes on from a state that `state()` gave.
  /// - Throws: `StoreMismatch` for the state of another step, if this one has run before.
  public func setState(_ state: Store) throws {
    if !compiled.isEmpty, let mismatch = state.mismatch(with: try self.state().entries.map({ ($0.0, $0.1.type) })) {
      throw mismatch
    }
    for (name, value) in state.entries { try session.set(name, value) }
    compiled = [:]
  }

  fileprivate static let reportPrefix = "report/"
}

extension TrainingStep {
  /// Notes whose the parameters are, and gives them values.
  private func adopt(_ model: Model) throws {
    let inside = names.names(inside: model.layer)
    for spec in try model.outline().parameters {
      guard let name = inside[spec.name] else { continue }
      if let owner = owners[name] {
        throw TrainingError(
          "two models of a training step share the parameter '\(owner.name)'. Make one model of all layers, or give the step "
            + "only one of the two.")
      }
      owners[name] = (model, spec.name)
    }
    try model.prepareValues()
    try model.outline().names.noteLearning()
    try model.noteHomes(trains: true)
  }

  private func compile(_ types: [TensorType], names inputNames: [String]) throws -> Compiled {
    let step = StepTrace()
    var values: [String: Tensor] = [:]
    let specs = try models.flatMap { model in
      let inside = names.names(inside: model.layer)
      return try model.outline().parameters.compactMap { spec in
        inside[spec.name].map {
          ParameterSpec(name: $0, type: spec.type, role: spec.role, initializer: spec.initializer)
        }
      }
    }
    for spec in specs { values[spec.name] = step.input(StateName.parameter(spec.name), spec.type) }
    let inputs = types.enumerated().map { step.input(StateName.feature($0.offset), $0.element) }
    let iteration = step.input(StateName.iteration, TensorType(.int32, []))
    let key = step.input(StateName.randomKey, TensorType(.uint32, [2])).foldingIn(iteration)
    let scope = Scope(
      graph: step.graph, names: names, values: values, isTraining: true, randomKey: key,
      frozen: Set(names.all.filter { !names.options(of: $0).isTrainable }))
    let trace = Trace(
      step: step, scope: scope, iteration: iteration, inputs: inputs, inputNames: inputNames, names: names, specs: specs
    )
    try scope.run { try formula(trace) }
    if let error = step.graph.firstError { throw error }
    guard trace.optimizerCount > 0 else {
      throw TrainingError("the training step minimizes nothing: call step.minimize(_:training:by:) in its formula.")
    }
    for spec in specs {
      guard let value = scope.value(of: spec.name), value.place != values[spec.name]?.place else { continue }
      step.assign(StateName.parameter(spec.name), value)
    }
    step.assign(StateName.iteration, iteration + 1)
    let program = try step.program()
    for (name, type, value) in trace.slots {
      guard let known = session.buffers[name] else {
        try session.set(name, NDArray(repeating: value, type: type))
        continue
      }
      guard known.type == type else {
        throw TrainingError("the optimizer's '\(name)' is \(type); the state that was set has \(known.type).")
      }
    }
    var batch: [any Buffer] = []
    let buffers = try program.inputs.map { input -> any Buffer in
      if let number = types.indices.first(where: { StateName.feature($0) == input.name }) {
        let buffer = try session.backend.makeBuffer(types[number])
        batch.append(buffer)
        return buffer
      }
      guard let name = specs.first(where: { StateName.parameter($0.name) == input.name })?.name,
        let owner = owners[name]
      else { return try session.buffer(input.name, input.type) }
      return try owner.model.session.buffer(StateName.parameter(owner.name), input.type)
    }
    return Compiled(
      execution: try session.backend.compile(program).bind(buffers), inputs: batch, sessions: models.map(\.session))
  }
}

extension TrainingStep {
  /// What a formula has at hand while it is traced: the inputs, randomness, and what the step shall do.
  public final class Trace {
    /// The inputs, in order.
    public let inputs: [Tensor]
    private let inputNames: [String]
    private let step: StepTrace
    private let scope: Scope
    private let iteration: Tensor
    private let names: ParameterNames
    private let specs: [ParameterSpec]
    fileprivate private(set) var slots: [(name: String, type: TensorType, value: Double)] = []
    private var reports: [String] = []
    fileprivate private(set) var optimizerCount = 0

    fileprivate init(
      step: StepTrace, scope: Scope, iteration: Tensor, inputs: [Tensor], inputNames: [String], names: ParameterNames,
      specs: [ParameterSpec]
    ) {
      self.step = step
      self.scope = scope
      self.iteration = iteration
      self.inputs = inputs
      self.inputNames = inputNames
      self.names = names
      self.specs = specs
    }

    /// The input of a name. Reports an error if there is none.
    public subscript(_ name: String) -> Tensor {
      if let number = inputNames.firstIndex(of: name) { return inputs[number] }
      step.graph.report(
        GraphError(
          "the step has no input '\(name)'. It was given: \(inputNames.joined(separator: ", ")).", path: ["step"]))
      return step.graph.add(Constant(NDArray(scalar: Float(0))))
    }

    /// A random key that no other use in the step gets, for `randomBernoulli` and the like.
    public func randomKey() -> Tensor { scope.nextRandomKey() }

    /// Numbers of the standard normal distribution, new ones in each step.
    public func normal(_ shape: [Int]) -> Tensor { randomKey().randomNormal(shape) }

    /// Numbers uniform in 0 ..< 1, new ones in each step.
    public func uniform(_ shape: [Int]) -> Tensor { randomKey().randomUniform(shape) }

    /// Adds a number to those whose means `averages()` gives.
    /// - Parameters:
    ///   - name: what `averages()` calls it.
    ///   - value: a scalar; of other tensors, the mean.
    public func report(_ name: String, _ value: Tensor) {
      guard !reports.contains(name) else {
        return step.graph.report(GraphError("reports '\(name)' twice.", path: ["step"]))
      }
      reports.append(name)
      step.accumulate(TrainingStep.reportPrefix + name, value.rank == 0 ? value : value.mean())
    }

    /// The penalties of the weights of models (`regularized`), and what all layers have added to the loss so far in the formula
    /// (`addLoss`, activity regularizers): a scalar to add to the loss that is minimized; 0 if there are none.
    public func addedLosses(of models: Model...) -> Tensor {
      let members = Set(models.flatMap { names.names(inside: $0.layer).values })
      var sum = scope.losses.reduce(step.graph.add(Constant(NDArray(scalar: Float(0)))), +)
      for spec in specs where members.contains(spec.name) && spec.role == .trainable {
        let options = names.options(of: spec.name)
        guard options.isTrainable, let regularizer = options.regularizer, let value = scope.value(of: spec.name) else {
          continue
        }
        sum = sum + regularizer.penalty(value.widened()).converted(to: .float32)
      }
      return sum
    }

    /// Changes the parameters of models so that a loss becomes smaller. What follows in the formula sees the new values; a loss
    /// that was computed before knows only the old ones.
    /// - Parameters:
    ///   - loss: a scalar; of other tensors, the mean.
    ///   - models: the models to train. All others stay what they are.
    ///   - optimizer: the rule of the change. Each call of `minimize` has slots of its own.
    public func minimize(_ loss: Tensor, training models: Model..., by optimizer: any Optimizer) {
      let loss = loss.rank == 0 ? loss : loss.mean()
      let members = Set(models.flatMap { names.names(inside: $0.layer).values })
      let trained = specs.filter {
        $0.role == .trainable && members.contains($0.name) && names.options(of: $0.name).isTrainable
      }
      let weights = trained.compactMap { scope.value(of: $0.name) }
      func reject(_ complaint: String) { step.graph.report(GraphError(complaint, path: ["step", "minimize"])) }
      guard weights.count == trained.count, !trained.isEmpty else {
        return reject("the models to train have no parameters to train, or were not given to the training step.")
      }
      do { try optimizer.checkSettings() } catch { return reject("\(error)") }
      let found = pullback(of: [loss], seeds: [loss.onesLike()], withRespectTo: weights)
      guard found.contains(where: { $0 != nil }) else {
        return reject(
          "the loss depends on no parameter of the models to train. If they were trained earlier in the step, compute it after that."
        )
      }
      let number = optimizerCount
      optimizerCount += 1
      let count = iteration.converted(to: .float32) + 1
      let rate = optimizer.learningRate.value(step: count)
      let update = WeightUpdate(optimizer, learningRate: rate, iteration: iteration, path: ["optimizer \(number)"])
      func name(_ slot: Slot, _ spec: ParameterSpec) -> String { "slot/\(number)/\(spec.name).\(slot.name)" }
      let updated = update.weights(
        zip(trained, zip(weights, found)).map { spec, values in
          WeightUpdate.Member(
            spec: spec, weight: values.0, gradient: values.1 ?? values.0.zerosLike(),
            constraint: names.options(of: spec.name).constraint)
        },
        read: { slot, spec in
          slots.append((name(slot, spec), slot.type(for: spec.type), slot.initialValue))
          return step.input(name(slot, spec), slot.type(for: spec.type))
        }, write: { slot, spec, new, _ in step.assign(name(slot, spec), new) })
      for (spec, weight) in zip(trained, updated) { scope.replaceValue(of: spec.name, with: weight) }
    }
  }
}

extension Model {
  /// The model's output in the trace of a `TrainingStep`; the first, where there are several.
  public func callAsFunction(_ x: Tensor) -> Tensor { layer(x) }

  /// All outputs of the model in the trace of a `TrainingStep`.
  public func applied(to inputs: [Tensor]) -> [Tensor] { layer.applied(to: inputs) }
}
