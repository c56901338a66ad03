// Muon: the momentum of a matrix is made orthogonal, so that a step is equally long in all directions.

import AccelerandoCore

/// Momentum whose singular values are all set to about 1 by Newton and Schulz' iteration (Jordan et al., 2024), for
/// matrices. Everything else is left to AdamW: vectors, kernels of convolutions, embeddings and excluded layers.
public struct Muon: AdjustableOptimizer {
  public var learningRate: LearningRate
  /// The rate of the momentum.
  public let momentum: Double
  /// Whether steps look ahead by the momentum (Nesterov).
  public let nesterov: Bool
  /// The number of iterations that make the momentum orthogonal.
  public let iterations: Int
  /// The coefficients a, b and c of an iteration: X ← aX + (bA + cA²)X with A = XXᵀ.
  public let coefficients: (Double, Double, Double)
  /// What steps are multiplied by, times the root of the larger side, so that they are about as large as Adam's; nil for 1.
  public let rmsRate: Double?
  /// Words in the names of parameters that are left to AdamW.
  public let excludedLayers: [String]
  /// Whether parameters with `embedding` in their names are left to AdamW.
  public let excludesEmbeddings: Bool
  /// AdamW's rate, as a proportion of the learning rate.
  public let adamRateRatio: Double
  /// AdamW's rate of the gradient's mean.
  public let adamBeta1: Double
  /// AdamW's rate of the squared gradient's mean.
  public let adamBeta2: Double
  /// AdamW's ε.
  public let epsilon: Double
  /// AdamW's weight decay; nil for none.
  public let adamWeightDecay: Double?
  /// The weight decay of matrices: the proportion of each weight, times the learning rate, that a step subtracts; nil for
  /// none.
  public let weightDecay: Double?
  public let clipping: GradientClipping?
  public var options = OptimizerOptions()

  /// Makes the optimizer with Keras' defaults.
  public init(
    _ learningRate: LearningRate = 0.001, momentum: Double = 0.95, nesterov: Bool = true, iterations: Int = 5,
    coefficients: (Double, Double, Double) = (3.4445, -4.775, 2.0315), rmsRate: Double? = 0.2,
    excludedLayers: [String] = [],
    excludesEmbeddings: Bool = true, adamRateRatio: Double = 1, adamBeta1: Double = 0.9, adamBeta2: Double = 0.999,
    epsilon: Double = 1e-7, adamWeightDecay: Double? = 0.004, weightDecay: Double? = 0.004,
    clipping: GradientClipping? = nil
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.iterations = iterations
    self.coefficients = coefficients
    self.rmsRate = rmsRate
    self.excludedLayers = excludedLayers
    self.excludesEmbeddings = excludesEmbeddings
    self.adamRateRatio = adamRateRatio
    self.adamBeta1 = adamBeta1
    self.adamBeta2 = adamBeta2
    self.epsilon = epsilon
    self.adamWeightDecay = adamWeightDecay
    self.weightDecay = weightDecay
    self.clipping = clipping
  }

  public var slots: [Slot] { [Slot("momentum")] }

  public func rule(for parameter: ParameterSpec) -> any Optimizer {
    let name = parameter.name.lowercased()
    let isExcluded =
      excludesEmbeddings && name.contains("embedding") || excludedLayers.contains(where: parameter.name.contains)
    if parameter.type.rank == 2, !isExcluded { return self }
    let adam = Adam(
      learningRate, beta1: adamBeta1, beta2: adamBeta2, epsilon: epsilon, weightDecay: adamWeightDecay,
      clipping: clipping)
    return adamRateRatio == 1 ? adam : SlowerAdam(adam: adam, ratio: adamRateRatio)
  }

