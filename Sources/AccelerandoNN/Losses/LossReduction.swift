// From the losses of samples and places to the one number that is minimized: weights, masks and the kind of mean. Each
// value of the result belongs to a sample, so that workers can share a batch and a step can add up an epoch.

import AccelerandoCore

/// How the losses of a batch become one number. The names are Keras'.
public enum LossReduction: String, Hashable, Sendable, CaseIterable {
  /// The sum of the weighted losses over their number; masked places are not counted.
  case sumOverBatchSize = "sum_over_batch_size"
  /// The same.
  case mean
  /// The sum of the weighted losses.
  case sum
  /// The sum of the weighted losses over the sum of the weights.
  case meanWithSampleWeight = "mean_with_sample_weight"
}

/// A loss with another reduction than the mean over a batch.
public struct ReducedLoss: Loss {
  /// The loss.
  public let loss: any Loss
  public let reduction: LossReduction

  /// Describes a loss: `ReducedLoss(MeanSquaredError(), by: .sum)`.
  public init(_ loss: any Loss, by reduction: LossReduction) {
    self.loss = loss.plain
    self.reduction = reduction
  }

  public var name: String { loss.name }
  public var unit: LossUnit { loss.unit }
  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor { loss.values(prediction, target) }
  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? { loss.mask(prediction, target) }
  public func valuesPerSample(_ predictionShape: [Int]) -> Int { loss.valuesPerSample(predictionShape) }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try loss.check(targets: targets, predictionShape: predictionShape)
  }
}

extension ReducedLoss: Configurable {
  public var configName: String { (loss as? any Configurable)?.configName ?? name }

  public func config() throws -> Config {
    guard let loss = loss as? any Configurable else {
      throw ConfigError("the loss '\(loss.name)' cannot be written: it does not conform to Configurable.")
    }
    return try loss.config().adding([Config.Entry("reduction", Config(.string(reduction.rawValue)))])
  }
}

extension Loss {
  /// The loss whatever its reduction.
  package var plain: any Loss { (self as? ReducedLoss)?.loss ?? self }

  /// The loss of a batch, a scalar, for a training step of one's own: by the loss's reduction, of weighted losses.
  /// - Parameters:
  ///   - prediction: the model's output, `[N, …]`.
  ///   - target: what it should be.
  ///   - weights: how much each sample counts, `[N]`, or each place, `[N, …]`; nil where all count 1.
  ///   - mask: which places count, `bool` `[N, T]`; nil if all do.
  public func callAsFunction(
    _ prediction: Tensor, _ target: Tensor, weights: Tensor? = nil, mask: Tensor? = nil
  ) -> Tensor {
    terms(prediction, target, weights: weights, mask: mask, share: nil).mean()
  }

  /// A number for each sample, `[N]`, whose mean over the whole batch is the loss of the batch.
  /// - Parameter share: the worker's part of the batch, if several share it.
  package func terms(
    _ prediction: Tensor, _ target: Tensor, weights: Tensor?, mask: Tensor?, share: BatchShare?
  ) -> Tensor {
    let count = prediction.dim(0)
    func fallback() -> Tensor { target.scalar(0).converted(to: .float32).broadcast(to: [count]) }
    let places: LossPlaces
    do {
      places = try LossPlaces(self, prediction, target, weights: weights, mask: mask)
    } catch {
      prediction.graph.report(error)
      return fallback()
    }
    let rows = places.shape.elementCount
    var values = values(places.prediction, places.target)
    if values.shape != [rows] {
      values.graph.report(GraphError("a loss gives one value for each of \(rows) samples; received \(values.type)."))
      return fallback()
    }
    let own = self.mask(places.prediction, places.target).map { $0.converted(to: values.dtype) }
    let given = places.mask.map { $0.converted(to: values.dtype) }
    let counts = own.map { own in given.map { own * $0 } ?? own } ?? given
    let amounts = places.weights.map { $0.converted(to: values.dtype) }

    func total(_ x: Tensor) -> Tensor {
      let perSample = places.shape.count > 1 ? x.reshaped(places.shape).sum(axes: Array(1..<places.shape.count)) : x
      let sum = (share?.masked(perSample) ?? perSample).sum()
      return share?.summed(sum) ?? sum
    }
    let samples = Double(share?.globalCount ?? count)
    let all = samples * Double(rows / max(count, 1))
    var factor: Tensor?
    switch reduction {
    case .sumOverBatchSize, .mean:
      // Places that count have a mean of one.
      factor = counts.map { all / total($0).maximum(1) }
    case .sum:
      let each = places.shape.count > 1 ? rows / max(count, 1) : valuesPerSample(prediction.shape)
      factor = values.scalar(unit == .batch && amounts == nil ? 1 : samples * Double(each))
    case .meanWithSampleWeight:
      if let weights = amounts.map({ amounts in counts.map { amounts * $0 } ?? amounts }) ?? counts {
        let sum = total(weights)
        factor = all / select(sum.equal(to: sum.zerosLike()), sum.onesLike(), sum)
      }
    }
    for part in [amounts, counts] { if let part { values = values * part } }
    if places.shape.count > 1 { values = values.reshaped(places.shape).perSample() }
    return factor.map { values * $0 } ?? values
  }

