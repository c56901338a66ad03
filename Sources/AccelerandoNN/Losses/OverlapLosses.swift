// Losses of segmentation: how much of two areas is common, whatever their size.

import AccelerandoCore

/// 1 − 2 · Σ target · prediction / (Σ target + Σ prediction): 0 where both areas are the same.
public struct Dice: Loss, Hashable {
  /// The axes of an area; nil for the whole batch together.
  public let axes: [Int]?

  /// Makes the loss.
  public init(axes: [Int]? = nil) {
    self.axes = axes
  }

  public var name: String { "dice" }
  public var unit: LossUnit { overlapUnit(axes) }

  public func valuesPerSample(_ predictionShape: [Int]) -> Int { overlaps(axes, predictionShape) }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    guard let sums = Overlap(scores, targets, axes, "loss '\(name)'") else { return scores.perSample() }
    return (1 - sums.common * 2 / (sums.targets + sums.predictions + 1e-7)).forSamples(of: scores, unit)
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Make the labels 0 and 1.")
  }
}

extension Dice: Configurable {
  public var configName: String { name }
  public static var summary: String { "1 − the Dice coefficient of predicted and labelled areas." }
  public func config() -> Config { Config(["axis": axes.map { .ints($0) }]) }
  public init(config: ConfigReader) throws {
    self.init(axes: try config.overlapAxes())
  }
}

/// 1 − common / (common + alpha · missed + beta · wrong), for areas of which missing and adding do not cost the same
/// (Salehi et al., 2017).
public struct Tversky: Loss, Hashable {
  /// The cost of what is missed.
  public let alpha: Double
  /// The cost of what is added.
  public let beta: Double
  /// The axes of an area; nil for the whole batch together.
  public let axes: [Int]?

  /// Makes the loss.
  public init(alpha: Double = 0.5, beta: Double = 0.5, axes: [Int]? = nil) {
    self.alpha = alpha
    self.beta = beta
    self.axes = axes
  }

  public var name: String { "tversky" }
  public var unit: LossUnit { overlapUnit(axes) }

  public func valuesPerSample(_ predictionShape: [Int]) -> Int { overlaps(axes, predictionShape) }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    guard let sums = Overlap(scores, targets, axes, "loss '\(name)'") else { return scores.perSample() }
    let (missed, wrong) = (sums.targets - sums.common, sums.predictions - sums.common)
    return (1 - sums.common / (sums.common + missed * alpha + wrong * beta + 1e-7)).forSamples(of: scores, unit)
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Make the labels 0 and 1.")
  }
}

extension Tversky: Configurable {
  public var configName: String { name }
  public static var summary: String { "1 − the Tversky index of predicted and labelled areas." }
  public func config() -> Config {
    Config(["alpha": Config(.double(alpha)), "beta": Config(.double(beta)), "axis": axes.map { .ints($0) }])
  }
  public init(config: ConfigReader) throws {
    self.init(
      alpha: try config.double("alpha", default: 0.5, in: .notNegative),
      beta: try config.double("beta", default: 0.5, in: .notNegative), axes: try config.overlapAxes())
  }
}

/// The sums that compare two areas.
private struct Overlap {
  let common: Tensor
  let targets: Tensor
  let predictions: Tensor

  init?(_ predictions: Tensor, _ targets: Tensor, _ axes: [Int]?, _ user: String) {
    let along = axes.map { $0.map { $0 < 0 ? $0 + predictions.rank : $0 } }
    guard along.map({ Set($0).count == $0.count && $0.allSatisfy((0..<predictions.rank).contains) }) ?? true else {
      predictions.graph.report(
        GraphError(
          "needs different axes of the predictions \(predictions.shape); received \(axes ?? []).", path: [user]))
      return nil
    }
    // Of areas that go through all samples each worker has a part.
    let share = along?.contains(0) ?? true ? Scope.current?.share : nil
    func sum(_ x: Tensor) -> Tensor {
      let sum = (share?.masked(x) ?? x).sum(axes: along)
      return share?.summed(sum) ?? sum
    }
    common = sum(targets * predictions)
    self.targets = sum(targets)
    self.predictions = sum(predictions)
  }
}

/// What a loss of areas along axes is computed from: samples, or all of them together.
private func overlapUnit(_ axes: [Int]?) -> LossUnit {
  // A negative axis can be the batch axis only if all others are named too.
  axes.map { $0.contains(0) ? .batch : .sample } ?? .batch
}

/// The number of areas of a sample.
private func overlaps(_ axes: [Int]?, _ shape: [Int]) -> Int {
  guard let axes else { return 1 }
  let along = Set(axes.map { $0 < 0 ? $0 + shape.count : $0 })
  return shape.indices.dropFirst().filter { !along.contains($0) }.map { shape[$0] }.elementCount
}

extension Tensor {
  /// A loss for each sample: of a loss of the whole batch, the same for all.
  fileprivate func forSamples(of scores: Tensor, _ unit: LossUnit) -> Tensor {
    let count = scores.shape.first ?? 1
    if unit == .sample, rank >= 1, shape[0] == count { return perSample() }
    return (rank == 0 ? self : mean()).broadcast(to: [count])
  }
}

extension ConfigReader {
  fileprivate func overlapAxes() throws -> [Int]? {
    guard value("axis", kind: "a whole number or a list of them") != nil else { return nil }
    return try ints("axis", default: [])
  }
}
