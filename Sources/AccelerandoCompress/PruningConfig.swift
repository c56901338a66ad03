// Pruning in files: a saved model goes on being pruned as before. What is written is the plan for the model's own tensors, by
// their names, with masks and counter beside it.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain

extension Catalog where Item == RuleMaker {
  /// The rules for parameters that come with the library: `ModelCatalogs(parameterRules: .parameterRules)`.
  public static var parameterRules: Catalog {
    Catalog("parameter rule").adding("pruning", "Masks on weights, computed while the model trains.") { reader in
      let hasMasks = try reader.bool("has_masks", default: false)
      let groups = try reader.array("groups").map { try PruningPlan.GroupConfig($0) }
      return RuleMaker { outline in
        let specs = Dictionary(uniqueKeysWithValues: outline.parameters.map { ($0.name, $0) })
        var plan = PruningPlan(groups: try groups.map { try $0.group(specs) })
        plan.hasMasks = hasMasks
        return plan
      }
    }
  }
}

extension PruningPlan: Configurable {
  var configName: String { "pruning" }

  func config() throws -> Config {
    Config([
      "has_masks": Config(.bool(hasMasks)), "groups": Config(.array(try groups.map { try GroupConfig($0).config() })),
    ])
  }

  /// A group of tensors by their names.
  struct GroupConfig: Sendable {
    let parameters: [String]
    let schedule: any PruningSchedule
    let structure: Pruning.Structure
    let competition: Pruning.Competition

    init(_ group: Group) {
      parameters = group.parameters.map(\.name)
      (schedule, structure, competition) = (group.schedule, group.structure, group.competition)
    }

    init(_ config: Config) throws {
      let reader = try ConfigReader(config, subject: "a group of pruning")
      parameters = try reader.array("parameters").map { value in
        guard case .string(let name) = value.value else { throw reader.refused("parameters", "a list of names") }
        return name
      }
      competition = try reader.choice("competition", default: .tensor)
      let schedule = try reader.required("schedule")
      self.schedule = try Catalog.pruningSchedules.make(schedule)
      do { try self.schedule.validate() } catch { throw ConfigError("\(error)", at: schedule.location) }
      structure = try Catalog.pruningStructures.make(try reader.required("structure"))
      try reader.finish()
    }

    func config() throws -> Config {
      Config([
        "parameters": Config(.array(parameters.map { Config(.string($0)) })),
        "schedule": try Catalog.pruningSchedules.config(of: schedule),
        "structure": try Catalog.pruningStructures.config(of: structure),
        "competition": Config(.string(competition.rawValue)),
      ])
    }

    /// The group with the tensors of a model.
    func group(_ specs: [String: ParameterSpec]) throws -> Group {
      let found = try parameters.map { name in
        guard let spec = specs[name] else {
          throw ConfigError("pruning names the parameter '\(name)', which the model does not have.")
        }
        return spec
      }
      return Group(schedule: schedule, structure: structure, competition: competition, parameters: found)
    }
  }
}

extension Catalog where Item == any PruningSchedule {
  /// The built-in schedules.
  static var pruningSchedules: Catalog {
    Catalog("pruning schedule")
      .adding("constant", "One sparsity.") {
        ConstantSparsity(
          try $0.double("sparsity", in: .belowOne), begin: try $0.int("begin", default: 0, in: .notNegative),
          end: try $0.optionalInt("end", in: .notNegative),
          frequency: try $0.int("frequency", default: 100, in: .counts))
      }
      .adding("polynomial", "From one sparsity to another.") {
        PolynomialSparsity(
          from: try $0.double("initial", in: .belowOne), to: try $0.double("final", in: .belowOne),
          begin: try $0.int("begin", default: 0, in: .notNegative), end: try $0.int("end", in: .notNegative),
          power: try $0.double("power", default: 3, in: .positive),
          frequency: try $0.int("frequency", default: 100, in: .counts))
      }
  }
}

extension ConstantSparsity: Configurable {
  public var configName: String { "constant" }
  public func config() -> Config {
    Config([
      "sparsity": Config(.double(target)), "begin": Config(.int(begin)), "end": end.map { Config(.int($0)) },
      "frequency": Config(.int(frequency)),
    ])
  }
}

extension PolynomialSparsity: Configurable {
  public var configName: String { "polynomial" }
  public func config() -> Config {
    Config([
      "initial": Config(.double(initial)), "final": Config(.double(final)), "begin": Config(.int(begin)),
      "end": Config(.int(last)), "power": Config(.double(power)), "frequency": Config(.int(frequency)),
    ])
  }
}

extension Catalog where Item == Pruning.Structure {
  /// What is pruned as a unit.
  static var pruningStructures: Catalog {
    Catalog("pruning structure")
      .adding("weights", "Single weights.") { _ in .weights }
      .adding("filters", "All weights of an output.") { _ in .filters }
      .adding("blocks", "Blocks of a matrix.") {
        .blocks(
          height: try $0.int("height", in: .counts), width: try $0.int("width", in: .counts),
          pooling: try $0.choice("pooling", default: .mean))
      }
      .adding("n_of_m", "Zeros in groups of neighbours.") {
        .nOfM(zeros: try $0.int("zeros", in: .counts), of: try $0.int("of", in: .counts))
      }
  }
}

extension Pruning.Structure: Configurable {
  public var configName: String {
    switch self {
    case .weights: "weights"
    case .filters: "filters"
    case .blocks: "blocks"
    case .nOfM: "n_of_m"
    }
  }

  public func config() -> Config {
    switch self {
    case .weights, .filters: Config([:])
    case .blocks(let height, let width, let pooling):
      Config([
        "height": Config(.int(height)), "width": Config(.int(width)), "pooling": Config(.string(pooling.rawValue)),
      ])
    case .nOfM(let zeros, let group): Config(["zeros": Config(.int(zeros)), "of": Config(.int(group))])
    }
  }
}
