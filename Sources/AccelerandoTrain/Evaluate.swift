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
    try prepareValues()
    warnOfFreshValues()
    return try evaluate(feeder(data, .evaluate, batchSize: batchSize), steps: steps)
  }

  /// Evaluates the model on arrays.
  public func evaluate(
    _ features: NDArray, _ labels: NDArray, sampleWeights: NDArray? = nil, batchSize: Int = 32
  ) throws -> Logs {
    try evaluate(Dataset(features, labels, sampleWeights: sampleWeights), batchSize: batchSize)
  }

  func evaluate(_ feeder: Feeder, steps: Int?) throws -> Logs {
    try session.resetTotals(.evaluate)
    try feeder.begin(pass: 0)
    var done = 0
    // Nobody watches: a thousand steps at a time keep the device busy, and Ctrl-C heard.
    while steps.map({ done < $0 }) ?? true,
      let launch = try feeder.next(atMost: min(1000, (steps ?? .max) - done))
    {
      try launch.step.execution.run()
      done += launch.stepCount
    }
    guard done > 0 else { throw TrainingError("the dataset is empty: there is nothing to evaluate on.") }
    return try logs(.evaluate)
  }

  /// The running means of the totals.
  func logs(_ kind: StepKind) throws -> Logs {
    guard let compilation else { return [:] }
    func total(_ name: String) throws -> Double { Double(try session.scalar(StateName.total(kind, name))) }
    let count = max(try total(StateName.sampleCount), 1)
    var logs: Logs = ["loss": try total("loss") / count]
    for (metric, isWeighted) in compilation.watched {
      let weight = isWeighted ? try total(StateName.weightSum) : count
      logs[metric.name] = weight == 0 ? 0 : try total(metric.name) / weight
    }
    return logs
  }

  /// The model's output for samples, in their order: `[N, …]`.
  /// - Parameters:
  ///   - data: the samples; labels are ignored.
  ///   - batchSize: samples in a step.
  public func predict(_ data: Dataset, batchSize: Int = 32) throws -> NDArray {
    try prepareValues()
    warnOfFreshValues()
    let feeder = try feeder(data.shuffled(false), .predict, batchSize: batchSize)
    try feeder.begin(pass: 0)
    var parts: [NDArray] = []
    while let step = try feeder.next()?.step {
      try step.execution.run()
      if let output = try step.prediction() { parts.append(output) }
    }
    return try concatenated(parts)
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
