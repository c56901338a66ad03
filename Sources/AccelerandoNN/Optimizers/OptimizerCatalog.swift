// The optimizers by name: for recipes, and for `compile(optimizer: .adam())`.

extension Catalog where Item == any Optimizer {
  /// The built-in optimizers, by Keras' names.
  public static var optimizers: Catalog {
    Catalog("optimizer")
      .addingOptimizer("sgd", "Gradient descent, optionally with momentum.") {
        SGD(
          try $0.learningRate(default: 0.01), momentum: try $0.double("momentum", default: 0, in: .fraction),
          nesterov: try $0.bool("nesterov", default: false), weightDecay: try $0.weightDecay(default: nil),
          clipping: try $0.clipping())
      }
      .addingOptimizer("adam", "Steps scaled by running means of the gradient and of its square.") {
        try adam($0, weightDecay: nil)
      }
      .addingOptimizer("adamw", "Adam with decoupled weight decay.") { try adam($0, weightDecay: 0.004) }
      .addingOptimizer("rmsprop", "Steps scaled by the running mean of the squared gradient.") {
        RMSprop(
          try $0.learningRate(default: 0.001), rho: try $0.double("rho", default: 0.9, in: .fraction),
          momentum: try $0.double("momentum", default: 0, in: .fraction),
          epsilon: try $0.double("epsilon", default: 1e-7, in: .notNegative),
          centered: try $0.bool("centered", default: false), weightDecay: try $0.weightDecay(default: nil),
          clipping: try $0.clipping())
      }
      .addingOptimizer("adadelta", "Steps as large as recent steps, relative to recent gradients.") {
        try Adadelta(config: $0)
      }
      .addingOptimizer("adafactor", "Adam with the second moment of matrices as rows and columns.") {
        try Adafactor(config: $0)
      }
      .addingOptimizer("adagrad", "Smaller steps for weights that have had large gradients.") {
        try Adagrad(config: $0)
      }
      .addingOptimizer("adamax", "Adam with the largest gradient in the place of the mean square.") {
        try Adamax(config: $0)
      }
      .addingOptimizer("ftrl", "Follow the regularized leader, for sparse linear models.") { try Ftrl(config: $0) }
      .addingOptimizer("lamb", "Adam whose steps are as large as the weights, for large batches.") {
        try Lamb(config: $0)
      }
      .addingOptimizer("lion", "Steps of one size, in the direction of a mean's sign.") { try Lion(config: $0) }
      .addingOptimizer("muon", "Orthogonal steps for matrices, AdamW for everything else.") { try Muon(config: $0) }
      .addingOptimizer("nadam", "Adam with Nesterov's look ahead.") { try Nadam(config: $0) }
      .addingOptimizer("schedule_free_adamw", "AdamW with an average of all steps instead of a schedule.") {
        try ScheduleFreeAdamW(config: $0)
      }
  }

  @Sendable private static func adam(_ reader: ConfigReader, weightDecay: Double?) throws -> Adam {
    Adam(
      try reader.learningRate(default: 0.001), beta1: try reader.double("beta_1", default: 0.9, in: .belowOne),
      beta2: try reader.double("beta_2", default: 0.999, in: .belowOne),
      epsilon: try reader.double("epsilon", default: 1e-7, in: .notNegative),
      amsgrad: try reader.bool("amsgrad", default: false), weightDecay: try reader.weightDecay(default: weightDecay),
      clipping: try reader.clipping())
  }

  /// The catalog with an optimizer that has the options that all have.
  private func addingOptimizer<Made: AdjustableOptimizer>(
    _ name: String, _ summary: String, make: @escaping @Sendable (ConfigReader) throws -> Made
  ) -> Catalog {
    adding(name, summary) { reader in
      var made = try make(reader)
      made.options = try OptimizerOptions(config: reader)
      return made
    }
  }
}

extension ConfigReader {
  func learningRate(default fallback: LearningRate) throws -> LearningRate {
    try value("learning_rate", kind: "a number of at least 0, or a schedule", default: fallback.config())
      .map { try LearningRate(config: $0) } ?? fallback
  }

