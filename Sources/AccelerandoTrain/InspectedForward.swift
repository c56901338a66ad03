// The forward pass of a training step as a program of its own, for looking inside: what it is asked for costs time, so the step that
// trains stays what it is.

import AccelerandoCore
import AccelerandoNN

/// A forward pass of a training step that is being traced.
struct InspectedForward {
  let graph: Graph
  let scope: Scope
  /// The values of the graph's inputs.
  let inputs: [NDArray]
  /// The trained tensors by the names of their parameters.
  let parameters: [String: Tensor]
  /// The model's outputs.
  let predictions: [Tensor]
  /// The loss of each output that has one, with its labels.
  let tasks: [(task: OutputTask, prediction: Tensor, labels: Tensor)]

  /// Traces a pass with the values that the model has now.
  /// - Parameters:
  ///   - batch: a batch in the model's shapes, with labels.
  ///   - weights: the model's values.
  ///   - onResult: is told the output of every layer, inner layers first.
  init(
    _ model: Model, _ batch: Batch, weights: Store,
    onResult: @escaping (_ path: [String], _ layer: any Layer, _ result: Tensor) -> Void
  ) throws {
    let graph = Graph()
    var inputs: [NDArray] = []
    func input(_ name: String, _ value: NDArray) -> Tensor {
      inputs.append(value)
      return graph.input(name, value.type)
    }
    let compilation = try model.compiled()
    let parameters = Dictionary(uniqueKeysWithValues: weights.entries.map { ($0.0, input($0.0, $0.1)) })
    let features = batch.features.enumerated().map { input(StateName.feature($0), $1) }
    let key = input(StateName.randomKey, try model.session.value(StateName.randomKey) ?? RandomKey(seed: 0).array)
    let iteration = input(StateName.iteration, NDArray(scalar: Int32(clamping: try model.iteration())))
    let scope = Scope(
      graph: graph, names: try model.outline().names, values: parameters, isTraining: true,
      randomKey: key.foldingIn(iteration), transforms: model.parameterTransforms,
      computeType: compilation.precision.computeType,
      frozen: try ParameterPlan(compilation, for: try model.outline()).frozen)
    scope.onResult = onResult
    let predictions = scope.run { model.layer.applied(to: features) }.map { $0.widenedPrediction() }
    let names = try model.outline().outputNames
    tasks = model.tasks.compactMap { task in
      let given = batch.targets.names.isEmpty ? batch.targets.first : batch.targets[names[task.index]]
      guard task.loss != nil, let labels = given else { return nil }
      return (task, predictions[task.index], input(StateName.labels(task.output), labels))
    }
    (self.graph, self.scope, self.parameters, self.predictions) = (graph, scope, parameters, predictions)
    self.inputs = inputs
  }

  /// Runs the pass.
  /// - Returns: the values of some of its tensors.
  func run(on backend: any Backend, outputs: [Tensor]) throws -> [NDArray] {
    let program = try Program(graph, outputs: outputs)
    let execution = try backend.compile(program).bind(try inputs.map(backend.upload))
    try execution.run()
    return try execution.outputs.map { try $0.read() }
  }
}
