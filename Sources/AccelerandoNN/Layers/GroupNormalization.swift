// Normalization of each sample by the statistics of groups of its channels.

import AccelerandoCore

/// `(x − mean) / √(variance + epsilon) · gamma + beta`, with a mean and a (biased) variance for each sample and group of
/// channels, over all places (Wu and He, 2018).
public struct GroupNormalization: ConfigurableLayer, TrainableLayer {
  /// The number of groups; −1 for one of each channel.
  public let groups: Int
  /// The axis of the channels; negative ones count from the last.
  public let axis: Int
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
    groups: Int = 32, axis: Int = -1, epsilon: Double = 1e-3, centers: Bool = true, scales: Bool = true,
    gammaInitializer: Initializer = .ones, betaInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.groups = groups
    self.axis = axis
    self.epsilon = epsilon
    self.centers = centers
    self.scales = scales
    self.name = name
    gamma = Parameter(gammaInitializer, keepsPrecision: true, isPrunable: false)
    beta = Parameter(betaInitializer, keepsPrecision: true, isPrunable: false)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let feature = axis < 0 ? axis + x.rank : axis
    guard x.rank >= 2, (1..<x.rank).contains(feature) else {
      return x.rejected("needs an input with a feature axis \(axis) beside the batch axis; received \(x.shape).")
    }
    let channels = x.shape[feature]
    let count = groups == -1 ? channels : groups
    guard count > 0, channels % count == 0 else {
      return x.rejected("needs groups that divide the channels; received \(count) groups and \(channels) channels.")
    }
    let split = Array(x.shape[..<feature]) + [count, channels / count] + Array(x.shape[(feature + 1)...])
    let wide = x.widened().reshaped(split)
    let axes = split.indices.filter { $0 != 0 && $0 != feature }
    let centered = wide - wide.mean(axes: axes, keepDims: true)
    let variance = centered.squared().mean(axes: axes, keepDims: true)
    var result = centered * (variance + epsilon).rsqrt()
    let place = split.indices.map { $0 == feature || $0 == feature + 1 ? split[$0] : 1 }
    if scales { result = result * gamma[channels].converted(to: wide.dtype).reshaped(place) }
    if centers { result = result + beta[channels].converted(to: wide.dtype).reshaped(place) }
    return result.reshaped(x.shape).converted(to: x.dtype)
  }

  public static var summary: String { "Normalizes each sample by the mean and variance of groups of channels." }

  public init(config: ConfigReader) throws {
    let groups = try config.int("groups", default: 32, in: -1...Int(Int32.max))
    guard groups != 0 else { throw config.refused("groups", "a whole number of at least 1, or -1 for each channel") }
    self.init(
      groups: groups, axis: try config.int("axis", default: -1),
      epsilon: try config.double("epsilon", default: 1e-3, in: .notNegative),
      centers: try config.bool("center", default: true), scales: try config.bool("scale", default: true),
      gammaInitializer: try config.initializer("gamma_initializer", default: .ones),
      betaInitializer: try config.initializer("beta_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "groups": Config(.int(groups)), "axis": Config(.int(axis)),
      "epsilon": Config(.double(epsilon)), "center": Config(.bool(centers)), "scale": Config(.bool(scales)),
      "gamma_initializer": try Catalog.initializers.config(of: gamma.initializer),
      "beta_initializer": try Catalog.initializers.config(of: beta.initializer),
    ])
  }
}
