// Initializers by Keras' names, for recipes.

extension Catalog where Item == Initializer {
  /// The built-in initializers.
  public static var initializers: Catalog { builtInInitializers }

  @Sendable fileprivate static func uniform(_ reader: ConfigReader) throws -> Initializer {
    let low = try reader.double("minval", default: -0.05)
    let high = try reader.double("maxval", default: 0.05)
    guard low <= high else { throw reader.refused("maxval", "a number of at least 'minval', \(low)") }
    return try reader.seeded(.randomUniform(from: low, to: high))
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
    case .seeded(let other, _), .alongAxes(let other, _, _): return other.configName
    case .zeros: return "zeros"
    case .ones: return "ones"
    case .constant: return "constant"
    case .randomUniform: return "random_uniform"
    case .randomNormal: return "random_normal"
    case .truncatedNormal: return "truncated_normal"
    case .varianceScaling: return "variance_scaling"
    case .orthogonal: return "orthogonal"
    case .identity: return "identity"
    case .parts: return "parts"
    }
  }

  public func config() -> Config {
    switch self {
    case .seeded(let other, let seed):
      guard case .object(let entries) = other.config().value else { return Config(["seed": Config(.int(Int(seed)))]) }
      return Config(.object(entries + [Config.Entry("seed", Config(.int(Int(seed))))]))
    case .alongAxes(let other, _, _): return other.config()
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
    case .parts(let parts):
      return Config(["of": Config(.array(parts.compactMap { try? Catalog.initializers.config(of: $0) }))])
    case .orthogonal(let gain), .identity(let gain): return Config(["gain": Config(.double(gain))])
    }
  }
}

extension ConfigReader {
  /// An initializer with a seed of its own, if one is set.
  fileprivate func seeded(_ initializer: Initializer) throws -> Initializer {
    let seed = try optionalInt("seed", in: 0...Int(UInt32.max), about: "Draws by this seed instead of the model's")
    return seed.map { .seeded(initializer, seed: UInt32($0)) } ?? initializer
  }

  /// An initializer by name or as an object, or `fallback` where it is not set.
  public func initializer(_ key: String, default fallback: Initializer) throws -> Initializer {
    try value(key, kind: "an initializer", default: Catalog.initializers.config(of: fallback))
      .map { try Catalog.initializers.make($0) } ?? fallback
  }
}

/// Made once: every layer that is traced asks for it.
private let builtInInitializers: Catalog<Initializer> = {
  Catalog("initializer")
    .adding("glorot_uniform", "Uniform with variance 2 / (fan in + fan out).") { try $0.seeded(.glorotUniform) }
    .adding("glorot_normal", "Truncated normal with variance 2 / (fan in + fan out).") { try $0.seeded(.glorotNormal) }
    .adding("he_uniform", "Uniform with variance 2 / fan in, for relu.") { try $0.seeded(.heUniform) }
    .adding("he_normal", "Truncated normal with variance 2 / fan in, for relu.") { try $0.seeded(.heNormal) }
    .adding("lecun_uniform", "Uniform with variance 1 / fan in, for selu.") { try $0.seeded(.lecunUniform) }
    .adding("lecun_normal", "Truncated normal with variance 1 / fan in, for selu.") { try $0.seeded(.lecunNormal) }
    .adding("zeros", aliases: ["zero"], "Every element 0.") { _ in .zeros }
    .adding("ones", aliases: ["one"], "Every element 1.") { _ in .ones }
    .adding("parts", "The last axis in equal parts, each with an initializer of its own.") { reader in
      .parts(try reader.array("of", kind: "a list of initializers").map { try Catalog.initializers.make($0) })
    }
    .adding("constant", "Every element equal to value.") { .constant(try $0.double("value", default: 0)) }
    .adding("random_uniform", aliases: ["uniform"], "Uniform between two numbers.", make: Catalog.uniform)
    .adding("random_normal", aliases: ["normal"], "Normal.") {
      try $0.seeded(
        .randomNormal(
          mean: try $0.double("mean", default: 0),
          standardDeviation: try $0.double("stddev", default: 0.05, in: .notNegative)))
    }
    .adding("truncated_normal", "Normal, truncated at two standard deviations.") {
      try $0.seeded(
        .truncatedNormal(
          mean: try $0.double("mean", default: 0),
          standardDeviation: try $0.double("stddev", default: 0.05, in: .notNegative)))
    }
    .adding("variance_scaling", "A variance of scale divided by a number of connections.") {
      try $0.seeded(
        .varianceScaling(
          scale: try $0.double("scale", default: 1, in: .positive), mode: try $0.choice("mode", default: .fanIn),
          distribution: try $0.choice("distribution", default: .truncatedNormal)))
    }
    .adding(
      "orthogonal", aliases: ["orthogonal_initializer"], "Orthonormal columns, or rows if those are fewer, times gain."
    ) {
      try $0.seeded(.orthogonal(gain: try $0.double("gain", default: 1)))
    }
    .adding("identity", aliases: ["identity_initializer"], "gain on the diagonal of a matrix, 0 elsewhere.") {
      .identity(gain: try $0.double("gain", default: 1))
    }
}()
