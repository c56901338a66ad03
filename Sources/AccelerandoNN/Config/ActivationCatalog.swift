// Activations by Keras' names, for recipes.

extension Activation {
  /// The activations that have no settings, by name.
  static let plain: [(name: String, activation: Activation, summary: String)] = [
    ("linear", .linear, "x itself."), ("relu", .relu, "max(x, 0)."), ("sigmoid", .sigmoid, "1 / (1 + e⁻ˣ)."),
    ("tanh", .tanh, "The hyperbolic tangent."), ("softmax", .softmax, "eˣ / Σ eˣ along the last axis."),
    ("silu", .silu, "x · sigmoid(x)."), ("selu", .selu, "elu scaled so that mean and variance settle at 0 and 1."),
    ("softplus", .softplus, "log(1 + eˣ)."), ("softsign", .softsign, "x / (1 + |x|)."),
    ("relu6", .relu6, "x limited to 0…6."), ("exponential", .exponential, "eˣ."),
    ("mish", .mish, "x · tanh(softplus(x))."), ("hard_sigmoid", .hardSigmoid, "relu6(x + 3) / 6."),
    ("hard_silu", .hardSilu, "x · hard_sigmoid(x)."), ("hard_tanh", .hardTanh, "x limited to −1…1."),
    ("log_softmax", .logSoftmax, "The logarithm of softmax."),
    ("log_sigmoid", .logSigmoid, "The logarithm of sigmoid."),
    ("squareplus", .squareplus, "(x + √(x² + 4)) / 2."), ("tanh_shrink", .tanhShrink, "x − tanh(x)."),
    ("sparse_plus", .sparsePlus, "0 below −1, ¼(x + 1)² up to 1, x above."),
    ("sparse_sigmoid", .sparseSigmoid, "½(x + 1), limited to 0…1."),
    ("sparsemax", .sparsemax, "The nearest distribution to x along the last axis; it has zeros."),
  ]
}

extension Catalog where Item == Activation {
  /// The built-in activations.
  public static var activations: Catalog { builtInActivations }
}

extension Activation: Configurable {
  public var configName: String {
    switch self {
    case .gelu: "gelu"
    case .elu: "elu"
    case .celu: "celu"
    case .leakyRelu: "leaky_relu"
    case .glu: "glu"
    case .hardShrink: "hard_shrink"
    case .softShrink: "soft_shrink"
    case .threshold: "threshold"
    default: Self.plain.first { $0.activation == self }?.name ?? "linear"
    }
  }

  public func config() -> Config {
    switch self {
    case .gelu(let approximate): Config(["approximate": approximate ? true : nil])
    case .elu(let alpha), .celu(let alpha): Config(["alpha": alpha == 1 ? nil : Config(.double(alpha))])
    case .glu(let axis): Config(["axis": axis == -1 ? nil : Config(.int(axis))])
    case .hardShrink(let threshold), .softShrink(let threshold):
      Config(["threshold": threshold == 0.5 ? nil : Config(.double(threshold))])
    case .threshold(let threshold, let value):
      Config(["threshold": Config(.double(threshold)), "default_value": Config(.double(value))])
    case .leakyRelu(let slope): Config(["negative_slope": slope == 0.2 ? nil : Config(.double(slope))])
    default: Config([:])
    }
  }
}

extension ConfigReader {
  /// An activation that has to be there, by name or as an object.
  public func activation(_ key: String) throws -> Activation {
    let value = try required(key, "an activation", sample: "linear") { $0 }
    return try Catalog.activations.make(value)
  }

  /// An activation by name or as an object, or `fallback` where it is not set.
  public func activation(_ key: String, default fallback: Activation) throws -> Activation {
    try value(key, kind: "an activation", default: Catalog.activations.config(of: fallback))
      .map { try Catalog.activations.make($0) } ?? fallback
  }
}

/// Made once: every layer that is traced asks for it.
private let builtInActivations: Catalog<Activation> = {
  let aliases = ["silu": ["swish"], "hard_silu": ["hard_swish"]]
  return Activation.plain.reduce(Catalog("activation")) { catalog, entry in
    catalog.adding(entry.name, aliases: aliases[entry.name] ?? [], entry.summary) { _ in entry.activation }
  }
  .adding("gelu", "x · Φ(x), with Φ the normal distribution, or its approximation by tanh.") {
    .gelu(approximate: try $0.bool("approximate", default: false))
  }
  .adding("elu", "x where positive, α(eˣ − 1) elsewhere.") { .elu(alpha: try $0.double("alpha", default: 1)) }
  .adding("celu", "max(0, x) + min(0, α(e^(x/α) − 1)).") {
    .celu(alpha: try $0.double("alpha", default: 1, in: .positive))
  }
  .adding("glu", "The first half of an axis times the sigmoid of the second.") {
    .glu(axis: try $0.int("axis", default: -1))
  }
  .adding("hard_shrink", "x beyond ± threshold, 0 between.") {
    .hardShrink(threshold: try $0.double("threshold", default: 0.5, in: .notNegative))
  }
  .adding("soft_shrink", "x moved towards 0 by threshold; 0 where that would change its sign.") {
    .softShrink(threshold: try $0.double("threshold", default: 0.5, in: .notNegative))
  }
  .adding("threshold", "x above threshold, default_value elsewhere.") {
    .threshold(try $0.double("threshold"), default: try $0.double("default_value"))
  }
  .adding("leaky_relu", "x where positive, negative_slope · x elsewhere.") {
    .leakyRelu(negativeSlope: try $0.double("negative_slope", default: 0.2))
  }
}()
