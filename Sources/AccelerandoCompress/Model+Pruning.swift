// The interface of pruning: add it to a model, train, and strip it again.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain

extension Model {
  /// Prunes the model while it trains: `fit` computes masks in the steps that the schedules say, and all steps, of
  /// training and otherwise, see the masked weights. Works for every model; no layer is changed.
  /// - Throws: `CompressionError` when the model has nothing to prune there, the description does not fit it, or weights are
  ///   not finite.
  public func prune(_ pruning: Pruning) throws {
    let plan = try PruningPlan(pruning, for: try outline())
    try settledWeights().requireFinite(plan.parameters.map(\.name))
    try removePruning()
    try addParameterRule(plan)
  }

  /// Removes the pruning of the model, and leaves the zeros in its weights and other rules as they are.
  public func removePruning() throws { try removeParameterRules { $0 is PruningPlan } }

  /// Refuses a run in which some layer gets no masks.
  /// - Parameter steps: the number of steps of the run.
  /// - Throws: `CompressionError` that names the step of the first masks and the number of steps. `fit` checks the
  ///   same.
  public func checkPruning(steps: Int) throws {
    for rule in parameterRules { try rule.check(try ruleState(), steps: steps) }
  }

  /// Makes weights zero at once, by their current magnitudes.
  /// - Parameters:
  ///   - sparsity: the proportion of weights that become zero, at least 0 and below 1.
  ///   - structure: what is pruned as a unit.
  ///   - competition: which weights compete with each other.
  ///   - layers: names or types of layers, or names of parameters.
  ///   - keepsMasks: whether training that follows leaves the zeros zero, as with `prune(_:)`.
  /// - Throws: `CompressionError` when the model has nothing to prune there, or weights are not finite.
  public func pruneOnce(
    to sparsity: Double, structure: Pruning.Structure = .weights, competition: Pruning.Competition = .tensor,
    layers: [String] = ["*"], keepsMasks: Bool = true
  ) throws {
    // Step 0 comes before all training steps, so these masks are the only ones.
    let schedule = ConstantSparsity(sparsity, begin: 0, end: 0, frequency: 1)
    let pruning = Pruning(schedule, structure: structure, competition: competition, layers: layers)
    var plan = try PruningPlan(pruning, for: try outline())
    plan.hasMasks = true
    try settledWeights().requireFinite(plan.parameters.map(\.name))
    try removePruning()
    try addParameterRule(plan)
    var state = try ruleState()
    for (name, value) in try plan.firstMasks(for: try weights(), on: backend).entries { state[name] = value }
    try setRuleState(state)
    try settle()
    if !keepsMasks { try removePruning() }
  }

  /// A model of the same architecture without pruning or other rules for parameters, with the zeros in its weights. Its optimizer starts anew.
  public func stripped() throws -> Model {
    let model = Model(
      layer, inputs: inputs, backend: backend, seed: seed, parameterTransforms: parameterTransforms)
    try model.setWeights(try settledWeights())
    if let compilation { try model.compile(compilation) }
    return model
  }

  private func settle() throws { try setWeights(try settledWeights()) }
}

extension Store {
  /// Refuses values that are no numbers to compare by size.
  /// - Throws: `CompressionError` naming the first parameter that has one, and the element.
  func requireFinite(_ names: [String]) throws {
    for name in names {
      guard let array = self[name] else { continue }
      guard let place = array.elements(as: Double.self).firstIndex(where: { !$0.isFinite }) else { continue }
      var rest = place
      let indices = array.shape.rowMajorStrides.map { stride -> Int in
        defer { rest %= max(stride, 1) }
        return rest / max(stride, 1)
      }
      throw CompressionError(
        "'\(name)' has the value \(array.elements(as: Double.self)[place]) at \(indices): weights that are not finite "
          + "cannot be compared by their size. Train the model again, with a smaller learning rate perhaps.")
    }
  }
}

extension PruningPlan {
  /// The state in which masks have been computed once.
  fileprivate func firstMasks(for weights: Store, on backend: any Backend) throws -> Store {
    var state = initialState
    for group in groups {
      let arrays = group.parameters.compactMap { weights[$0.name] }
      let program = try Program.trace(arrays.map(\.type)) { tensors in
        guard let first = tensors.first else { return [] }
        return group.computed(tensors, first.constant(NDArray(scalar: Int32(0))))
      }
      let results = try backend.evaluate(program, arrays)
      for (index, spec) in group.parameters.enumerated() {
        state[Name.mask(spec.name)] = results[index]
        state[Name.threshold(spec.name)] = results[group.parameters.count + index]
      }
    }
    return state
  }
}
