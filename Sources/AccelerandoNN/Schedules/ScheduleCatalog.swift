// The learning-rate schedules by name, for recipes.

extension Catalog where Item == any LearningRateSchedule {
  /// The built-in schedules, by Keras' names.
  public static var schedules: Catalog {
    Catalog("schedule")
      .adding("cosine_decay") {
        CosineDecay(
          try $0.double("initial_learning_rate"), steps: try $0.steps(), alpha: try $0.double("alpha", default: 0),
          warmupTarget: try $0.optionalDouble("warmup_target"), warmupSteps: try $0.int("warmup_steps", default: 0))
      }
      .adding("exponential_decay") {
        ExponentialDecay(
          try $0.double("initial_learning_rate"), steps: try $0.steps(), decayRate: try $0.double("decay_rate"),
          staircase: try $0.bool("staircase", default: false))
      }
      .adding("inverse_time_decay") {
        InverseTimeDecay(
          try $0.double("initial_learning_rate"), steps: try $0.steps(), decayRate: try $0.double("decay_rate"),
          staircase: try $0.bool("staircase", default: false))
      }
      .adding("polynomial_decay") {
        PolynomialDecay(
          try $0.double("initial_learning_rate"), steps: try $0.steps(),
          end: try $0.double("end_learning_rate", default: 0.0001), power: try $0.double("power", default: 1),
          cycle: try $0.bool("cycle", default: false))
      }
      .adding("piecewise_constant_decay", make: piecewise)
  }

  @Sendable private static func piecewise(_ reader: ConfigReader) throws -> any LearningRateSchedule {
    let (boundaries, values) = (try reader.ints("boundaries"), try reader.doubles("values"))
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
  fileprivate func steps() throws -> Int {
    let steps = try int("decay_steps")
    guard steps >= 1 else { throw refused("decay_steps", "a whole number of at least 1") }
    return steps
  }
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
    case .int(let rate): self = .constant(Double(rate))
    case .double(let rate): self = .constant(rate)
    default: self = .schedule(try Catalog.schedules.make(config))
    }
    guard case .constant(let rate) = self else { return }
    guard rate >= 0, rate.isFinite else {
      throw ConfigError("a learning rate is a number of at least 0; received \(rate).", at: config.location)
    }
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
