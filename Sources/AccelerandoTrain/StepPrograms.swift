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
  var rules: [any ParameterRule] = []
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

  /// The program's inputs that are the model's values, and the rules', if the program does not change them.
  func values(in program: Program) -> Set<Int> {
    let state = Set(rules.flatMap(\.initialState.names))
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
    for rule in rules { parameters.merge(trace.apply(rule, to: parameters, signature.kind)) { $1 } }
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
      randomKey: key, transforms: transforms, share: share, computeType: compilation?.precision.computeType,
      frozen: signature.kind == .train ? try compilation.map { try ParameterPlan($0, for: outline).frozen } ?? [] : [])
    scope.mixesLosses = signature.kind == .train
    scope.onResult = notes.map { notes in { path, _, result in notes.look(at: result, of: path) } }
    let results = scope.run { layer.applied(to: features) }
    let predictions = results.map { $0.widenedPrediction() }
    if signature.kind == .predict {
      trace.outputs += predictions
      return try trace.program()
    }
    guard let compilation, !signature.labels.isEmpty else {
      throw TrainingError("training and evaluation need labels and a compiled model.")
    }
    let names = outline.outputNames
    let labels = signature.labels.map { batch(StateName.labels($0.output), $0.type) }
    let weights = signature.weights.map { batch(StateName.weights($0.output), $0.type) }
    func column(_ columns: [StepSignature.Column], _ tensors: [Tensor], _ task: OutputTask) -> Tensor? {
      columns.firstIndex { $0.output == nil || $0.output == names[task.index] }.map { tensors[$0] }
    }
    var lossSum: Tensor?
    var totals: [Addend] = []
    var outputTotals: [Addend] = []
    for task in try compilation.tasks(for: outline) {
      guard let target = column(signature.labels, labels, task) else {
        throw TrainingError("the output '\(names[task.index])' has a loss or a metric; it needs labels.")
      }
      let part = OutputPart(
        task: task, prediction: predictions[task.index], target: target,
        weights: column(signature.weights, weights, task), mask: scope.mask(of: results[task.index]), share: share,
        mix: scope.sampleMix.map { ($0, scope.partners(of: target)) }, signature: signature)
      if let loss = task.loss {
        notes?.look(at: part.prediction, loss)
        let (sum, total) = scope.run { part.lossSum(loss) }
        let weighted = task.lossWeight == 1 ? sum : sum * task.lossWeight
        lossSum = lossSum.map { $0 + weighted.converted(to: $0.dtype) } ?? weighted
        let own = task.lossWeight == 1 ? total : total * task.lossWeight
        totals = [(.loss, totals.first.map { $0.value.converted(to: own.dtype) + own } ?? own)]
        if let label = task.lossLabel { outputTotals.append((.outputLoss(label), total)) }
      }
      outputTotals += scope.run { part.metricTotals() }
    }
    guard let lossSum else { throw TrainingError("no output has a loss: there is nothing to minimize.") }
    let plan = try ParameterPlan(compilation, for: outline)
    let added = AddedLosses(scope.losses, plan, parameters, outline.names)
    if let sum = added.total(share) { totals[0].value = totals[0].value + sum * Double(signature.globalCount) }
    totals.append((.samples, lossSum.constant(NDArray(scalar: Double(signature.globalCount)))))
    totals += outputTotals
    if let iteration {
      let mean = lossSum / Double(max(signature.globalCount, 1))
      let update = try addUpdate(trace, compilation, plan, mean, added, parameters, iteration, share)
      for (name, value) in scope.updates.sorted(by: { $0.key < $1.key }) {
        // Each worker has the statistics of its own part.
        let common = value.dtype.isFloating ? share?.averaged(value) ?? value : value
        trace.assign(StateName.parameter(name), parameters[name].map { update.kept(common, $0) } ?? common)
      }
      trace.rememberBadStep(loss: totals[0].value, update, iteration: iteration)
      if let counts = update.counts {
        totals = totals.map { total, value in
          (total, select(value.rank == 0 ? counts : counts.broadcast(to: value.shape), value, value.zerosLike()))
        }
        totals.append((.skippedSteps, 1 - counts.converted(to: .float32)))
      }
    }
    for (total, value) in totals { trace.accumulate(StateName.total(signature.kind, total), value) }
    return try trace.program()
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
    _ trace: StepTrace, _ compilation: Compilation, _ plan: ParameterPlan, _ loss: Tensor, _ added: AddedLosses,
    _ parameters: [String: Tensor], _ iteration: Tensor, _ share: BatchShare?
  ) throws -> Update {
    let minimized = added.ofSamples.map { loss + $0.converted(to: loss.dtype) } ?? loss
    let trainable = plan.trained
    guard !trainable.isEmpty else {
      throw TrainingError(
        outline.parameters.contains { $0.role == .trainable }
          ? "all parameters are frozen: there is nothing to train. Train some again with setTrainable(true, …), or leave out "
            + "'trainable: false' of a layer."
          : "the model has no parameters to train.")
    }
    let weights = trainable.compactMap { parameters[$0.name] }
    let step = iteration.converted(to: .float32) + 1
    var raw: [Tensor]
    var update = Update(counts: nil, scale: nil)
    func gradients(of value: Tensor) -> [Tensor] {
      let found = pullback(of: [value], seeds: [value.onesLike()], withRespectTo: weights)
      noteMissing(found, trainable, added, compilation, value.graph)
      return zip(found, weights).map { gradient, weight in
        guard let gradient else { return weight.zerosLike() }
        return share?.summed(gradient) ?? gradient
      }
    }
    if compilation.precision.scalesLoss {
      let scale = trace.input(LossScale.scaleName, TensorType(.float32, []))
      let goodSteps = trace.input(LossScale.goodStepsName, TensorType(.float32, []))
      let scaled = LossScale.gradients(of: minimized, scale: scale, goodSteps: goodSteps, gradients)
      raw = scaled.gradients
      update = Update(counts: scaled.isFinite, scale: scale)
      trace.assign(LossScale.scaleName, scaled.scale)
      trace.assign(LossScale.goodStepsName, scaled.goodSteps)
    } else {
      raw = gradients(of: minimized)
    }
    raw = added.addingGradients(of: weights, to: raw)
    var rates: [String: Tensor] = [:]
    var first = 0
    for group in plan.groups {
      let members = first..<first + group.parameters.count
      first = members.upperBound
      let rate = rates[group.rateName] ?? learningRate(trace, group, step)
      rates[group.rateName] = rate
      let own = group.rateFactor == 1 ? rate : rate * group.rateFactor
      let step = WeightUpdate(group.optimizer, learningRate: own, iteration: iteration, path: ["optimizer"])
      let updated = step.weights(
        members.map {
          WeightUpdate.Member(
            spec: trainable[$0], weight: weights[$0], gradient: raw[$0],
            constraint: outline.names.options(of: trainable[$0].name).constraint)
        },
        read: { slot, spec in trace.input(StateName.slot(slot.name, of: spec.name), slot.type(for: spec.type)) },
        write: { slot, spec, new, old in
          trace.assign(StateName.slot(slot.name, of: spec.name), update.kept(new, old))
        })
      for (number, new) in zip(members, updated) {
        trace.assign(StateName.parameter(trainable[number].name), update.kept(new, weights[number]))
      }
    }
    trace.assign(StateName.iteration, update.kept(iteration + 1, iteration))
    return update
  }

  private func learningRate(_ trace: StepTrace, _ group: ParameterPlan.Group, _ step: Tensor) -> Tensor {
    switch group.optimizer.learningRate {
    case .constant: trace.input(group.rateName, TensorType(.float32, []))
    case .schedule: group.optimizer.learningRate.value(step: step)
    }
  }
}

extension StepPrograms {
  /// Parameters that no gradient reaches stay what they are. All of them is a mistake, some may be.
  private func noteMissing(
    _ gradients: [Tensor?], _ trainable: [ParameterSpec], _ added: AddedLosses, _ compilation: Compilation,
    _ graph: Graph
  ) {
    let missing = zip(gradients, trainable).filter { $0.0 == nil && !added.penalized.contains($0.1.name) }
      .map { "'\($0.1.name)'" }
    guard !missing.isEmpty else { return }
    if missing.count == trainable.count {
      graph.report(
        GraphError(
          "the loss '\(compilation.lossDescription)' depends on none of the trainable parameters (\(missing.joined(separator: ", "))) "
            + "in a way that has a gradient: nothing would be trained. Rounding, comparisons and the like have none."))
    } else {
      notes?.add(
        "No gradient of the loss reaches \(missing.joined(separator: ", ")): training will not change it.")
    }
  }
}

/// A graph whose inputs have names that outputs can be assigned to.
final class StepTrace {
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
    assign(name, input(name, TensorType(Total.type.dtype, value.shape)) + value.converted(to: Total.type.dtype))
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
