// The whole step as one program: forward, loss, gradient, optimizer, metrics. Whatever changes from step to step is an
// input, and what a step leaves behind is an output that takes over its input's memory.

import AccelerandoCore
import AccelerandoNN

/// Traces the programs of a model's steps.
struct StepPrograms {
  let layer: any Layer
  let outline: Outline
  let compilation: Compilation?
  let transforms: [Scope.Transform]

  /// Traces the program of a step. Its inputs are named as in `StateName`.
  /// - Throws: `GraphError` when the data do not fit the model, the loss or a metric.
  func program(_ signature: StepSignature) throws -> Program {
    let step = try oneStep(signature)
    guard case .looped(_, let order) = signature.source else { return step }
    return try step.looped(batch: signature.count, order: order)
  }

  private func oneStep(_ signature: StepSignature) throws -> Program {
    let trace = StepTrace()
    let parameters = Dictionary(
      uniqueKeysWithValues: outline.parameters.map { spec in
        (spec.name, trace.input(StateName.parameter(spec.name), spec.type))
      })
    let rows = signature.source.samples.map { _ in trace.input(StateName.rows, TensorType(.int32, [signature.count])) }
    func batch(_ name: String, _ type: TensorType) -> Tensor {
      guard let held = signature.source.samples, let rows else { return trace.input(name, type) }
      trace.graph.path = ["batch"]
      defer { trace.graph.path = [] }
      // Rows of a matrix are one copy each everywhere; compilers see through the shapes.
      let data = trace.input(name, type.with([held] + type.shape.dropFirst()))
      return data.reshaped([held, type.shape.dropFirst().reduce(1, *)]).taking(rows).reshaped(type.shape)
    }
    let features = signature.features.enumerated().map { batch(StateName.feature($0), $1) }
    let iteration = signature.kind == .train ? trace.input(StateName.iteration, TensorType(.int32, [])) : nil
    let key = iteration.map { iteration in
      trace.input(StateName.randomKey, TensorType(.uint32, [2])).foldingIn(iteration)
    }
    let scope = Scope(
      graph: trace.graph, names: outline.names, values: parameters, isTraining: signature.kind == .train,
      randomKey: key, transforms: transforms)
    let prediction = scope.run { layer.applied(to: features) }
    if signature.kind == .predict {
      trace.outputs.append(prediction)
      return try trace.program()
    }
    guard let compilation, let labelType = signature.labels else {
      throw TrainingError("training and evaluation need labels and a compiled model.")
    }
    let labels = batch(StateName.labels, labelType)
    let weights = signature.isWeighted ? batch(StateName.weights, TensorType(.float32, [signature.count])) : nil
    let loss = addLoss(trace, signature, compilation, prediction, labels, weights)
    addMetrics(trace, signature, compilation, prediction, labels, weights)
    if let iteration {
      addUpdate(trace, compilation.optimizer, loss, parameters, iteration)
      for (name, value) in scope.updates.sorted(by: { $0.key < $1.key }) {
        trace.assign(StateName.parameter(name), value)
      }
      trace.assign(StateName.iteration, iteration + 1)
    }
    return try trace.program()
  }

  /// The mean loss of the batch, Σ(weight · loss) / N; its sum goes to the totals.
  private func addLoss(
    _ trace: StepTrace, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?
  ) -> Tensor {
    let graph = trace.graph
    graph.path = ["loss '\(compilation.loss.name)'"]
    var values = compilation.loss.values(prediction, labels)
    if values.shape != [signature.count] {
      graph.report(
        GraphError("a loss gives one value for each of \(signature.count) samples; received \(values.type)."))
      values = labels.scalar(0).converted(to: .float32).broadcast(to: [signature.count])
    }
    if let weights { values = values * weights.converted(to: values.dtype) }
    let sum = values.sum()
    graph.path = []
    trace.accumulate(StateName.total(signature.kind, "loss"), sum.converted(to: .float32))
    let count = sum.scalar(Double(signature.count)).converted(to: .float32)
    trace.accumulate(StateName.total(signature.kind, StateName.sampleCount), count)
    return sum / Double(max(signature.count, 1))
  }

  private func addMetrics(
    _ trace: StepTrace, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?
  ) {
    let graph = trace.graph
    for (metric, isWeighted) in compilation.watched {
      graph.path = ["metric '\(metric.name)'"]
      var values = metric.values(prediction, labels).converted(to: .float32)
      if values.shape != [signature.count] {
        graph.report(
          GraphError("a metric gives one value for each of \(signature.count) samples; received \(values.type)."))
        values = values.sum().broadcast(to: [signature.count])
      }
      if isWeighted, let weights { values = values * weights }
      graph.path = []
      trace.accumulate(StateName.total(signature.kind, metric.name), values.sum())
    }
    if !compilation.weightedMetrics.isEmpty {
      let sum = weights?.sum() ?? labels.constant(NDArray(scalar: Float(signature.count)))
      trace.accumulate(StateName.total(signature.kind, StateName.weightSum), sum)
    }
  }

  private func addUpdate(
    _ trace: StepTrace, _ optimizer: any Optimizer, _ loss: Tensor, _ parameters: [String: Tensor],
    _ iteration: Tensor
  ) {
    let trainable = outline.parameters.filter { $0.role == .trainable }
    let weights = trainable.compactMap { parameters[$0.name] }
    let step = iteration.converted(to: .float32) + 1
    let rate: Tensor
    switch optimizer.learningRate {
    case .constant: rate = trace.input(StateName.learningRate, TensorType(.float32, []))
    case .schedule: rate = optimizer.learningRate.value(step: step)
    }
    let slotNames = optimizer.slots.map(\.name)
    let gradients = optimizer.clipped(gradients(of: loss, withRespectTo: weights))
    for ((spec, weight), gradient) in zip(zip(trainable, weights), gradients) {
      let names = slotNames.map { StateName.slot($0, of: spec.name) }
      let slots = names.map { trace.input($0, spec.type) }
      trace.graph.path = ["optimizer", spec.name]
      let updated = optimizer.update(
        weight: weight, gradient: gradient, slots: slots, step: step, learningRate: rate)
      trace.graph.path = []
      trace.assign(StateName.parameter(spec.name), updated.weight)
      for (name, value) in zip(names, updated.slots) { trace.assign(name, value) }
    }
  }
}

/// A graph whose inputs have names that outputs can be assigned to.
private final class StepTrace {
  let graph = Graph()
  var outputs: [Tensor] = []
  private var aliases: [Int: Int] = [:]
  private var numbers: [String: Int] = [:]

  func input(_ name: String, _ type: TensorType) -> Tensor {
    numbers[name] = numbers.count
    return graph.input(name, type)
  }

  /// The value that an input has after the step.
  func assign(_ name: String, _ value: Tensor) {
    if let number = numbers[name] { aliases[outputs.count] = number }
    outputs.append(value)
  }

  /// Adds to a running total, a `float32` scalar.
  func accumulate(_ name: String, _ value: Tensor) {
    assign(name, input(name, TensorType(.float32, [])) + value)
  }

  func program() throws -> Program { try Program(graph, outputs: outputs, aliases: aliases) }
}
