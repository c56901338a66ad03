// Losses of decisions: what is on the right side of a margin costs nothing.

import AccelerandoCore

/// max(0, 1 − target · prediction), the mean over a sample's outputs. Targets are −1 and 1; 0 and 1 are taken for those.
public struct Hinge: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "hinge" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    return (1 - targets.asSigns() * scores).maximum(0).perSample()
  }
}

extension Hinge: Configurable {
  public var configName: String { name }
  public static var summary: String { "max(0, 1 − target · prediction), with targets −1 and 1 or 0 and 1." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// max(0, 1 − target · prediction)², the mean over a sample's outputs. Targets are −1 and 1; 0 and 1 are taken for those.
public struct SquaredHinge: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "squared_hinge" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    return (1 - targets.asSigns() * scores).maximum(0).squared().perSample()
  }
}

extension SquaredHinge: Configurable {
  public var configName: String { name }
  public static var summary: String { "max(0, 1 − target · prediction)², with targets −1 and 1 or 0 and 1." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

/// How far the largest score of a wrong class is above that of the right one, less a margin of 1. Targets are one-hot,
/// `[N, …, classes]`.
public struct CategoricalHinge: Loss, Hashable {

  /// Makes the loss.
  public init() {}

  public var name: String { "categorical_hinge" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.rank >= 2 else { return needsClasses(prediction, "loss '\(name)'") }
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    let right = (targets * scores).sum(axes: [scores.rank - 1])
    let wrong = ((1 - targets) * scores).max(axes: [scores.rank - 1])
    return (wrong - right + 1).maximum(0).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Give one-hot labels or probabilities.")
  }
}

extension CategoricalHinge: Configurable {
  public var configName: String { name }
  public static var summary: String { "The margin between the best wrong class and the right one; one-hot targets." }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws {
    self.init()
  }
}

extension Tensor {
  /// Labels −1 and 1. If all are 0 or 1, they are moved.
  fileprivate func asSigns() -> Tensor {
    let isBinary = equal(to: zerosLike()).or(equal(to: onesLike())).all().broadcast(to: shape)
    return select(isBinary, self * 2 - 1, self)
  }
}

/// Reports a prediction without an axis of classes.
func needsClasses(_ prediction: Tensor, _ user: String) -> Tensor {
  prediction.graph.report(
    GraphError("needs predictions [N, …, classes]; received \(prediction.type).", path: [user]))
  return prediction.perSample()
}
