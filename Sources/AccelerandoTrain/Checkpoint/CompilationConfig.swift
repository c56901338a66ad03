// What a model is trained with, in files: one loss and a list of metrics, or losses and metrics by the names of the
// outputs.

import AccelerandoCore
import AccelerandoNN

extension Compilation {
  /// Reads a compilation: `{"optimizer": "adam", "loss": …, "metrics": […]}`, or, for outputs by name, `losses`,
  /// `loss_weights` and metrics as objects: `{"losses": {"digit": …}, "metrics": {"digit": […]}}`.
  /// - Throws: `ConfigError` for names and settings that are unknown or wrong.
  public init(config: Config, catalogs: ModelCatalogs = ModelCatalogs()) throws {
    let reader = try ConfigReader(config, subject: "compile")
    self.init(
      optimizer: try catalogs.optimizers.make(try reader.required("optimizer")),
      losses: try Self.losses(reader, catalogs.losses),
      watching: try Self.metrics(reader, "metrics", catalogs.metrics)
        + Self.metrics(reader, "weighted_metrics", catalogs.metrics, isWeighted: true),
      precision: try reader.choice("precision", default: Precision.float32),
      groups: try Self.groups(reader, catalogs.optimizers))
    try reader.finish()
  }

  /// Reads groups of parameters: `[{match: [stem], trainable: false}, {match: ["block*"], optimizer: …, rate_factor: 0.1}]`.
  /// - Throws: `ConfigError` for settings that are unknown or wrong.
  public static func groups(
    _ reader: ConfigReader, _ catalog: Catalog<any Optimizer> = .optimizers
  ) throws -> [ParameterGroup] {
    let kind = "a list of groups, {match: [patterns], trainable: …, optimizer: …, rate_factor: …}"
    let about = "Parameters that are frozen, or trained by another optimizer or rate"
    guard reader.value("groups", kind: kind, default: [], about: about) != nil else { return [] }
    return try reader.array("groups").map { entry in
      let group = try ConfigReader(entry, subject: "a group of parameters")
      let patterns = try group.array("match", kind: "a list of patterns").map { value in
        guard case .string(let pattern) = value.value else { throw group.refused("match", "a list of patterns") }
        return pattern
      }
      let made = ParameterGroup(
        patterns, isTrainable: group.has("trainable") ? try group.bool("trainable", default: true) : nil,
        optimizer: try group.value("optimizer").map { try catalog.make($0) },
        rateFactor: try group.double("rate_factor", default: 1, in: .notNegative))
      try group.finish()
      return made
    }
  }

  /// Reads `loss`, or `losses` and `loss_weights`.
  /// - Throws: `ConfigError` where neither or both are there, and for weights of what has no loss.
  public static func losses(_ reader: ConfigReader, _ catalog: Catalog<any Loss> = .losses) throws -> [OutputLoss] {
    let single = reader.value("loss", kind: "a loss", about: "What to minimize")
    let listed = reader.value(
      "losses", kind: "losses by output, {output: loss}", about: "What to minimize, for models with several outputs")
    let weights = try numbers(
      reader, "loss_weights", "numbers by output", "What the losses are multiplied by before they are added")
    if reader.isDescribing { return [] }
    guard let listed else {
      guard weights.isEmpty else {
        throw reader.refused("loss_weights", "'losses' beside it")
      }
      return [OutputLoss(try catalog.make(try single ?? reader.required("loss", kind: "a loss")))]
    }
    guard single == nil, case .object(let entries) = listed.value, !entries.isEmpty else {
      throw reader.refused("losses", "losses by output, {output: loss}, and no 'loss' beside it")
    }
    if let stranger = weights.first(where: { weight in !entries.contains { $0.key == weight.output } }) {
      throw ConfigError(
        "'loss_weights' names '\(stranger.output)', which has no loss. Losses: \(entries.map(\.key).joined(separator: ", ")).",
        at: stranger.location)
    }
    return try entries.map { entry in
      OutputLoss(
        try catalog.make(entry.value), of: entry.key, weight: weights.first { $0.output == entry.key }?.value ?? 1)
    }
  }