  public func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor]) {
    guard hasSlots(slots, for: weight) else { return (weight, slots) }
    let rate = learningRate.converted(to: weight.dtype)
    let memory = slots[0] * momentum + gradient
    let direction = orthogonal(nesterov ? gradient + memory * momentum : memory)
    let size = rmsRate.map { $0 * Double(weight.shape.max() ?? 1).squareRoot() } ?? 1
    return (decayed(weight, by: weightDecay, learningRate) - direction * (rate * size), [memory])
  }

  /// A matrix with its singular values moved to about 1.
  private func orthogonal(_ matrix: Tensor) -> Tensor {
    guard matrix.rank == 2 else { return matrix.rejected("needs a matrix; received \(matrix.shape).") }
    // Products of the smaller side are the smaller ones.
    let isTall = matrix.shape[0] > matrix.shape[1]
    var x = isTall ? matrix.transposed() : matrix
    x = x / (x.squared().sum().sqrt() + 1e-7)
    for _ in 0..<iterations {
      let square = x.matmul(x.transposed())
      let change = square * coefficients.1 + (square * coefficients.2).matmul(square)
      x = x * coefficients.0 + change.matmul(x)
    }
    return isTall ? x.transposed() : x
  }

  /// AdamW with a part of the learning rate.
  private struct SlowerAdam: Optimizer {
    var adam: Adam
    let ratio: Double
    var learningRate: LearningRate {
      get { adam.learningRate }
      set { adam.learningRate = newValue }
    }
    var clipping: GradientClipping? { adam.clipping }
    var slots: [Slot] { adam.slots }

    func update(
      weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
    ) -> (weight: Tensor, slots: [Tensor]) {
      // The decay is not part of what is slower, as in Keras.
      var plain = Adam(adam.learningRate, beta1: adam.beta1, beta2: adam.beta2, epsilon: adam.epsilon)
      plain.learningRate = adam.learningRate
      return plain.update(
        weight: decayed(weight, by: adam.weightDecay, learningRate), gradient: gradient, slots: slots, step: step,
        learningRate: learningRate * ratio)
    }
  }
}

extension Muon: Configurable {
  public var configName: String { "muon" }

  public func config() throws -> Config {
    try configuration(
      self, weightDecay,
      [
        Config.Entry("momentum", Config(.double(momentum))), Config.Entry("nesterov", Config(.bool(nesterov))),
        Config.Entry("ns_steps", Config(.int(iterations))), Config.Entry("muon_a", Config(.double(coefficients.0))),
        Config.Entry("muon_b", Config(.double(coefficients.1))),
        Config.Entry("muon_c", Config(.double(coefficients.2))),
        Config.Entry("rms_rate", rmsRate.map { Config(.double($0)) } ?? Config(.double(0))),
        Config.Entry("exclude_layers", Config(.array(excludedLayers.map { Config(.string($0)) }))),
        Config.Entry("exclude_embeddings", Config(.bool(excludesEmbeddings))),
        Config.Entry("adam_lr_ratio", Config(.double(adamRateRatio))),
        Config.Entry("adam_beta_1", Config(.double(adamBeta1))),
        Config.Entry("adam_beta_2", Config(.double(adamBeta2))),
        Config.Entry("epsilon", Config(.double(epsilon))),
        Config.Entry("adam_weight_decay", Config(.double(adamWeightDecay ?? 0))),
      ])
  }

  init(config: ConfigReader) throws {
    let layers = try config.value("exclude_layers", kind: "a list of texts", default: [])
      .map { value -> [String] in
        guard case .array(let words) = value.value else { throw config.refused("exclude_layers", "a list of texts") }
        return try words.map { word in
          guard case .string(let text) = word.value else { throw config.refused("exclude_layers", "a list of texts") }
          return text
        }
      }
    let rms = try config.double(
      "rms_rate", default: 0.2, in: .notNegative, about: "0 leaves steps as they are")
    let adamDecay = try config.double("adam_weight_decay", default: 0.004, in: .notNegative)
    self.init(
      try config.learningRate(default: 0.001), momentum: try config.double("momentum", default: 0.95, in: .fraction),
      nesterov: try config.bool("nesterov", default: true),
      iterations: try config.int("ns_steps", default: 5, in: 1...100),
      coefficients: (
        try config.double("muon_a", default: 3.4445), try config.double("muon_b", default: -4.775),
        try config.double("muon_c", default: 2.0315)
      ), rmsRate: rms == 0 ? nil : rms, excludedLayers: layers ?? [],
      excludesEmbeddings: try config.bool("exclude_embeddings", default: true),
      adamRateRatio: try config.double("adam_lr_ratio", default: 1, in: .notNegative),
      adamBeta1: try config.double("adam_beta_1", default: 0.9, in: .belowOne),
      adamBeta2: try config.double("adam_beta_2", default: 0.999, in: .belowOne),
      epsilon: try config.double("epsilon", default: 1e-7, in: .notNegative),
      adamWeightDecay: adamDecay == 0 ? nil : adamDecay, weightDecay: try config.weightDecay(default: 0.004),
      clipping: try config.clipping())
  }
}
