// The data stage of a run in a file, so that a trained model takes raw data: `data.json`. The settings of layers are in the recipe,
// which the run keeps too; what they learned is here.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN

extension DataStage {
  /// The stage as JSON.
  package var json: JSON {
    func names(_ names: [String]) -> JSON { JSON(.array(names.map { JSON(.string($0)) })) }
    func object(_ members: [(String, JSON?)]) -> JSON {
      JSON(members.compactMap { key, value in value.map { (key, $0) } })
    }
    func text(_ text: String?) -> JSON? { text.map { JSON(.string($0)) } }
    let inputs = inputs.map { input in
      switch input.source {
      case .picture: return object([("name", text(input.name)), ("files", JSON(.bool(true)))])
      case .text(let encoder, let columns):
        return object([
          ("name", text(input.name)), ("columns", names(columns)), ("layer", text(encoder.layerName)),
          ("vocabulary", encoder.vocabulary.map { names($0.tokens) }),
          ("idf_weights", encoder.vocabulary?.idfWeights.map { JSON(.array($0.map { JSON.number(Double($0)) })) }),
        ])
      case .columns(let parts):
        let parts = parts.map { part in
          switch part {
          case .number(let column, let fill):
            object([("column", text(column)), ("fill", fill.map { JSON.number($0) })])
          case .category(let column, let values): object([("column", text(column)), ("categories", names(values))])
          }
        }
        return object([("name", text(input.name)), ("parts", JSON(.array(parts)))])
      }
    }
    let targets = targets.map {
      object([("name", text($0.name)), ("column", text($0.column)), ("classes", $0.classes.map(names))])
    }
    return object([
      ("inputs", JSON(.array(inputs))), ("targets", JSON(.array(targets))), ("weights", text(weights)),
      ("id", text(id)),
      ("drops_missing", JSON(.bool(dropsMissing))), ("ignores_unknown", JSON(.bool(ignoresUnknown))),
      ("label_mode", text(labelMode.rawValue)),
    ])
  }

  /// Reads a stage that `json` wrote.
  /// - Parameters:
  ///   - file: the file's contents.
  ///   - layers: the layers of the recipe that read text.
  /// - Throws: `ConfigError` for a file that is damaged, or of another recipe.
  init(_ file: Config, layers: [TextLayer]) throws {
    let reader = try ConfigReader(file, subject: "the data stage")
    var remaining = layers
    inputs = try reader.array("inputs").map { config in
      let input = try ConfigReader(config, subject: "an input")
      let name = try input.optionalString("name")
      if try input.bool("files", default: false) { return Input(name: name, source: .picture) }
      if let layerName = try input.optionalString("layer") {
        guard let place = remaining.firstIndex(where: { $0.input == name && $0.encoder.layerName == layerName }) else {
          throw ConfigError(
            "the recipe has no \(layerName) that makes \(name.map { "the input '\($0)'" } ?? "the input").",
            at: config.location)
        }
        var encoder = remaining.remove(at: place).encoder
        if input.has("vocabulary"), encoder.needsAdapting {
          let weights = input.has("idf_weights") ? try input.doubles("idf_weights").map { Float($0) } : nil
          do {
            try encoder.setVocabulary(LearnedVocabulary(tokens: try input.texts("vocabulary"), idfWeights: weights))
          } catch let error as TextEncoderError {
            throw ConfigError(error.message, at: config.location)
          }
        }
        return Input(name: name, source: .text(encoder, columns: try input.texts("columns")))
      }
      return Input(
        name: name,
        source: .columns(
          try input.array("parts").map { config in
            let part = try ConfigReader(config, subject: "a column")
            let column = try part.string("column")
            if part.has("categories") { return .category(column: column, values: try part.texts("categories")) }
            return .number(column: column, fill: try part.optionalDouble("fill"))
          }))
    }
    targets = try reader.array("targets").map { config in
      let target = try ConfigReader(config, subject: "a target")
      return Target(
        name: try target.optionalString("name"), column: try target.string("column"),
        classes: target.has("classes") ? try target.texts("classes") : nil)
    }
    weights = try reader.optionalString("weights")
    id = try reader.optionalString("id")
    dropsMissing = try reader.bool("drops_missing", default: false)
    ignoresUnknown = try reader.bool("ignores_unknown", default: false)
    labelMode = try reader.choice("label_mode", default: .int)
  }
}

extension ConfigReader {
  /// A list of texts.
  fileprivate func texts(_ key: String) throws -> [String] {
    try array(key).map { config in
      guard case .string(let text) = config.value else { throw refused(key, "a list of texts") }
      return text
    }
  }
}
