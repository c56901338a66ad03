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
  /// Where to note what is likely not meant.
  var notes: TraceNotes?
  /// Parts of a batch with fewer samples have no statistics of their own.
  var leastSamples = 2

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
    let share = signature.workers > 1 ? trace.share(signature, leastSamples: leastSamples) : nil
    let scope = Scope(
      graph: trace.graph, names: outline.names, values: parameters, isTraining: signature.kind == .train,
      randomKey: key, transforms: transforms, share: share, computeType: compilation?.precision.computeType)
    scope.onResult = notes.map { notes in { path, _, result in notes.look(at: result, of: path) } }
    let predictions = scope.run { layer.applied(to: features) }.map { $0.widenedPrediction() }
    if signature.kind == .predict {
      trace.outputs += predictions
      return try trace.program()
    }
    guard predictions.count == 1 else {
      throw TrainingError("the model has \(predictions.count) outputs; training needs a model with one.")
    }
    let prediction = predictions[0]
    guard let compilation, let labelType = signature.labels else {
      throw TrainingError("training and evaluation need labels and a compiled model.")
    }
    notes?.look(at: prediction, compilation.loss)
    let labels = batch(StateName.labels, labelType)
    let weights = signature.weights.map { batch(StateName.weights, $0) }
    let loss = lossSum(trace.graph, signature, compilation, prediction, labels, weights, share)
    var totals = loss.totals + metricTotals(trace.graph, signature, compilation, prediction, labels, weights, share)
    if let iteration {
      let mean = loss.sum / Double(max(signature.globalCount, 1))
      let update = addUpdate(trace, compilation, mean, parameters, iteration, share)
      for (name, value) in scope.updates.sorted(by: { $0.key < $1.key }) {
        // Each worker has the statistics of its own part.
        let common = value.dtype.isFloating ? share?.averaged(value) ?? value : value
        trace.assign(StateName.parameter(name), parameters[name].map { update.kept(common, $0) } ?? common)
      }
      trace.rememberBadStep(loss: totals[0].value, update, iteration: iteration)
      if let counts = update.counts {
        totals = totals.map { ($0.total, select(counts, $0.value, $0.value.zerosLike())) }
        totals.append((.skippedSteps, 1 - counts.converted(to: .float32)))
      }
    }
    for (total, value) in totals { trace.accumulate(StateName.total(signature.kind, total), value) }
    return try trace.program()
  }

  /// A step's part of a running total, over all workers.
  private typealias Addend = (total: Total, value: Tensor)

  /// What a step adds to a total: the sum over the samples of all workers, in float64 where many float32 would lose
  /// digits.
  private func addend(_ values: Tensor, _ signature: StepSignature, _ share: BatchShare?) -> Tensor {
    let rows = share?.masked(values) ?? values
    let sum = (signature.count > Total.mostAddends ? rows.converted(to: .float64) : rows).sum()
    return share?.summed(sum) ?? sum
  }

  /// A worker's own part of the sum of the batch's losses, Σ(weight · loss), and what it adds to the totals. The
  /// gradients are summed over the workers, so that each sample counts the same.
  private func lossSum(
    _ graph: Graph, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?, _ share: BatchShare?
  ) -> (sum: Tensor, totals: [Addend]) {
    graph.path = ["loss '\(compilation.loss.name)'"]
    var values: Tensor
    var weights = weights
    if let places = weights, places.rank > 1 {
      values = weighted(compilation.loss, prediction, labels, by: places)
      weights = nil
    } else {
      values = compilation.loss.values(prediction, labels)
    }
    if values.shape != [signature.count] {
      graph.report(
        GraphError("a loss gives one value for each of \(signature.count) samples; received \(values.type)."))
      values = labels.scalar(0).converted(to: .float32).broadcast(to: [signature.count])
    }
    if let weights { values = values * weights.converted(to: values.dtype) }
    let sum = (share?.masked(values) ?? values).sum()
    graph.path = []
    return (
      sum,
      [
        (.loss, signature.count > Total.mostAddends ? addend(values, signature, share) : share?.summed(sum) ?? sum),
        (.samples, labels.constant(NDArray(scalar: Double(signature.globalCount)))),
      ]
    )
  }

  /// The loss of each sample, the weighted mean over its elements.
  private func weighted(_ loss: any Loss, _ prediction: Tensor, _ labels: Tensor, by weights: Tensor) -> Tensor {
    guard let values = (loss as? any PlacewiseLoss)?.placeValues(prediction, labels),
      values.shape.elementCount == weights.shape.elementCount
    else {
      labels.graph.report(
        GraphError("weights for each place \(weights.shape) need a loss with a value for each place."))
      return loss.values(prediction, labels)
    }
    return (values * weights.reshaped(values.shape).converted(to: values.dtype)).perSample()
  }

  private func metricTotals(
    _ graph: Graph, _ signature: StepSignature, _ compilation: Compilation, _ prediction: Tensor,
    _ labels: Tensor, _ weights: Tensor?, _ share: BatchShare?
  ) -> [Addend] {
    var totals: [Addend] = []
    if let weights, weights.rank > 1, !compilation.weightedMetrics.isEmpty {
      graph.report(GraphError("weighted metrics need one weight for each sample; received \(weights.shape)."))
    }
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
      totals.append((.metric(metric.name), addend(values, signature, share)))
    }
    if !compilation.weightedMetrics.isEmpty {
      let sum =
        weights.map { addend($0, signature, share) } ?? labels.constant(NDArray(scalar: Double(signature.globalCount)))
      totals.append((.weights, sum))
    }
    return totals
  }

  /// Further results of an update.
  struct Update {
    /// Whether the step counts, a scalar `bool`; nil where every step does.
    let counts: Tensor?
    /// The scale of the loss before the step, where there is one.
    let scale: Tensor?

    /// A value after the step: the new one, or the old one if the step does not count.
    func kept(_ new: Tensor, _ old: Tensor) -> Tensor { counts.map { select($0, new, old) } ?? new }
  }

  private func addUpdate(
    _ trace: StepTrace, _ compilation: Compilation, _ loss: Tensor, _ parameters: [String: Tensor],
    _ iteration: Tensor, _ share: BatchShare?
  ) -> Update {
    let optimizer = compilation.optimizer
    let trainable = outline.parameters.filter { $0.role == .trainable }
    let weights = trainable.compactMap { parameters[$0.name] }
    let step = iteration.converted(to: .float32) + 1
    let rate: Tensor
    switch optimizer.learningRate {
    case .constant: rate = trace.input(StateName.learningRate, TensorType(.float32, []))
    case .schedule: rate = optimizer.learningRate.value(step: step)
    }
    let raw: [Tensor]
    var update = Update(counts: nil, scale: nil)
    func gradients(of value: Tensor) -> [Tensor] {
      let found = pullback(of: [value], seeds: [value.onesLike()], withRespectTo: weights)
      noteMissing(found, trainable, compilation, value.graph)
      return zip(found, weights).map { gradient, weight in
        guard let gradient else { return weight.zerosLike() }
        return share?.summed(gradient) ?? gradient
      }
    }
    if compilation.precision.scalesLoss {
      let scale = trace.input(LossScale.scaleName, TensorType(.float32, []))
      let goodSteps = trace.input(LossScale.goodStepsName, TensorType(.float32, []))
      let scaled = LossScale.gradients(of: loss, scale: scale, goodSteps: goodSteps, gradients)
      raw = scaled.gradients
      update = Update(counts: scaled.isFinite, scale: scale)
      trace.assign(LossScale.scaleName, scaled.scale)
      trace.assign(LossScale.goodStepsName, scaled.goodSteps)
    } else {
      raw = gradients(of: loss)
    }
    for ((spec, weight), gradient) in zip(zip(trainable, weights), optimizer.clipped(raw)) {
      let rule = optimizer.rule(for: spec)
      let names = rule.slots.map { StateName.slot($0.name, of: spec.name) }
      let slots = zip(names, rule.slots).map { trace.input($0, $1.type(for: spec.type)) }
      trace.graph.path = ["optimizer", spec.name]
      let updated = rule.update(
        weight: weight, gradient: gradient, slots: slots, step: step, learningRate: rate)
      trace.graph.path = []
      trace.assign(StateName.parameter(spec.name), update.kept(updated.weight, weight))
      for (name, (new, old)) in zip(names, zip(updated.slots, slots)) { trace.assign(name, update.kept(new, old)) }
    }
    trace.assign(StateName.iteration, update.kept(iteration + 1, iteration))
    return update
  }
}

