// The optimizers by name: for recipes, and for `compile(optimizer: .adam())`.

extension Catalog where Item == any Optimizer {
  /// The built-in optimizers, by Keras' names.
  public static var optimizers: Catalog {
    Catalog("optimizer")
      .adding("sgd") {
        SGD(
          try $0.learningRate(default: 0.01), momentum: try $0.fraction("momentum", default: 0),
          nesterov: try $0.bool("nesterov", default: false), weightDecay: try $0.weightDecay(default: nil),
          clipping: try $0.clipping())
      }
      .adding("adam") { try adam($0, weightDecay: nil) }
      .adding("adamw") { try adam($0, weightDecay: 0.004) }
      .adding("rmsprop") {
        RMSprop(
          try $0.learningRate(default: 0.001), rho: try $0.fraction("rho", default: 0.9),
          momentum: try $0.fraction("momentum", default: 0), epsilon: try $0.double("epsilon", default: 1e-7),
          centered: try $0.bool("centered", default: false), weightDecay: try $0.weightDecay(default: nil),
          clipping: try $0.clipping())
      }
  }

  @Sendable private static func adam(_ reader: ConfigReader, weightDecay: Double?) throws -> Adam {
    Adam(
      try reader.learningRate(default: 0.001), beta1: try reader.fraction("beta_1", default: 0.9),
      beta2: try reader.fraction("beta_2", default: 0.999), epsilon: try reader.double("epsilon", default: 1e-7),
      amsgrad: try reader.bool("amsgrad", default: false), weightDecay: try reader.weightDecay(default: weightDecay),
      clipping: try reader.clipping())
  }
}

extension ConfigReader {
  fileprivate func learningRate(default fallback: LearningRate) throws -> LearningRate {
    try value("learning_rate").map { try LearningRate(config: $0) } ?? fallback
  }

  fileprivate func weightDecay(default fallback: Double?) throws -> Double? {
    guard let decay = try optionalDouble("weight_decay") else { return fallback }
    guard decay >= 0, decay.isFinite else {
      throw refused("weight_decay", "a number of at least 0")
    }
    return decay
  }

  fileprivate func clipping() throws -> GradientClipping? {
    let kinds: [(key: String, make: (Double) -> GradientClipping)] = [
      ("clipnorm", { .norm($0) }), ("clipvalue", { .value($0) }), ("global_clipnorm", { .globalNorm($0) }),
    ]
    let given = kinds.filter { has($0.key) }
    guard let kind = given.first else { return nil }
    guard given.count == 1 else {
      throw ConfigError(
        "\(subject) takes one of clipnorm, clipvalue and global_clipnorm; "
          + "received \(given.map(\.key).joined(separator: " and ")).", at: config.location)
    }
    return kind.make(try positive(kind.key, default: 1))
  }
}

/// The settings that all optimizers share.
private func shared(_ rate: LearningRate, _ decay: Double?, _ clipping: GradientClipping?) throws -> [Config.Entry] {
  var entries = [Config.Entry("learning_rate", try rate.config())]
  if let decay { entries.append(Config.Entry("weight_decay", Config(.double(decay)))) }
  switch clipping {
  case nil: break
  case .norm(let limit): entries.append(Config.Entry("clipnorm", Config(.double(limit))))
  case .value(let limit): entries.append(Config.Entry("clipvalue", Config(.double(limit))))
  case .globalNorm(let limit): entries.append(Config.Entry("global_clipnorm", Config(.double(limit))))
  }
  return entries
}

extension SGD: Configurable {
  public var configName: String { "sgd" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("momentum", Config(.double(momentum))), Config.Entry("nesterov", Config(.bool(nesterov))),
    ]
    return Config(.object(try shared(learningRate, weightDecay, clipping) + own))
  }
}

extension Adam: Configurable {
  public var configName: String { weightDecay == nil ? "adam" : "adamw" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("beta_1", Config(.double(beta1))), Config.Entry("beta_2", Config(.double(beta2))),
      Config.Entry("epsilon", Config(.double(epsilon))), Config.Entry("amsgrad", Config(.bool(amsgrad))),
    ]
    return Config(.object(try shared(learningRate, weightDecay, clipping) + own))
  }
}

extension RMSprop: Configurable {
  public var configName: String { "rmsprop" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("rho", Config(.double(rho))), Config.Entry("momentum", Config(.double(momentum))),
      Config.Entry("epsilon", Config(.double(epsilon))), Config.Entry("centered", Config(.bool(centered))),
    ]
    return Config(.object(try shared(learningRate, weightDecay, clipping) + own))
  }
}

extension Optimizer where Self == SGD {
  /// Gradient descent.
  public static func sgd(
    _ learningRate: LearningRate = 0.01, momentum: Double = 0, nesterov: Bool = false, weightDecay: Double? = nil,
    clipping: GradientClipping? = nil
  ) -> Self {
    SGD(learningRate, momentum: momentum, nesterov: nesterov, weightDecay: weightDecay, clipping: clipping)
  }
}

extension Optimizer where Self == Adam {
  /// Adam.
  public static func adam(
    _ learningRate: LearningRate = 0.001, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-7,
    amsgrad: Bool = false, weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) -> Self {
    Adam(
      learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, amsgrad: amsgrad, weightDecay: weightDecay,
      clipping: clipping)
  }

  /// Adam with decoupled weight decay.
  public static func adamW(
    _ learningRate: LearningRate = 0.001, weightDecay: Double = 0.004, beta1: Double = 0.9, beta2: Double = 0.999,
    epsilon: Double = 1e-7, clipping: GradientClipping? = nil
  ) -> Self {
    Adam(
      learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, clipping: clipping)
  }
}

extension Optimizer where Self == RMSprop {
  /// RMSprop.
  public static func rmsprop(
    _ learningRate: LearningRate = 0.001, rho: Double = 0.9, momentum: Double = 0, epsilon: Double = 1e-7,
    centered: Bool = false, weightDecay: Double? = nil, clipping: GradientClipping? = nil
  ) -> Self {
    RMSprop(
      learningRate, rho: rho, momentum: momentum, epsilon: epsilon, centered: centered, weightDecay: weightDecay,
      clipping: clipping)
  }
}
