// The results of a training run in one directory: the model, its recipe, and its history.

import Accelerando
import AccelerandoRecipes
import Foundation

/// A directory that `train --output` writes and that `evaluate`, `predict` and `summary` read.
struct RunDirectory {
  let url: URL

  private var model: URL { url.appendingPathComponent("model", isDirectory: true) }
  private var recipe: URL { url.appendingPathComponent("recipe.yaml") }
  /// Where pruning keeps the model that it began with.
  var dense: URL { url.appendingPathComponent("dense", isDirectory: true) }
  /// The directory of the run's checkpoints.
  var checkpoints: URL { url.appendingPathComponent("checkpoints", isDirectory: true) }
  private var record: URL { url.appendingPathComponent("training.json") }

  /// Makes the directory, or takes the one that is there.
  /// - Throws: `FormatError` when it cannot be written to.
  init(creating path: String) throws {
    url = URL(fileURLWithPath: path, isDirectory: true)
    try makeDirectory(at: url)
    guard access(path, W_OK | X_OK) == 0 else {
      throw FormatError(
        file: path, reason: "cannot write into the directory: \(String(cString: strerror(errno)))",
        remedy: "Choose another one with --output")
    }
  }

  /// Opens a directory that a training run has written.
  /// - Throws: `FormatError` when it is not one.
  init(opening path: String) throws {
    url = URL(fileURLWithPath: path, isDirectory: true)
    guard FileManager.default.fileExists(atPath: recipe.path), FileManager.default.fileExists(atPath: model.path) else {
      throw FormatError(
        file: path, reason: "is not a directory that 'accelerando train --output' wrote",
        remedy: "It should hold recipe.yaml and model")
    }
  }

  /// Whether a path is a directory, and so not a recipe.
  static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  /// Saves a model, the recipe and what happened; an earlier save stays until this one is complete.
  func save(_ model: Model, recipe: Recipe, history: History?, sparse: Bool = false) throws {
    try model.save(to: self.model, sparse: sparse)
    try write(recipe.text, to: self.recipe)
    let epochs = (history?.epochs ?? []).map { record in
      let logs = record.logs.sorted { $0.key < $1.key }.map { Config.Entry($0.key, Config(.double($0.value))) }
      return Config(
        .object(
          [
            Config.Entry("epoch", Config(.int(record.epoch + 1))), Config.Entry("steps", Config(.int(record.steps))),
            Config.Entry("seconds", Config(.double(record.seconds))),
          ] + logs))
    }
    let record = Config([
      "recipe": Config(.string(recipe.name)), "recipe_directory": Config(.string(recipe.directory.path)),
      "seed": Config(.string(String(recipe.fit.seed))), "batch_size": Config(.int(recipe.fit.batchSize)),
      "weights_sha256": Config(.string(try model.weights().sha256())),
      "epochs": Config(.array(epochs)),
    ])
    try write(record.json, to: self.record)
  }

  /// The recipe that the model came of. Its paths begin where they did then.
  func loadRecipe() throws -> Recipe {
    let text = try string(recipe)
    let record = try Config(json: string(record), file: record.path)
    let reader = try ConfigReader(record, subject: record.location?.file ?? "the record")
    return try Recipe(
      yaml: text, name: try reader.string("recipe"), file: recipe.path,
      directory: URL(fileURLWithPath: try reader.string("recipe_directory"), isDirectory: true))
  }

  /// The model.
  func loadModel(backend: any Backend) throws -> Model { try Model.load(from: model, backend: backend) }

  private func write(_ text: String, to url: URL) throws {
    try AtomicFile.write(to: url) { try $0.write(Array(text.utf8)) }
  }

  private func string(_ url: URL) throws -> String {
    try FileContents(url).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}
