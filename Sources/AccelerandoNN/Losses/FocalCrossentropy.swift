// Cross-entropies in which what is easy counts less: for rare classes and for labels that may be wrong.

import AccelerandoCore

/// Binary cross-entropy times (1 − p)^gamma, with p the probability of the right answer (Lin et al., 2018); the mean over a
/// sample's outputs.
public struct BinaryFocalCrossentropy: Loss, Hashable {
  /// Whether ones have the weight alpha, and zeros 1 − alpha.
  public let balancesClasses: Bool
  /// The weight of ones, or of all classes.
  public let alpha: Double
  /// How fast easy samples lose weight.
  public let gamma: Double
  /// Whether predictions are logits instead of probabilities.
  public let fromLogits: Bool
  /// The label smoothing, from 0 (none) to 1.
  public let labelSmoothing: Double

  /// Makes the loss.
  public init(
    balancesClasses: Bool = false, alpha: Double = 0.25, gamma: Double = 2, fromLogits: Bool = false,
    labelSmoothing: Double = 0
  ) {
    self.balancesClasses = balancesClasses
    self.alpha = alpha
    self.gamma = gamma
    self.fromLogits = fromLogits
    self.labelSmoothing = labelSmoothing
  }

  public var name: String { "binary_focal_crossentropy" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let scores = prediction.widened()
    var targets = target.targets(for: scores, of: "loss '\(name)'")
    if labelSmoothing != 0 { targets = targets * (1 - labelSmoothing) + 0.5 * labelSmoothing }
    let probability = fromLogits ? scores.sigmoid() : scores
    let inside = limited(probability)
    let entropy = -(targets * inside.log() + (1 - targets) * (1 - inside).log())
    let right = targets * probability + (1 - targets) * (1 - probability)
    var result = (1 - right).power(gamma) * entropy
    if balancesClasses { result = result * (targets * alpha + (1 - targets) * (1 - alpha)) }
    return result.perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Make the labels 0 and 1.")
  }
}

extension BinaryFocalCrossentropy: Configurable {
  public var configName: String { name }
  public static var summary: String { "Binary cross-entropy in which easy samples count less." }
  public func config() -> Config {
    Config([
      "apply_class_balancing": Config(.bool(balancesClasses)), "alpha": Config(.double(alpha)),
      "gamma": Config(.double(gamma)), "from_logits": Config(.bool(fromLogits)),
      "label_smoothing": Config(.double(labelSmoothing)),
    ])
  }
  public init(config: ConfigReader) throws {
    self.init(
      balancesClasses: try config.bool("apply_class_balancing", default: false),
      alpha: try config.double("alpha", default: 0.25, in: .notNegative),
      gamma: try config.double("gamma", default: 2, in: .notNegative),
      fromLogits: try config.bool("from_logits", default: false),
      labelSmoothing: try config.double("label_smoothing", default: 0, in: .fraction))
  }
}

/// Cross-entropy of one-hot targets times alpha · (1 − p)^gamma for each class (Lin et al., 2018).
public struct CategoricalFocalCrossentropy: Loss, Hashable {
  /// The weight of ones, or of all classes.
  public let alpha: Double
  /// How fast easy samples lose weight.
  public let gamma: Double
  /// Whether predictions are logits instead of probabilities.
  public let fromLogits: Bool
  /// The label smoothing, from 0 (none) to 1.
  public let labelSmoothing: Double

  /// Makes the loss.
  public init(alpha: Double = 0.25, gamma: Double = 2, fromLogits: Bool = false, labelSmoothing: Double = 0) {
    self.alpha = alpha
    self.gamma = gamma
    self.fromLogits = fromLogits
    self.labelSmoothing = labelSmoothing
  }

  public var name: String { "categorical_focal_crossentropy" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.rank >= 2 else { return needsClasses(prediction, "loss '\(name)'") }
    let scores = prediction.widened()
    let targets = target.targets(for: scores, of: "loss '\(name)'")
    var labels = targets
    if labelSmoothing != 0 {
      labels = labels * (1 - labelSmoothing) + labelSmoothing / Double(max(scores.dim(-1), 1))
    }
    let given = fromLogits ? scores.softmax() : scores
    let probability = limited(given / given.sum(axes: [scores.rank - 1], keepDims: true))
    let focus = (1 - probability).power(gamma) * alpha
    return -(focus * labels * probability.log()).sum(axes: [scores.rank - 1]).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkProbabilities(targets, remedy: "Give one-hot labels or probabilities.")
  }
}

extension CategoricalFocalCrossentropy: Configurable {
  public var configName: String { name }
  public static var summary: String { "Cross-entropy of one-hot targets in which easy samples count less." }
  public func config() -> Config {
    Config([
      "alpha": Config(.double(alpha)), "gamma": Config(.double(gamma)), "from_logits": Config(.bool(fromLogits)),
      "label_smoothing": Config(.double(labelSmoothing)),
    ])
  }
  public init(config: ConfigReader) throws {
    self.init(
      alpha: try config.double("alpha", default: 0.25, in: .notNegative),
      gamma: try config.double("gamma", default: 2, in: .notNegative),
      fromLogits: try config.bool("from_logits", default: false),
      labelSmoothing: try config.double("label_smoothing", default: 0, in: .fraction))
  }
}

/// (1 − p^q) / q with p the probability of the labelled class (Zhang and Sabuncu, 2018): between cross-entropy (q → 0) and
/// the absolute error (q = 1), for labels that may be wrong. Targets are class indices.
public struct CategoricalGeneralizedCrossEntropy: Loss, Hashable {
  /// Above 0, at most 1.
  public let q: Double

  /// Makes the loss.
  public init(q: Double = 0.5) {
    self.q = q
  }

  public var name: String { "categorical_generalized_cross_entropy" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.rank >= 2 else { return needsClasses(prediction, "loss '\(name)'") }
    let scores = prediction.widened()
    let labels = target.labels(for: scores, of: "loss '\(name)'", otherwise: "'categorical_crossentropy'")
    let probability = select(labels.isClass(of: scores), scores, scores.zerosLike()).sum(axes: [scores.rank - 1])
    return ((1 - probability.power(q)) / q).perSample()
  }

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkClassIndices(targets, predictionShape: predictionShape)
  }
}

extension CategoricalGeneralizedCrossEntropy: Configurable {
  public var configName: String { name }
  public static var summary: String { "(1 − p^q) / q for the labelled class; for labels that may be wrong." }
  public func config() -> Config { Config(["q": Config(.double(q))]) }
  public init(config: ConfigReader) throws {
    self.init(q: try config.double("q", default: 0.5, in: .positiveFraction))
  }
}
