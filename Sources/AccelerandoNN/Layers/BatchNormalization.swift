// Normalization by the statistics of the batch while training, and by their running means afterwards.

import AccelerandoCore

/// `(x − mean) / √(variance + epsilon) · gamma + beta`, with a mean and a variance for each index of one axis.
///
/// While training they are the batch's own (the variance is the biased one), and the running means move towards them;
/// otherwise they are the running means.
public struct BatchNormalization: ConfigurableLayer, TrainableLayer {
  /// The axis of the features; negative ones count from the last.
  public let axis: Int
  /// The part of the running means that a step keeps.
  public let momentum: Double
  /// What is added to the variance.
  public let epsilon: Double
  /// Whether `beta` is added.
  public let centers: Bool
  /// Whether the result is multiplied by `gamma`.
  public let scales: Bool
  /// Whether workers that share a batch normalize by the statistics of the whole batch; otherwise each by those of its
  /// part, unless that has too few samples for a mean and a variance: fewer than 2, or fewer than 8 if threads and
  /// processes share a batch, whose parts the user has not chosen.
  public let isSynchronized: Bool
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["gamma": "gamma", "beta": "beta"] }
  public var passesMask: Bool { true }
  let gamma: Parameter
  let beta: Parameter
  let movingMean: Parameter
  let movingVariance: Parameter

  /// Makes the layer.
  public init(
    axis: Int = -1, momentum: Double = 0.99, epsilon: Double = 1e-3, centers: Bool = true, scales: Bool = true,
    isSynchronized: Bool = false, gammaInitializer: Initializer = .ones, betaInitializer: Initializer = .zeros,
    movingMeanInitializer: Initializer = .zeros, movingVarianceInitializer: Initializer = .ones,
    name: String? = nil
  ) {
    self.axis = axis
    self.momentum = momentum
    self.epsilon = epsilon
    self.centers = centers
    self.scales = scales
    self.isSynchronized = isSynchronized
    self.name = name
    gamma = Parameter(gammaInitializer, keepsPrecision: true)
    beta = Parameter(betaInitializer, keepsPrecision: true)
    movingMean = Parameter(movingMeanInitializer, role: .state)
    movingVariance = Parameter(movingVarianceInitializer, role: .state)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let feature = axis < 0 ? axis + x.rank : axis
    guard x.rank >= 2, (1..<x.rank).contains(feature) else {
      return x.rejected("needs an input with a feature axis \(axis) beside the batch axis; received \(x.shape).")
    }
    let features = x.shape[feature]
    let (runningMean, runningVariance) = (movingMean[features], movingVariance[features])
    // Statistics of 16-bit numbers are taken in 32 bits: sums over a batch need the digits.
    let wide = x.widened()
    let scale = scales ? gamma[features].converted(to: wide.dtype) : wide.scalar(1).broadcast(to: [features])
    let shift = centers ? beta[features].converted(to: wide.dtype) : wide.scalar(0).broadcast(to: [features])
    if Scope.isTraining, !movingMean.isFrozen {
      if let mask = x.mask, mask.rank != x.rank - 1 || feature != x.rank - 1 {
        return x.rejected(
          "normalizes the last axis where there is a mask, of all other axes; has axis \(axis) for \(x.shape) and a mask "
            + "\(mask.shape).")
      }
      let results = normalized(wide, feature, scale, shift, mask: x.mask)
      update(movingMean, runningMean, results[1])
      update(movingVariance, runningVariance, results[2])
      return results[0].converted(to: x.dtype)
    }
    let place = x.shape.indices.map { $0 == feature ? features : 1 }
    let centered = wide - runningMean.reshaped(place).converted(to: wide.dtype)
    let factor = (runningVariance.converted(to: wide.dtype) + epsilon).rsqrt() * scale
    return (centered * factor.reshaped(place) + shift.reshaped(place)).converted(to: x.dtype)
  }

  /// The tensor normalized by the batch's mean and variance, and these. Where a mask is false, elements count in neither.
  private func normalized(
    _ x: Tensor, _ feature: Int, _ scale: Tensor, _ shift: Tensor, mask: Tensor?
  ) -> [Tensor] {
    if let mask { return normalized(x, scale, shift, mask: mask) }
    guard let share = Scope.current?.share else {
      return x.graph.add(BatchNormTraining(axis: feature, epsilon: epsilon), [x, scale, shift])
    }
    let isSynchronized = isSynchronized || share.isTooSmallForStatistics
    guard isSynchronized || share.mask != nil else {
      return x.graph.add(BatchNormTraining(axis: feature, epsilon: epsilon), [x, scale, shift])
    }
    let others = x.shape.indices.filter { $0 != feature }
    let places = others.dropFirst().map { x.shape[$0] }.reduce(1, *)
    let samples = isSynchronized ? share.sampleCount.filled(Double(share.globalCount)) : share.sampleCount
    let count = (samples.maximum(1) * Double(places)).converted(to: x.dtype)
    func mean(_ rows: Tensor) -> Tensor {
      let sum = share.masked(rows).sum(axes: others)
      return (isSynchronized ? share.summed(sum) : sum) / count
    }
    func spread(_ vector: Tensor) -> Tensor { vector.broadcast(to: x.shape, axes: [feature]) }
    let center = mean(x)
    let centered = x - spread(center)
    let variance = mean(centered.squared())
    return [centered * spread((variance + epsilon).rsqrt() * scale) + spread(shift), center, variance]
  }

  /// `normalized` for the features of the last axis, and a mask of the other axes.
  private func normalized(_ x: Tensor, _ scale: Tensor, _ shift: Tensor, mask: Tensor) -> [Tensor] {
    let share = Scope.current?.share
    let isSynchronized = isSynchronized || share?.isTooSmallForStatistics ?? false
    let others = Array(0..<x.rank - 1)
    func total(_ rows: Tensor) -> Tensor {
      let sum = (share?.masked(rows) ?? rows).sum(axes: others)
      return isSynchronized ? share?.summed(sum) ?? sum : sum
    }
    let counts = mask.converted(to: x.dtype)
    let count = total(counts).broadcast(to: [x.dim(-1)]) + 1e-7
    let kept = mask.expandingDims(-1).broadcast(to: x.shape)
    func mean(_ values: Tensor) -> Tensor { total(select(kept, values, values.zerosLike())) / count }
    let center = mean(x)
    let centered = x - center
    let variance = mean(centered.squared())
    return [centered * ((variance + epsilon).rsqrt() * scale) + shift, center, variance]
  }

  private func update(_ parameter: Parameter, _ running: Tensor, _ batch: Tensor) {
    parameter.update(running * momentum + batch.converted(to: running.dtype) * (1 - momentum))
  }

  public static var summary: String {
    "Normalizes by the batch's mean and variance while training, by their running means otherwise."
  }

  public init(config: ConfigReader) throws {
    self.init(
      axis: try config.int("axis", default: -1), momentum: try config.double("momentum", default: 0.99, in: .fraction),
      epsilon: try config.double("epsilon", default: 1e-3, in: .notNegative),
      centers: try config.bool("center", default: true),
      scales: try config.bool("scale", default: true), isSynchronized: try config.bool("synchronized", default: false),
      gammaInitializer: try config.initializer("gamma_initializer", default: .ones),
      betaInitializer: try config.initializer("beta_initializer", default: .zeros),
      movingMeanInitializer: try config.initializer("moving_mean_initializer", default: .zeros),
      movingVarianceInitializer: try config.initializer("moving_variance_initializer", default: .ones),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "axis": Config(.int(axis)), "momentum": Config(.double(momentum)),
      "epsilon": Config(.double(epsilon)), "center": Config(.bool(centers)), "scale": Config(.bool(scales)),
      "synchronized": isSynchronized ? Config(.bool(true)) : nil,
      "gamma_initializer": try Catalog.initializers.config(of: gamma.initializer),
      "beta_initializer": try Catalog.initializers.config(of: beta.initializer),
      "moving_mean_initializer": try Catalog.initializers.config(of: movingMean.initializer),
      "moving_variance_initializer": try Catalog.initializers.config(of: movingVariance.initializer),
    ])
  }
}

extension BatchNormalization {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow {
    guard let rank = inputs.first?.rank, axis == -1 || axis == rank - 1 else { return .separate }
    var flow = ChannelFlow.separate.with(movingMean).with(movingVariance)
    if scales { flow = flow.with(gamma) }
    if centers { flow = flow.with(beta) }
    flow.scale = (scales ? gamma : nil, movingVariance)
    return flow
  }
}
