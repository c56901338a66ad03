// Activations by Keras' names, for recipes.

extension Activation {
  /// The activations that have no settings, by name.
  static let plain: [(name: String, activation: Activation)] = [
    ("linear", .linear), ("relu", .relu), ("sigmoid", .sigmoid), ("tanh", .tanh), ("softmax", .softmax),
    ("silu", .silu), ("selu", .selu), ("softplus", .softplus), ("softsign", .softsign), ("relu6", .relu6),
    ("exponential", .exponential), ("mish", .mish), ("hard_sigmoid", .hardSigmoid), ("hard_silu", .hardSilu),
    ("hard_tanh", .hardTanh), ("log_softmax", .logSoftmax), ("log_sigmoid", .logSigmoid),
    ("squareplus", .squareplus),
  ]
}

extension Catalog where Item == Activation {
  /// The built-in activations.
  public static var activations: Catalog {
    let aliases = ["silu": ["swish"], "hard_silu": ["hard_swish"]]
    return Activation.plain.reduce(Catalog("activation")) { catalog, entry in
      catalog.adding(entry.name, aliases: aliases[entry.name] ?? []) { _ in entry.activation }
    }
    .adding("gelu") { .gelu(approximate: try $0.bool("approximate", default: false)) }
    .adding("elu") { .elu(alpha: try $0.double("alpha", default: 1)) }
    .adding("celu") { .celu(alpha: try $0.positive("alpha", default: 1)) }
    .adding("leaky_relu") { .leakyRelu(negativeSlope: try $0.double("negative_slope", default: 0.2)) }
  }
}

extension Activation: Configurable {
  public var configName: String {
    switch self {
    case .gelu: "gelu"
    case .elu: "elu"
    case .celu: "celu"
    case .leakyRelu: "leaky_relu"
    default: Self.plain.first { $0.activation == self }?.name ?? "linear"
    }
  }

  public func config() -> Config {
    switch self {
    case .gelu(let approximate): Config(["approximate": approximate ? true : nil])
    case .elu(let alpha), .celu(let alpha): Config(["alpha": alpha == 1 ? nil : Config(.double(alpha))])
    case .leakyRelu(let slope): Config(["negative_slope": slope == 0.2 ? nil : Config(.double(slope))])
    default: Config([:])
    }
  }
}

extension ConfigReader {
  /// An activation by name or as an object, or `fallback` where it is not set.
  public func activation(_ key: String, default fallback: Activation = .linear) throws -> Activation {
    try value(key).map { try Catalog.activations.make($0) } ?? fallback
  }
}