extension StepPrograms {
  /// Parameters that no gradient reaches stay what they are. All of them is a mistake, some may be.
  private func noteMissing(
    _ gradients: [Tensor?], _ trainable: [ParameterSpec], _ compilation: Compilation, _ graph: Graph
  ) {
    let missing = zip(gradients, trainable).filter { $0.0 == nil }.map { "'\($0.1.name)'" }
    guard !missing.isEmpty else { return }
    if missing.count == trainable.count {
      graph.report(
        GraphError(
          "the loss '\(compilation.loss.name)' depends on none of the trainable parameters (\(missing.joined(separator: ", "))) "
            + "in a way that has a gradient: nothing would be trained. Rounding, comparisons and the like have none."))
    } else {
      notes?.add(
        "No gradient of the loss reaches \(missing.joined(separator: ", ")): training will not change it.")
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

  /// Adds to a running total.
  func accumulate(_ name: String, _ value: Tensor) {
    assign(name, input(name, Total.type) + value.converted(to: Total.type.dtype))
  }

  /// Remembers the first step of the epoch whose loss is not finite: where many steps run at a time, it is asked for
  /// later. A step that the loss scale leaves out is none, unless the scale cannot fall any more.
  func rememberBadStep(loss: Tensor, _ update: StepPrograms.Update, iteration: Tensor) {
    var isBad = !loss.isFinite()
    if let counts = update.counts, let scale = update.scale {
      isBad = select(counts, isBad, scale.lessOrEqual(to: scale.scalar(LossScale.smallest)))
    }
    let first = input(StateName.firstBadStep, TensorType(.int32, []))
    let isFirst = isBad.and(first.equal(to: first.zerosLike()))
    assign(StateName.firstBadStep, select(isFirst, iteration + 1, first))
  }

  /// The part of the batch that is the worker's whose program runs.
  func share(_ signature: StepSignature, leastSamples: Int) -> BatchShare {
    let offset = input(StateName.shareOffset, TensorType(.int32, []))
    let samples = input(StateName.shareCount, TensorType(.int32, []))
    var mask: Tensor?
    if signature.shares.isPadded {
      let rows = graph.add(Iota(TensorType(.int32, [signature.count]), axis: 0), [])[0]
      mask = rows.less(than: samples.broadcast(to: rows.shape)).converted(to: .float32)
    }
    return BatchShare(
      globalCount: signature.globalCount, count: signature.count, offset: offset,
      sampleCount: samples.converted(to: .float32), mask: mask, leastSamples: leastSamples)
  }

  func program() throws -> Program { try Program(graph, outputs: outputs, aliases: aliases) }
}
