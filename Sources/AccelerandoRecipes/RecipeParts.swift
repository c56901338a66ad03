// The keys of a recipe, each read in one place: what is asked for here is what `accelerando recipes --reference` tells.

import AccelerandoNN
import AccelerandoTrain

/// The parts of a recipe.
struct RecipeParts {
  let data: Config
  let layers: [any Layer]
  let compile: Config
  let fit: Config
  let callbacks: [Config]

  init(_ reader: ConfigReader) throws {
    data = try reader.required("data", kind: "settings", about: "The samples to learn from")
    layers = try reader.layers("layers", about: "The model: layers in order, each its name or {name: settings}")
    compile = try reader.required("compile", kind: "settings", about: "What to minimize, and how")
    fit = reader.value("fit", kind: "settings", about: "How training runs") ?? nil
    callbacks = try reader.list("callbacks", of: "callbacks", about: "The callbacks")
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
