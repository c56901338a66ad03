// The whole step as one program: forward, loss, gradient, optimizer, metrics. Everything that changes from step to step
// is an input, and new state is an output that reuses its input's memory.

import AccelerandoCore
import AccelerandoNN

/// Traces the programs of a model's steps.
struct StepPrograms {
  let layer: any Layer
  let outline: Outline
  let compilation: Compilation?
  let transforms: [Scope.Transform]
  var rule: (any ParameterRule)?

  /// Traces the program of a step. Its inputs are named as in `StateName`.
  /// - Throws: `GraphError` when the data do not fit the model, the loss or a metric.
  func program(_ signature: StepSignature) throws -> Program {
    let step = try oneStep(signature)
    guard case .looped(_, let order) = signature.source else { return step }
    return try step.looped(batch: signature.globalCount, rows: signature.count, order: order)
  }

  /// The program's inputs that are the model's values, and the rule's, if the program does not change them.
  func values(in program: Program) -> Set<Int> {
    let state = Set(rule?.initialState.names ?? [])
    let names = Set(outline.parameters.map { StateName.parameter($0.name) })
    return Set(
      program.inputs.indices.filter { index in
        names.contains(program.inputs[index].name) || state.contains(program.inputs[index].name)
      }
    ).subtracting(program.aliases.values)
  }

  private func oneStep(_ signature: StepSignature) throws -> Program {
    let trace = StepTrace()
    var parameters = Dictionary(
      uniqueKeysWithValues: outline.parameters.map { spec in
        (spec.name, trace.input(StateName.parameter(spec.name), spec.type))
      })
    if let rule { parameters.merge(trace.apply(rule, to: parameters, signature.kind)) { $1 } }
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
    let share = signature.workers > 1 ? trace.share(signature) : nil
    let scope = Scope(
      graph: trace.graph, names: outline.names, values: parameters, isTraining: signature.kind == .train,
      randomKey: key, transforms: transforms, share: share, computeType: compilation?.precision.computeType)
    let prediction = scope.run { layer.applied(to: features) }.widenedPrediction()
    if signature.kind == .predict {
      trace.outputs.append(prediction)
      return try trace.program()
    }
    guard let compilation, let labelType = signature.labels else {
      throw TrainingError("training and evaluation need labels and a compiled model.")
    }
    let labels = batch(StateName.labels, labelType)
    let weights = signature.isWeighted ? batch(StateName.weights, TensorType(.float32, [signature.count])) : nil
    let loss = addLoss(trace, signature, compilation, prediction, labels, weights, share)
    addMetrics(trace, signature, compilation, prediction, labels, weights, share)
    if let iteration {
      addUpdate(trace, compilation, loss, parameters, iteration, share)
      for (name, value) in scope.updates.sorted(by: { $0.key < $1.key }) {
        // Each worker has the statistics of its own part.
        let common = value.dtype.isFloating ? share?.averaged(value) ?? value : value
        trace.assign(StateName.parameter(name), common)
      }
    }
    return try trace.program()
  }

  /// The mean loss of the batch, Σ(weight · loss) / N; its sum goes to the totals.
  private func addLoss(
    _ trace: StepTrace, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?, _ share: BatchShare?
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
    // A worker's own part of the sum; the gradients are summed over the workers, so that each sample counts the same.
    let sum = (share?.masked(values) ?? values).sum()
    graph.path = []
    trace.accumulate(StateName.total(signature.kind, "loss"), sum.converted(to: .float32), share)
    let count = sum.scalar(Double(signature.globalCount)).converted(to: .float32)
    trace.accumulate(StateName.total(signature.kind, StateName.sampleCount), count)
    return sum / Double(max(signature.globalCount, 1))
  }

