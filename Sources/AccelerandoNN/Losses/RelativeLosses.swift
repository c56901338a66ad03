// Losses of regression that measure errors otherwise than by their size: relatively, by logarithms, or by directions.

import AccelerandoCore

/// log cosh(prediction − target), the mean over a sample's outputs: a square near 0, an absolute value far away.
public struct LogCosh: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "log_cosh" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let d = difference(prediction, target, "loss '\(name)'")
    // log cosh d = |d| + log(1 + e^(−2|d|)) − log 2, so that no exponential overflows.
    let size = d.abs()
    return (size + (size * -2).exp().log1p() - 0.6931471805599453).perSample()
  }
}

extension LogCosh: Configurable {
  public var configName: String { name }
  public static var summary: String { "log cosh(prediction − target)." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// 100 · |target − prediction| / |target|, the mean over a sample's outputs.
public struct MeanAbsolutePercentageError: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "mean_absolute_percentage_error" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    return ((targets - scores) / targets.abs().maximum(1e-7)).abs().perSample() * 100
  }
}

extension MeanAbsolutePercentageError: Configurable {
  public var configName: String { name }
  public static var summary: String { "The mean of 100 · |target − prediction| / |target|." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// (log(1 + target) − log(1 + prediction))², the mean over a sample's outputs. Below 1e-7 numbers count as that.
public struct MeanSquaredLogarithmicError: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "mean_squared_logarithmic_error" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    return ((scores.maximum(1e-7) + 1).log() - (targets.maximum(1e-7) + 1).log()).squared().perSample()
  }
}

extension MeanSquaredLogarithmicError: Configurable {
  public var configName: String { name }
  public static var summary: String { "The mean of (log(1 + target) − log(1 + prediction))²." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// prediction − target · log prediction, the mean over a sample's outputs: for counts whose mean is predicted.
public struct Poisson: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "poisson" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    return (scores - targets * (scores + 1e-7).log()).perSample()
  }
}

extension Poisson: Configurable {
  public var configName: String { name }
  public static var summary: String { "prediction − target · log prediction, for counts." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// Σ target · log(target / prediction) over the last axis: how far one distribution is from another.
public struct KLDivergence: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "kl_divergence" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.rank >= 2 else { return needsClasses(prediction, "loss '\(name)'") }
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    let (p, q) = (targets.clamped(1e-7...1), scores.clamped(1e-7...1))
    return (p * (p / q).log()).sum(axes: [scores.rank - 1]).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Give one-hot labels or probabilities.")
  }
}

extension KLDivergence: Configurable {
  public var configName: String { name }
  public static var summary: String { "Σ target · log(target / prediction): the distance between distributions." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// −cos of the angle between prediction and target along an axis: −1 for equal directions.
public struct CosineSimilarity: Loss, Hashable {
  /// The axis of the vectors; negative ones count from the last.
  public let axis: Int

  /// Makes the loss.
  public init(axis: Int = -1) {
    self.axis = axis
  }

  public var name: String { "cosine_similarity" }
  // Another axis than the last goes through places.
  public var unit: LossUnit { axis == -1 ? .place : .sample }

  public func valuesPerSample(_ predictionShape: [Int]) -> Int {
    let along = axis < 0 ? axis + predictionShape.count : axis
    return predictionShape.indices.dropFirst().filter { $0 != along }.map { predictionShape[$0] }.elementCount
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    let along = axis < 0 ? axis + scores.rank : axis
    guard (1..<max(scores.rank, 1)).contains(along) else {
      scores.graph.report(
        GraphError(
          "needs an axis beside the batch axis; received \(axis) for \(scores.shape).", path: ["loss '\(name)'"]))
      return scores.perSample()
    }
    return -(scores.unit(axes: [along]) * targets.unit(axes: [along])).sum(axes: [along]).perSample()
  }
}

extension CosineSimilarity: Configurable {
  public var configName: String { name }
  public static var summary: String { "−1 for vectors of equal direction, 1 for opposite ones." }
  public func config() -> Config { Config(["axis": Config(.int(axis))]) }
  public init(config: ConfigReader) throws {
    self.init(axis: try config.int("axis", default: -1))
  }
}
