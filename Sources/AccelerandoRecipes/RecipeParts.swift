// The keys of a recipe, each read in one place: what is asked for here is what `accelerando recipes --reference` tells.

import AccelerandoNN
import AccelerandoTrain

/// The parts of a recipe.
struct RecipeParts {
  let data: Config
  let model: ModelDescription
  let compile: Config
  let fit: Config
  let weights: Config?
  let callbacks: [Config]

  /// - Parameter name: the model's name.
  init(_ reader: ConfigReader, name: String? = nil) throws {
    data = try reader.required("data", kind: "settings", about: "The samples to learn from")
    model = try ModelDescription(reader, name: name)
    compile = try reader.required("compile", kind: "settings", about: "What to minimize, and how")
    weights = reader.value(
      "weights", kind: "settings", about: "A trained model whose weights training begins with")
    fit = reader.value("fit", kind: "settings", about: "How training runs") ?? nil
    callbacks = try reader.list("callbacks", of: "callbacks", about: "The callbacks")
  }
}

/// Where a recipe's model takes its first weights from.
public struct WeightSource: Sendable, Hashable {
  /// The directory of a run or of a model, or a safetensors file; relative to the recipe.
  public let path: String
  /// The layers that get weights, by name or pattern.
  public let layers: [String]
  /// Those of them that do not.
  public let except: [String]

  init(_ reader: ConfigReader) throws {
    func patterns(_ key: String, _ fallback: [String], _ about: String) throws -> [String] {
      let kind = "a list of layers or patterns"
      guard
        let value = reader.value(
          key, kind: kind, default: Config(.array(fallback.map { Config(.string($0)) })), about: about)
      else { return fallback }
      if case .string(let pattern) = value.value { return [pattern] }
      guard case .array(let values) = value.value else { throw reader.refused(key, kind) }
      return try values.map {
        guard case .string(let pattern) = $0.value else { throw reader.refused(key, kind) }
        return pattern
      }
    }
    path = try reader.string("from", about: "The directory of a run or of a model, or a safetensors file")
    layers = try patterns("layers", ["*"], "The layers that get weights, by name or pattern")
    except = try patterns("except", [], "Those of them that do not")
    try reader.finish()
  }
}

/// What a recipe's model is trained with.
struct CompileSettings {
  let optimizer: Config
  let losses: [OutputLoss]
  let metrics: [OutputMetric]
  let precision: Precision
  let groups: [ParameterGroup]

  init(_ reader: ConfigReader) throws {
    optimizer = reader.value("optimizer", kind: "an optimizer", default: "adam") ?? "adam"
    losses = try Compilation.losses(reader)
    metrics = try Compilation.metrics(reader, "metrics")
    precision = try reader.choice(
      "precision", default: Precision.float32, about: "The element types to compute in")
    groups = try Compilation.groups(reader)
    try reader.finish()
  }
}

extension CompileSettings {
  /// Refuses losses and metrics of outputs that the model does not have.
  /// - Throws: `ConfigError` with the line and the nearest name.
  func checkOutputs(of model: ModelDescription, in compile: Config) throws {
    let names = model.outputNames
    let known = "It has: \(names.joined(separator: ", "))."
    for (key, thing) in [("losses", "loss"), ("metrics", "metric")] {
      guard case .object(let entries)? = compile[key]?.value else { continue }
      for entry in entries where !names.contains(entry.key) {
        let nearest = nearestWord(to: entry.key, among: names).map { " Did you mean '\($0)'?" } ?? ""
        let hint = names == ["output"] ? " 'outputs' gives outputs names: 'outputs: [\(entry.key)]'." : ""
        throw ConfigError(
          "there is a \(thing) for the output '\(entry.key)', which the model does not have.\(nearest) \(known)\(hint)",
          at: entry.location ?? entry.value.location)
      }
    }
    if names.count > 1, let metric = metrics.first(where: { $0.output == nil }) {
      throw ConfigError(
        "the model has the outputs \(names.joined(separator: ", ")): say of which one '\(metric.metric.name)' is a metric, as "
          + "in 'metrics: {\(names[0]): [\(metric.metric.name)]}'.", at: compile["metrics"]?.location)
    }
  }

  /// The outputs that have labels, by name; empty for the output of a model that names none.
  func labelledOutputs(of model: ModelDescription) -> [String] {
    guard let names = (model.layer as? any MultiOutputLayer)?.outputNames else { return [] }
    if losses.contains(where: { $0.output == nil }) { return names }
    let used = Set(losses.compactMap(\.output) + metrics.compactMap(\.output))
    return names.filter(used.contains)
  }
}

extension ConfigReader {
  /// A list, empty where it is not set.
  fileprivate func list(_ key: String, of things: String, about: String) throws -> [Config] {
    guard value(key, kind: "a list of \(things)", default: [], about: about) != nil else { return [] }
    return try array(key)
  }
}
