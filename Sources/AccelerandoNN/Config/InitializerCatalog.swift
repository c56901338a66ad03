// Initializers by Keras' names, for recipes.

extension Catalog where Item == Initializer {
  /// The built-in initializers.
  public static var initializers: Catalog {
    Catalog("initializer")
      .adding("glorot_uniform") { _ in .glorotUniform }
      .adding("glorot_normal") { _ in .glorotNormal }
      .adding("he_uniform") { _ in .heUniform }
      .adding("he_normal") { _ in .heNormal }
      .adding("lecun_uniform") { _ in .lecunUniform }
      .adding("lecun_normal") { _ in .lecunNormal }
      .adding("zeros", aliases: ["zero"]) { _ in .zeros }
      .adding("ones", aliases: ["one"]) { _ in .ones }
      .adding("constant") { .constant(try $0.double("value", default: 0)) }
      .adding("random_uniform", aliases: ["uniform"]) {
        .randomUniform(from: try $0.double("minval", default: -0.05), to: try $0.double("maxval", default: 0.05))
      }
      .adding("random_normal", aliases: ["normal"]) {
        .randomNormal(
          mean: try $0.double("mean", default: 0), standardDeviation: try $0.double("stddev", default: 0.05))
      }
      .adding("truncated_normal") {
        .truncatedNormal(
          mean: try $0.double("mean", default: 0), standardDeviation: try $0.double("stddev", default: 0.05))
      }
      .adding("variance_scaling") {
        .varianceScaling(
          scale: try $0.positive("scale", default: 1), mode: try $0.choice("mode", default: .fanIn),
          distribution: try $0.choice("distribution", default: .truncatedNormal))
      }
      .adding("orthogonal") { .orthogonal(gain: try $0.double("gain", default: 1)) }
      .adding("identity") { .identity(gain: try $0.double("gain", default: 1)) }
  }
}

extension Initializer: Configurable {
  private static let shortNames: [(name: String, initializer: Initializer)] = [
    ("glorot_uniform", .glorotUniform), ("glorot_normal", .glorotNormal), ("he_uniform", .heUniform),
    ("he_normal", .heNormal), ("lecun_uniform", .lecunUniform), ("lecun_normal", .lecunNormal),
  ]

  public var configName: String {
    if let short = Self.shortNames.first(where: { $0.initializer == self }) { return short.name }
    switch self {
    case .zeros: return "zeros"
    case .ones: return "ones"
    case .constant: return "constant"
    case .randomUniform: return "random_uniform"
    case .randomNormal: return "random_normal"
    case .truncatedNormal: return "truncated_normal"
    case .varianceScaling: return "variance_scaling"
    case .orthogonal: return "orthogonal"
    case .identity: return "identity"
    }
  }

  public func config() -> Config {
    switch self {
    case .zeros, .ones: return Config([:])
    case .constant(let value): return Config(["value": Config(.double(value))])
    case .randomUniform(let low, let high):
      return Config(["minval": Config(.double(low)), "maxval": Config(.double(high))])
    case .randomNormal(let mean, let deviation), .truncatedNormal(let mean, let deviation):
      return Config(["mean": Config(.double(mean)), "stddev": Config(.double(deviation))])
    case .varianceScaling(let scale, let mode, let distribution):
      if Self.shortNames.contains(where: { $0.initializer == self }) { return Config([:]) }
      return Config([
        "scale": Config(.double(scale)), "mode": Config(.string(mode.rawValue)),
        "distribution": Config(.string(distribution.rawValue)),
      ])
    case .orthogonal(let gain), .identity(let gain): return Config(["gain": Config(.double(gain))])
    }
  }
}

extension ConfigReader {
  /// An initializer by name or as an object, or `fallback` where it is not set.
  public func initializer(_ key: String, default fallback: Initializer) throws -> Initializer {
    try value(key).map { try Catalog.initializers.make($0) } ?? fallback
  }
}