  private func addMetrics(
    _ trace: StepTrace, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?, _ share: BatchShare?
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
      let sum = (share?.masked(values) ?? values).sum()
      trace.accumulate(StateName.total(signature.kind, metric.name), sum, share)
    }
    if !compilation.weightedMetrics.isEmpty {
      let name = StateName.total(signature.kind, StateName.weightSum)
      if let weights {
        trace.accumulate(name, (share?.masked(weights) ?? weights).sum(), share)
      } else {
        trace.accumulate(name, labels.constant(NDArray(scalar: Float(signature.globalCount))))
      }
    }
  }

  private func addUpdate(
    _ trace: StepTrace, _ compilation: Compilation, _ loss: Tensor, _ parameters: [String: Tensor],
    _ iteration: Tensor, _ share: BatchShare?
  ) {
    let optimizer = compilation.optimizer
    let trainable = outline.parameters.filter { $0.role == .trainable }
    let weights = trainable.compactMap { parameters[$0.name] }
    let step = iteration.converted(to: .float32) + 1
    let rate: Tensor
    switch optimizer.learningRate {
    case .constant: rate = trace.input(StateName.learningRate, TensorType(.float32, []))
    case .schedule: rate = optimizer.learningRate.value(step: step)
    }
    let slotNames = optimizer.slots.map(\.name)
    let raw: [Tensor]
    // Whether the step counts; nil where every step does.
    var counts: Tensor?
    func summed(_ gradient: Tensor) -> Tensor { share?.summed(gradient) ?? gradient }
    if compilation.precision.scalesLoss {
      let scale = trace.input(LossScale.scaleName, TensorType(.float32, []))
      let goodSteps = trace.input(LossScale.goodStepsName, TensorType(.float32, []))
      let scaled = LossScale.gradients(of: loss, weights, scale: scale, goodSteps: goodSteps, summing: summed)
      raw = scaled.gradients
      counts = scaled.isFinite
      trace.assign(LossScale.scaleName, scaled.scale)
      trace.assign(LossScale.goodStepsName, scaled.goodSteps)
    } else {
      raw = gradients(of: loss, withRespectTo: weights).map(summed)
    }
    func kept(_ new: Tensor, _ old: Tensor) -> Tensor { counts.map { select($0, new, old) } ?? new }
    for ((spec, weight), gradient) in zip(zip(trainable, weights), optimizer.clipped(raw)) {
      let names = slotNames.map { StateName.slot($0, of: spec.name) }
      let slots = names.map { trace.input($0, spec.type) }
      trace.graph.path = ["optimizer", spec.name]
      let updated = optimizer.update(
        weight: weight, gradient: gradient, slots: slots, step: step, learningRate: rate)
      trace.graph.path = []
      trace.assign(StateName.parameter(spec.name), kept(updated.weight, weight))
      for (name, (new, old)) in zip(names, zip(updated.slots, slots)) { trace.assign(name, kept(new, old)) }
    }
    trace.assign(StateName.iteration, kept(iteration + 1, iteration))
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

  /// The parameters that a rule changes.
  func apply(_ rule: any ParameterRule, to parameters: [String: Tensor], _ kind: StepKind) -> [String: Tensor] {
    graph.path = ["parameter rule"]
    defer { graph.path = [] }
    let state = rule.initialState
    let step = RuleStep(
      kind: kind, read: { name in state[name].map { self.input(name, $0.type) } },
      write: { self.assign($0, $1) })
    return rule.apply(to: parameters, in: step)
  }

  /// Adds to a running total, a `float32` scalar.
  /// - Parameter share: given where the value is a worker's own part.
  func accumulate(_ name: String, _ value: Tensor, _ share: BatchShare? = nil) {
    assign(name, input(name, TensorType(.float32, [])) + (share?.summed(value) ?? value))
  }

  /// The part of the batch that is the worker's whose program runs.
  func share(_ signature: StepSignature) -> BatchShare {
    let offset = input(StateName.shareOffset, TensorType(.int32, []))
    let samples = input(StateName.shareCount, TensorType(.int32, []))
    var mask: Tensor?
    if signature.shares.isPadded {
      let rows = graph.add(Iota(TensorType(.int32, [signature.count]), axis: 0), [])[0]
      mask = rows.less(than: samples.broadcast(to: rows.shape)).converted(to: .float32)
    }
    return BatchShare(
      globalCount: signature.globalCount, count: signature.count, offset: offset,
      sampleCount: samples.converted(to: .float32), mask: mask)
  }

  func program() throws -> Program { try Program(graph, outputs: outputs, aliases: aliases) }
}
