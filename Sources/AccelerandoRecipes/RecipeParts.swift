// The keys of a recipe, each read in one place: what is asked for here is what `accelerando recipes --reference` tells.

import AccelerandoNN
import AccelerandoTrain

/// The parts of a recipe.
struct RecipeParts {
  let data: Config
  let layers: [any Layer]
  let compile: Config
  let fit: Config
  let weights: Config?
  let callbacks: [Config]

  init(_ reader: ConfigReader) throws {
    data = try reader.required("data", kind: "settings", about: "The samples to learn from")
    layers = try reader.layers("layers", about: "The model: layers in order, each its name or {name: settings}")
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

extension ConfigReader {
  /// A list, empty where it is not set.
  fileprivate func list(_ key: String, of things: String, about: String) throws -> [Config] {
    guard value(key, kind: "a list of \(things)", default: [], about: about) != nil else { return [] }
    return try array(key)
  }
}
