// The learning-rate schedules by name, for recipes.

extension Catalog where Item == any LearningRateSchedule {
  /// The built-in schedules, by Keras' names.
  public static var schedules: Catalog {
    Catalog("schedule")
      .adding("cosine_decay", "Half a cosine from the initial rate to alpha times it, optionally after a warm-up.") {
        CosineDecay(
          try $0.initialRate(), steps: try $0.steps(), alpha: try $0.double("alpha", default: 0, in: .notNegative),
          warmupTarget: try $0.optionalDouble("warmup_target", in: .notNegative),
          warmupSteps: try $0.int("warmup_steps", default: 0, in: .notNegative))
      }
      .adding("cosine_decay_restarts", "Half a cosine again and again, each time t_mul times as long.") {
        try CosineDecayRestarts(config: $0)
      }
      .adding("exponential_decay", "The initial rate times decay_rate ^ (step / decay_steps).") {
        ExponentialDecay(
          try $0.initialRate(), steps: try $0.steps(), decayRate: try $0.double("decay_rate", in: .notNegative),
          staircase: try $0.bool("staircase", default: false))
      }
      .adding("inverse_time_decay", "The initial rate / (1 + decay_rate · step / decay_steps).") {
        InverseTimeDecay(
          try $0.initialRate(), steps: try $0.steps(), decayRate: try $0.double("decay_rate", in: .notNegative),
          staircase: try $0.bool("staircase", default: false))
      }
      .adding("polynomial_decay", "From the initial rate to the end rate by (1 − step / decay_steps) ^ power.") {
        PolynomialDecay(
          try $0.initialRate(), steps: try $0.steps(),
          end: try $0.double("end_learning_rate", default: 0.0001, in: .notNegative),
          power: try $0.double("power", default: 1, in: .notNegative), cycle: try $0.bool("cycle", default: false))
      }
      .adding(
        "piecewise_constant_decay", "One rate up to each boundary, and one after the last.", make: piecewise)
  }

  @Sendable private static func piecewise(_ reader: ConfigReader) throws -> any LearningRateSchedule {
    let (boundaries, values) = (
      try reader.ints("boundaries", in: .notNegative), try reader.doubles("values", in: .notNegative)
    )
    guard values.count == boundaries.count + 1 else {
      throw ConfigError(
        "\(reader.subject) needs one value more than boundaries; "
          + "received \(boundaries.count) boundaries and \(values.count) values.", at: reader.config.location)
    }
    guard zip(boundaries, boundaries.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw ConfigError(
        "\(reader.subject) needs boundaries that increase; received \(boundaries).", at: reader.config.location)
    }
    return PiecewiseConstantDecay(boundaries: boundaries, values: values)
  }
}

extension ConfigReader {
  fileprivate func initialRate() throws -> Double { try double("initial_learning_rate", in: .notNegative) }

  fileprivate func steps() throws -> Int { try int("decay_steps", in: .counts) }
}

extension CosineDecay: Configurable {
  public var configName: String { "cosine_decay" }
  public func config() -> Config {
    Config([
      "initial_learning_rate": Config(.double(initial)), "decay_steps": Config(.int(steps)),
      "alpha": Config(.double(alpha)), "warmup_target": warmupTarget.map { Config(.double($0)) },
      "warmup_steps": Config(.int(warmupSteps)),
    ])
  }
}

extension ExponentialDecay: Configurable {
  public var configName: String { "exponential_decay" }
  public func config() -> Config {
    Config([
      "initial_learning_rate": Config(.double(initial)), "decay_steps": Config(.int(steps)),
      "decay_rate": Config(.double(decayRate)), "staircase": Config(.bool(staircase)),
    ])
  }
}

extension InverseTimeDecay: Configurable {
  public var configName: String { "inverse_time_decay" }
  public func config() -> Config {
    Config([
      "initial_learning_rate": Config(.double(initial)), "decay_steps": Config(.int(steps)),
      "decay_rate": Config(.double(decayRate)), "staircase": Config(.bool(staircase)),
    ])
  }
}

extension PolynomialDecay: Configurable {
  public var configName: String { "polynomial_decay" }
  public func config() -> Config {
    Config([
      "initial_learning_rate": Config(.double(initial)), "decay_steps": Config(.int(steps)),
      "end_learning_rate": Config(.double(end)), "power": Config(.double(power)), "cycle": Config(.bool(cycle)),
    ])
  }
}

extension PiecewiseConstantDecay: Configurable {
  public var configName: String { "piecewise_constant_decay" }
  public func config() -> Config {
    Config([
      "boundaries": .ints(boundaries), "values": Config(.array(values.map { Config(.double($0)) })),
    ])
  }
}

extension LearningRate {
  /// Reads a number, or a schedule: `{"name": "cosine_decay", "decay_steps": 1000, …}`.
  /// - Throws: `ConfigError` for anything else.
  public init(config: Config) throws {
    switch config.value {
    case .int(let rate): self = try Self.constant(checking: Double(rate), at: config.location)
    case .double(let rate): self = try Self.constant(checking: rate, at: config.location)
    default: self = .schedule(try Catalog.schedules.make(config))
    }
  }

  /// Refuses invalid rates, with the same message as for a recipe with them. For a custom schedule, its first rate is
  /// checked.
  /// - Throws: `ConfigError` saying what is allowed and what was received.
  public func check() throws {
    switch self {
    case .constant(let rate): _ = try Self.constant(checking: rate, at: nil)
    case .schedule(let schedule):
      try Catalog.schedules.check(schedule)
      _ = try Self.constant(checking: value(iteration: 0), at: nil)
    }
  }

  private static func constant(checking rate: Double, at location: SourceLocation?) throws -> LearningRate {
    guard NumberLimit.notNegative.contains(rate) else {
      throw ConfigError(
        "a learning rate needs \(NumberLimit.notNegative); received \(Config(.double(rate)).summary).", at: location)
    }
    return .constant(rate)
  }

  /// The learning rate in the form that `init(config:)` reads.
  /// - Throws: `ConfigError` for a schedule that cannot be written.
  public func config() throws -> Config {
    switch self {
    case .constant(let rate): Config(.double(rate))
    case .schedule(let schedule): try Catalog.schedules.config(of: schedule)
    }
  }
}