  func weightDecay(default fallback: Double?) throws -> Double? {
    guard let fallback else { return try optionalDouble("weight_decay", in: .notNegative) }
    return try double("weight_decay", default: fallback, in: .notNegative)
  }

  func clipping() throws -> GradientClipping? {
    let kinds: [(key: String, make: (Double) -> GradientClipping)] = [
      ("clipnorm", { .norm($0) }), ("clipvalue", { .value($0) }), ("global_clipnorm", { .globalNorm($0) }),
    ]
    let given = try kinds.compactMap { kind in
      try optionalDouble(kind.key, in: .positive).map { (key: kind.key, clipping: kind.make($0)) }
    }
    guard given.count <= 1 else {
      throw ConfigError(
        "\(subject) takes one of clipnorm, clipvalue and global_clipnorm; "
          + "received \(given.map(\.key).joined(separator: " and ")).", at: config.location)
    }
    return given.first?.clipping
  }
}

/// The settings of an optimizer: those that all share, and its own.
func configuration(
  _ optimizer: any Optimizer, _ decay: Double?, _ own: [Config.Entry]
) throws -> Config {
  var entries = [Config.Entry("learning_rate", try optimizer.learningRate.config())]
  if let decay { entries.append(Config.Entry("weight_decay", Config(.double(decay)))) }
  switch optimizer.clipping {
  case nil: break
  case .norm(let limit): entries.append(Config.Entry("clipnorm", Config(.double(limit))))
  case .value(let limit): entries.append(Config.Entry("clipvalue", Config(.double(limit))))
  case .globalNorm(let limit): entries.append(Config.Entry("global_clipnorm", Config(.double(limit))))
  }
  return Config(.object(entries + own + optimizer.options.entries))
}

extension SGD: Configurable {
  public var configName: String { "sgd" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("momentum", Config(.double(momentum))), Config.Entry("nesterov", Config(.bool(nesterov))),
    ]
    return try configuration(self, weightDecay, own)
  }
}

extension Adam: Configurable {
  public var configName: String { weightDecay == nil ? "adam" : "adamw" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("beta_1", Config(.double(beta1))), Config.Entry("beta_2", Config(.double(beta2))),
      Config.Entry("epsilon", Config(.double(epsilon))), Config.Entry("amsgrad", Config(.bool(amsgrad))),
    ]
    return try configuration(self, weightDecay, own)
  }
}

extension RMSprop: Configurable {
  public var configName: String { "rmsprop" }
  public func config() throws -> Config {
    let own = [
      Config.Entry("rho", Config(.double(rho))), Config.Entry("momentum", Config(.double(momentum))),
      Config.Entry("epsilon", Config(.double(epsilon))), Config.Entry("centered", Config(.bool(centered))),
    ]
    return try configuration(self, weightDecay, own)
  }
}

extension Optimizer {
  /// Refuses invalid settings, with the same message as for a recipe with these settings. For a custom optimizer, only
  /// the learning rate and the clipping are checked.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  public func checkSettings() throws {
    try learningRate.check()
    // The rest, also where the schedule is of a type that cannot be written.
    var plain = self
    plain.learningRate = 0
    try Catalog.optimizers.check(plain)
    // Clipping and options are the same for all optimizers, including custom ones.
    var shared = SGD(0, clipping: clipping)
    shared.options = options
    try Catalog.optimizers.check(shared)
  }
}

extension Optimizer where Self == SGD {
  /// Gradient descent with a learning rate of 0.01.
  public static var sgd: Self { Self() }

  /// Gradient descent.
  public static func sgd(
    _ learningRate: LearningRate = 0.01, momentum: Double = 0, nesterov: Bool = false, weightDecay: Double? = nil,
    clipping: GradientClipping? = nil
  ) -> Self {
    SGD(learningRate, momentum: momentum, nesterov: nesterov, weightDecay: weightDecay, clipping: clipping)
  }
}

extension Optimizer where Self == Adam {
  /// Adam with Keras' defaults.
  public static var adam: Self { Self() }

  /// Adam with a decoupled weight decay of 0.004.
  public static var adamW: Self { adamW() }

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
  /// RMSprop with Keras' defaults.
  public static var rmsprop: Self { Self() }

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
