// Evaluation and prediction.

import AccelerandoCore
import AccelerandoNN

extension Model {
  /// Evaluates the model on samples.
  /// - Parameters:
  ///   - data: the samples, with labels.
  ///   - batchSize: the number of samples in a step.
  ///   - steps: the number of steps to run; nil for all.
  /// - Returns: `loss` and the metrics by name.
  public func evaluate(_ data: Dataset, batchSize: Int = 32, steps: Int? = nil) throws -> Logs {
    _ = try compiled()
    guard steps ?? 1 >= 1 else { throw TrainingError("evaluation takes at least 1 step; received \(steps ?? 0).") }
    try prepareValues()
    try checkAdapted()
    warnOfFreshValues()
    return try evaluate(feeder(data, .evaluate, batchSize: batchSize), steps: steps)
  }

  /// Evaluates the model on arrays.
  public func evaluate(
    _ features: NDArray, _ labels: NDArray, sampleWeights: NDArray? = nil, batchSize: Int = 32
  ) throws -> Logs {
    try evaluate(Dataset(features, labels, sampleWeights: sampleWeights), batchSize: batchSize)
  }

  /// - Parameter goesOn: asked after every step, or after many that run at a time; false ends the evaluation there.
  func evaluate(_ feeder: Feeder, steps: Int?, goesOn: (Int) throws -> Bool = { _ in true }) throws -> Logs {
    try session.resetTotals(.evaluate)
    try feeder.begin(pass: 0)
    var done = 0
    // Nobody watches: a thousand steps at a time keep the device busy, and Ctrl-C heard.
    while steps.map({ done < $0 }) ?? true,
      let launch = try feeder.next(atMost: min(1000, (steps ?? .max) - done))
    {
      try launch.step.execution.run()
      done += launch.stepCount
      guard try goesOn(done - 1) else { break }
    }
    guard done > 0 else { throw TrainingError("the dataset is empty: there is nothing to evaluate on.") }
    return try logs(.evaluate)
  }

  /// The running means of the totals; NaN where no step counted.
  func logs(_ kind: StepKind) throws -> Logs {
    if compilation == nil { return [:] }
    func total(_ total: Total) throws -> Double { try session.scalar(StateName.total(kind, total)) }
    // The sign of a NaN says nothing.
    func quotient(_ sum: Double, _ count: Double) -> Double {
      let mean = sum / count
      return mean.isNaN ? .nan : mean
    }
    let samples = try total(.samples)
    var logs: Logs = ["loss": quotient(try total(.loss), samples)]
    for task in tasks {
      if let label = task.lossLabel { logs[label] = quotient(try total(.outputLoss(label)), samples) }
      for watch in task.metrics {
        let own = StateName.total(kind, .metricWeight(watch.label))
        let weight =
          session.buffers[own] != nil
          ? try session.scalar(own) : watch.isWeighted ? try total(.weights(task.output)) : samples
        let state = try watch.metric.stateNames.map { name in
          try session.value(StateName.total(kind, .metric(watch.label, state: name)))?.elements(as: Double.self) ?? []
        }
        // Before the first step there is nothing to compute with.
        let values = samples > 0 && !state.contains([]) ? watch.metric.results(state, weight: weight) : []
        for (number, label) in watch.labels.enumerated() {
          let value = values.indices.contains(number) ? values[number] : .nan
          logs[label] = value.isNaN ? .nan : value
        }
      }
    }
    return logs
  }

  /// The model's output for samples, in their order: `[N, …]`.
  /// - Parameters:
  ///   - data: the samples; labels are ignored.
  ///   - batchSize: samples in a step.
  /// - Throws: `TrainingError` for a model with several outputs; `predictOutputs` gives all of them.
  public func predict(_ data: Dataset, batchSize: Int = 32) throws -> NDArray {
    let names = try outline().outputNames
    guard names.count == 1 else {
      throw TrainingError(
        "the model has the outputs \(names.joined(separator: ", ")): predictOutputs(_:) gives all of them by name.")
    }
    return try predictOutputs(data, batchSize: batchSize)[0]
  }

  /// All outputs of the model for samples, in their order, by the names of the outputs: `[N, …]` each.
  /// - Parameters:
  ///   - data: the samples; labels are ignored.
  ///   - batchSize: samples in a step.
  public func predictOutputs(_ data: Dataset, batchSize: Int = 32) throws -> NamedArrays {
    try prepareValues()
    warnOfFreshValues()
    let feeder = try feeder(data.shuffled(false), .predict, batchSize: batchSize)
    try feeder.begin(pass: 0)
    let names = try outline().outputNames
    var parts = [[NDArray]](repeating: [], count: names.count)
    while let step = try feeder.next()?.step {
      try step.execution.run()
      for (index, output) in try step.predictions().enumerated() { parts[index].append(output) }
    }
    return NamedArrays(try zip(names, parts).map { ($0, try concatenated($1)) })
  }

  /// The model's output for samples of one input.
  public func predict(_ features: NDArray, batchSize: Int = 32) throws -> NDArray {
    try predict(Dataset(features: [features]), batchSize: batchSize)
  }

  private func concatenated(_ parts: [NDArray]) throws -> NDArray {
    guard let first = parts.first else { throw TrainingError("there is nothing to predict.") }
    let count = parts.reduce(0) { $0 + ($1.shape.first ?? 0) }
    var result = NDArray(zeros: first.type.with([count] + first.shape.dropFirst()))
    result.withUnsafeMutableBytes { target in
      var place = 0
      for part in parts {
        part.withUnsafeBytes { bytes in
          UnsafeMutableRawBufferPointer(rebasing: target[place..<place + bytes.count]).copyMemory(from: bytes)
          place += bytes.count
        }
      }
    }
    return result
  }
}