  private static func numbers(
    _ reader: ConfigReader, _ key: String, _ kind: String, _ about: String
  ) throws -> [(output: String, value: Double, location: SourceLocation?)] {
    guard let value = reader.value(key, kind: kind, about: about) else { return [] }
    guard case .object(let entries) = value.value else { throw reader.refused(key, kind) }
    let weights = try ConfigReader(value, subject: key)
    return try entries.map { ($0.key, try weights.double($0.key, in: .notNegative), $0.location) }
  }

  /// Reads metrics: a list, or lists by output.
  /// - Throws: `ConfigError` for anything else, and for unknown metrics.
  public static func metrics(
    _ reader: ConfigReader, _ key: String, _ catalog: Catalog<any Metric> = .metrics, isWeighted: Bool = false
  ) throws -> [OutputMetric] {
    let kind = "a list of metrics, or lists by output, {output: [metrics]}"
    let about = isWeighted ? "Metrics that use sample weights" : "The metrics to report"
    guard let value = reader.value(key, kind: kind, default: [], about: about) else { return [] }
    func list(_ values: [Config], of output: String?) throws -> [OutputMetric] {
      try values.map { OutputMetric(try catalog.make($0), of: output, isWeighted: isWeighted) }
    }
    switch value.value {
    case .array(let values): return try list(values, of: nil)
    case .object(let entries):
      return try entries.flatMap { entry in
        guard case .array(let values) = entry.value.value else {
          throw ConfigError(
            "'\(key)' of '\(entry.key)' needs a list of metrics; received \(entry.value.summary).",
            at: entry.value.location)
        }
        return try list(values, of: entry.key)
      }
    default: throw reader.refused(key, kind)
    }
  }

  /// The compilation in the form that `Compilation(config:)` reads.
  /// - Throws: `ConfigError` when a part of it cannot be written.
  func config() throws -> Config {
    var entries = [Config.Entry("optimizer", try Catalog.optimizers.config(of: optimizer))]
    if let loss, losses[0].output == nil, losses[0].weight == 1 {
      entries.append(Config.Entry("loss", try Catalog.losses.config(of: loss)))
    } else {
      let named = try losses.map { Config.Entry($0.output ?? "", try Catalog.losses.config(of: $0.loss)) }
      entries.append(Config.Entry("losses", Config(.object(named))))
      let weights = losses.filter { $0.weight != 1 }.map { Config.Entry($0.output ?? "", Config(.double($0.weight))) }
      if !weights.isEmpty { entries.append(Config.Entry("loss_weights", Config(.object(weights)))) }
    }
    for (key, isWeighted) in [("metrics", false), ("weighted_metrics", true)] {
      entries.append(Config.Entry(key, try Self.config(of: watched.filter { $0.isWeighted == isWeighted })))
    }
    if precision != .float32 { entries.append(Config.Entry("precision", Config(.string(precision.rawValue)))) }
    if !groups.isEmpty { entries.append(Config.Entry("groups", Config(.array(try groups.map { try $0.config() })))) }
    return Config(.object(entries))
  }

  private static func config(of metrics: [OutputMetric]) throws -> Config {
    func list(_ metrics: [OutputMetric]) throws -> Config {
      Config(.array(try metrics.map { try Catalog.metrics.config(of: $0.metric) }))
    }
    guard metrics.contains(where: { $0.output != nil }) else { return try list(metrics) }
    var outputs: [String] = []
    for metric in metrics { if let name = metric.output, !outputs.contains(name) { outputs.append(name) } }
    return Config(
      .object(try outputs.map { name in Config.Entry(name, try list(metrics.filter { $0.output == name })) }))
  }
}

extension ParameterGroup {
  /// The group in the form in which it is read.
  /// - Throws: `ConfigError` when the optimizer cannot be written.
  func config() throws -> Config {
    var entries = [Config.Entry("match", Config(.array(patterns.map { Config(.string($0)) })))]
    if let isTrainable { entries.append(Config.Entry("trainable", Config(.bool(isTrainable)))) }
    if let optimizer { entries.append(Config.Entry("optimizer", try Catalog.optimizers.config(of: optimizer))) }
    if rateFactor != 1 { entries.append(Config.Entry("rate_factor", Config(.double(rateFactor)))) }
    return Config(.object(entries))
  }
}
