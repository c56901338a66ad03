// Normalization of each sample by its own statistics.

import AccelerandoCore

/// `(x − mean) / √(variance + epsilon) · gamma + beta`, with the mean and the (biased) variance along the given axes.
public struct LayerNormalization: ConfigurableLayer, TrainableLayer {
  /// The axes; negative ones count from the last.
  public let axes: [Int]
  /// What is added to the variance.
  public let epsilon: Double
  /// Whether `beta` is added.
  public let centers: Bool
  /// Whether the result is multiplied by `gamma`.
  public let scales: Bool
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["gamma": "gamma", "beta": "beta"] }
  public var passesMask: Bool { true }
  let gamma: Parameter
  let beta: Parameter

  /// Makes the layer.
  public init(
    axes: [Int] = [-1], epsilon: Double = 1e-3, centers: Bool = true, scales: Bool = true,
    gammaInitializer: Initializer = .ones, betaInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.axes = axes
    self.epsilon = epsilon
    self.centers = centers
    self.scales = scales
    self.name = name
    gamma = Parameter(gammaInitializer, keepsPrecision: true, isPrunable: false)
    beta = Parameter(betaInitializer, keepsPrecision: true, isPrunable: false)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let along = axes.map { $0 < 0 ? $0 + x.rank : $0 }
    guard !along.isEmpty, Set(along).count == along.count, along.allSatisfy((1..<max(x.rank, 1)).contains) else {
      return x.rejected("needs an input with the axes \(axes) beside the batch axis; received \(x.shape).")
    }
    let sorted = along.sorted()
    let shape = sorted.map { x.shape[$0] }
    let wide = x.widened()
    let scale = scales ? gamma[shape: shape].converted(to: wide.dtype) : wide.scalar(1).broadcast(to: shape)
    let offset = centers ? beta[shape: shape].converted(to: wide.dtype) : wide.scalar(0).broadcast(to: shape)
    if sorted == Array(x.rank - sorted.count..<x.rank) {
      return wide.layerNormalized(scale: scale, offset: offset, epsilon: epsilon).converted(to: x.dtype)
    }
    // If other axes follow these, the rows of the operation would not be contiguous.
    let place = x.shape.indices.map { sorted.contains($0) ? x.shape[$0] : 1 }
    let centered = wide - wide.mean(axes: sorted, keepDims: true)
    let variance = centered.squared().mean(axes: sorted, keepDims: true)
    let normalized = centered * (variance + epsilon).rsqrt()
    return (normalized * scale.reshaped(place) + offset.reshaped(place)).converted(to: x.dtype)
  }

  public static var summary: String { "Normalizes each sample by its own mean and variance along the given axes." }

  public init(config: ConfigReader) throws {
    self.init(
      axes: try config.ints("axis", default: [-1]),
      epsilon: try config.double("epsilon", default: 1e-3, in: .notNegative),
      centers: try config.bool("center", default: true), scales: try config.bool("scale", default: true),
      gammaInitializer: try config.initializer("gamma_initializer", default: .ones),
      betaInitializer: try config.initializer("beta_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "axis": .ints(axes), "epsilon": Config(.double(epsilon)),
      "center": Config(.bool(centers)), "scale": Config(.bool(scales)),
      "gamma_initializer": try Catalog.initializers.config(of: gamma.initializer),
      "beta_initializer": try Catalog.initializers.config(of: beta.initializer),
    ])
  }
}