  /// The loss of each sample for itself, `[N]`: the mean over its places that count, whatever the rest of the batch is.
  package func perSample(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let places: LossPlaces
    do {
      places = try LossPlaces(self, prediction, target, weights: nil, mask: nil)
    } catch {
      prediction.graph.report(error)
      return target.scalar(0).converted(to: .float32).broadcast(to: [prediction.dim(0)])
    }
    let values = values(places.prediction, places.target)
    let counts = mask(places.prediction, places.target)?.converted(to: values.dtype)
    func total(_ x: Tensor) -> Tensor {
      places.shape.count > 1 ? x.reshaped(places.shape).sum(axes: Array(1..<places.shape.count)) : x
    }
    guard let counts else { return places.shape.count > 1 ? values.reshaped(places.shape).perSample() : values }
    return total(values * counts) / total(counts).maximum(1)
  }
}

/// The samples of a loss: those of the batch or, where places have weights or masks of their own, all places.
struct LossPlaces {
  /// `[N]`, or `[N, T, …]`.
  let shape: [Int]
  /// `[M, …]`, for as many as there are in `shape`.
  let prediction: Tensor
  let target: Tensor
  /// `[M]`.
  let weights: Tensor?
  /// `[M]`, `bool`.
  let mask: Tensor?

  init(
    _ loss: some Loss, _ prediction: Tensor, _ target: Tensor, weights: Tensor?, mask: Tensor?
  ) throws(GraphError) {
    let weights = weights.map { $0.withoutLastOnes() }
    let count = prediction.dim(0)
    guard weights?.dim(0) ?? count == count else {
      throw GraphError("needs weights of \(count) samples; received \(weights?.shape ?? []).")
    }
    let given = mask?.shape ?? weights?.shape ?? [count]
    let hasOwnMask = loss.unit == .place && loss.mask(prediction, target) != nil
    let shape = hasOwnMask && given.count < 2 ? Array(prediction.shape.dropLast()) : given
    guard shape.count > 1 else {
      (self.shape, self.prediction, self.target, self.weights) = ([count], prediction, target, weights)
      self.mask = mask
      return
    }
    if loss.unit == .batch {
      // One number for all: what counts of a sample are its places that count.
      let spread = [weights, mask?.converted(to: .float32)].compactMap { $0?.converted(to: .float32).perSample() }
      (self.shape, self.prediction, self.target) = ([count], prediction, target)
      self.weights = spread.dropFirst().reduce(spread.first) { a, b in a.map { $0 * b } }
      self.mask = nil
      return
    }
    guard loss.unit == .place else {
      throw GraphError(
        "has one loss for each sample, so that weights and masks of places, \(shape), do not fit. Give weights [N]\(mask == nil ? "" : ", and end the mask, as Lambda { $0 } does")."
      )
    }
    guard Array(prediction.shape.prefix(shape.count)) == shape, Array(target.shape.prefix(shape.count)) == shape else {
      let what = mask == nil ? "weights" : "a mask"
      throw GraphError(
        "needs \(what) of the places of the prediction \(prediction.shape) and the labels \(target.shape); "
          + "received \(shape).")
    }
    self.shape = shape
    self.prediction = prediction.flattened(shape)
    self.target = target.flattened(shape)
    self.mask = mask?.reshaped([shape.elementCount])
    self.weights = try weights.map { weights throws(GraphError) in
      guard shape.starts(with: weights.shape) else {
        throw GraphError("needs weights of \(shape) or of its first axes; received \(weights.shape).")
      }
      return weights.broadcast(to: shape, axes: Array(0..<weights.rank)).reshaped([shape.elementCount])
    }
  }
}

extension Tensor {
  /// Weights without last axes of size 1, which say nothing.
  package func withoutLastOnes() -> Tensor {
    var shape = shape
    while shape.count > 1, shape.last == 1 { shape.removeLast() }
    return shape == self.shape ? self : reshaped(shape)
  }

  /// `[N, T, …]` as `[N · T, …]`. Losses look for a final softmax or sigmoid, which therefore stays last.
  func flattened(_ places: [Int]) -> Tensor {
    let shape = [places.elementCount] + self.shape.dropFirst(places.count)
    switch definition?.operation {
    case let softmax as AccelerandoCore.Softmax where softmax.axis == rank - 1 && rank > places.count:
      return definition?.operands[0].reshaped(shape).softmax() ?? reshaped(shape)
    case let unary as Unary where unary.function == .logistic:
      return definition?.operands[0].reshaped(shape).sigmoid() ?? reshaped(shape)
    default: return reshaped(shape)
    }
  }
}
