// A change to the parameters before a step computes with them, with its own state: the masks of pruning. It is traced
// into the step, so that a step is one program on any backend, also in a loop on the device.

import AccelerandoCore
import AccelerandoNN

/// A change to parameters at the beginning of every step. A model may have several, which follow one another.
///
/// In a training step the changed values replace the parameters: the layers compute with them, gradients are taken with
/// respect to them, and the optimizer updates them. Evaluation and prediction compute with them and store nothing.
public protocol ParameterRule: Sendable {
  /// The state, with initial values. The names begin with a prefix that no other state has, as in `pruning/step`.
  var initialState: Store { get }

  /// The changed parameters, by name. Changing them once more changes nothing: at the end of an epoch, and in saved models,
  /// parameters have the values that steps computed with.
  /// - Parameters:
  ///   - parameters: the tensors of all parameters, by name.
  ///   - step: the step that is being traced, with the rule's state.
  func apply(to parameters: [String: Tensor], in step: RuleStep) -> [String: Tensor]

  /// Refuses a run in which the rule would have no effect, before the first step.
  /// - Parameters:
  ///   - state: the state at the beginning of the run.
  ///   - steps: the number of steps of the run, if known beforehand.
  func check(_ state: Store, steps: Int?) throws
}

/// A step that is being traced, as seen by a rule for parameters.
public struct RuleStep {
  /// What the step does. Only training steps change state.
  public let kind: StepKind
  /// Makes the tensor of a value that is remembered.
  let read: (String) -> Tensor?
  /// Says what a value will be after the step.
  let write: (String, Tensor) -> Void

  /// The tensor of a value of the rule's state; nil if there is none with the name.
  public func state(_ name: String) -> Tensor? { read(name) }

  /// Sets a value of the state after the step; without effect in steps that do not train.
  public func remember(_ name: String, _ value: Tensor) { if kind == .train { write(name, value) } }
}

/// A rule that can be saved with its model: its settings, in a form that a maker of the same name in
/// `ModelCatalogs.parameterRules` reads.
public typealias ConfigurableRule = Configurable & ParameterRule

/// How a rule is made for a model, once its settings are read.
public struct RuleMaker: Sendable {
  let make: @Sendable (Outline) throws -> any ParameterRule

  /// Makes a rule for the parameters of a model.
  public init(_ make: @escaping @Sendable (Outline) throws -> any ParameterRule) { self.make = make }
}

extension Model {
  /// Adds a rule for parameters, behind those that there are: it sees what they have changed.
  /// - Throws: `TrainingError` when another rule has state of the same name; nothing is changed then.
  public func addParameterRule(_ rule: any ParameterRule) throws {
    try prepareValues()
    let known = Set(parameterRules.flatMap(\.initialState.names))
    if let taken = rule.initialState.names.first(where: known.contains) {
      throw TrainingError(
        "two rules for parameters have state of the name '\(taken)'. Remove the first with removeParameterRules(where:), or give the "
          + "state of the other another name.")
    }
    parameterRules.append(rule)
    try rulesChanged()
    for (name, value) in rule.initialState.entries { try session.set(name, value) }
  }

  /// Removes rules for parameters, by default all. Their effect stays: parameters keep the values that steps computed with.
  public func removeParameterRules(where isRemoved: (any ParameterRule) -> Bool = { _ in true }) throws {
    guard parameterRules.contains(where: isRemoved) else { return }
    try prepareValues()
    try settleParameters()
    let names = parameterRules.filter(isRemoved).flatMap(\.initialState.names)
    parameterRules.removeAll(where: isRemoved)
    try rulesChanged()
    session.forget(prefixes: names)
  }

  /// Programs that were made before know nothing of the rules.
  private func rulesChanged() throws {
    settling = nil
    session.forget(prefixes: [])
  }

  /// The state of the rules for parameters, by name; empty without rules.
  public func ruleState() throws -> Store {
    let names = parameterRules.flatMap(\.initialState.names)
    return Store(try names.compactMap { name in try session.value(name).map { (name, $0) } })
  }

  /// Sets the state of the rules for parameters.
  /// - Throws: `StoreMismatch` when it belongs to other rules or another model; nothing is changed then.
  public func setRuleState(_ store: Store) throws {
    let expected = parameterRules.flatMap(\.initialState.entries)
    if let mismatch = store.mismatch(with: expected.map { ($0.0, $0.1.type) }) { throw mismatch }
    for (name, value) in store.entries { try session.set(name, value) }
  }

  /// The values of all parameters as steps compute with them: `weights()` if no rule changes them.
  public func settledWeights() throws -> Store {
    var weights = try weights()
    guard let settling = try settlingExecution() else { return weights }
    try settling.execution.run()
    for (name, buffer) in zip(settling.names, settling.execution.outputs) { weights[name] = try buffer.read() }
    return weights
  }

  /// The model as steps compute with it: the values of all parameters, and what rules remember. Both belong together; masks of
  /// another epoch would be put on the weights otherwise.
  func settledState() throws -> Store {
    var state = Store(try settledWeights().entries.map { (StateName.parameter($0.0), $0.1) })
    for (name, value) in try ruleState().entries { state[name] = value }
    return state
  }

  /// Puts the model back to what it was when `settledState()` was called.
  /// - Throws: `StoreMismatch` when it is of another model or other rules.
  func restore(settledState state: Store) throws {
    let prefix = StateName.parameter("")
    let rule = Store(state.entries.filter { !$0.0.hasPrefix(prefix) })
    try setWeights(
      Store(state.entries.filter { $0.0.hasPrefix(prefix) }.map { (String($0.0.dropFirst(prefix.count)), $0.1) }))
    try setRuleState(rule)
  }

  /// Lets parameters have the values that the last step computed with, changed by the optimizer and the rules.
  func settleParameters() throws {
    guard let settling = try settlingExecution() else { return }
    try settling.execution.run()
    let values = try settling.execution.outputs.map { try $0.read() }
    for (name, value) in zip(settling.names, values) { try session.set(StateName.parameter(name), value) }
  }

  /// The rules as a program of their own, tied to the session's memory.
  private func settlingExecution() throws -> Settling? {
    if parameterRules.isEmpty { return nil }
    if let settling { return settling }
    let graph = Graph()
    var inputs: [(name: String, type: TensorType)] = []
    func input(_ name: String, _ type: TensorType) -> Tensor {
      inputs.append((name, type))
      return graph.input(name, type)
    }
    var parameters = Dictionary(
      uniqueKeysWithValues: try outline().parameters.map { spec in
        (spec.name, input(StateName.parameter(spec.name), spec.type))
      })
    var all: [String: Tensor] = [:]
    for rule in parameterRules {
      let state = rule.initialState
      let step = RuleStep(
        kind: .evaluate, read: { name in state[name].map { input(name, $0.type) } }, write: { _, _ in })
      let own = rule.apply(to: parameters, in: step)
      parameters.merge(own) { $1 }
      all.merge(own) { $1 }
    }
    let changed = all.sorted { $0.key < $1.key }
    let program = try Program(graph, outputs: changed.map(\.value))
    let buffers = try inputs.map { try session.buffer($0.name, $0.type) }
    let made = Settling(names: changed.map(\.key), execution: try backend.compile(program).bind(buffers))
    settling = made
    return made
  }

  /// A program that applies the rules, and the parameters that it gives.
  struct Settling {
    let names: [String]
    let execution: any Execution
  }
}
