// The results of a training run in one directory: the model, its recipe, and its history.

import Accelerando
import AccelerandoRecipes
import Foundation

/// A directory that `train --output` writes and that `evaluate`, `predict` and `summary` read.
struct RunDirectory {
  let url: URL
  /// Keeps other processes out for as long as this one writes.
  private var lock: RunLock?

  /// The model's directory.
  var model: URL { url.appendingPathComponent("model", isDirectory: true) }
  private var recipe: URL { url.appendingPathComponent("recipe.yaml") }
  /// Where pruning keeps the model that it began with.
  var dense: URL { url.appendingPathComponent("dense", isDirectory: true) }
  /// The directory of the run's checkpoints.
  var checkpoints: URL { url.appendingPathComponent("checkpoints", isDirectory: true) }
  private var record: URL { url.appendingPathComponent("training.json") }
  /// What turns columns of raw data into the model's inputs, for data that have columns.
  private var stage: URL { url.appendingPathComponent("data.json") }

  /// Makes the directory, or takes the one that is there, and makes sure that all that will be written after the
  /// training can be.
  /// - Parameter isLocked: whether other processes are kept out; not for a directory within one that is locked.
  /// - Throws: `FormatError` when something is in the way, or another process writes there.
  init(creating path: String, isLocked: Bool = true) throws {
    url = URL(fileURLWithPath: path, isDirectory: true)
    try makeDirectory(at: url)
    try checkIsWritable(url)
    lock = try isLocked ? RunLock(url) : nil
    recoverDirectory(model)
    try Model.checkCanSave(to: model)
    for file in [recipe, record, stage] { try Self.check(file, isDirectory: false) }
    for directory in [checkpoints, dense] { try Self.check(directory, isDirectory: true) }
  }

  /// Refuses what is in the place of a file or a directory that will be written.
  private static func check(_ url: URL, isDirectory: Bool) throws {
    var status = stat()
    guard stat(url.path, &status) == 0 else { return }
    let isThere = status.st_mode & S_IFMT == S_IFDIR
    guard isThere == isDirectory else {
      throw FormatError(
        file: url.path,
        reason: isDirectory
          ? "should become a directory, and a file is in its place"
          : "should become a file, and a directory is in its place",
        remedy: "Move it away, or choose another directory with --output")
    }
    if isDirectory { try checkIsWritable(url) }
  }

  /// Whether there is a checkpoint to resume from.
  var hasCheckpoints: Bool {
    ((try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []).contains {
      $0.hasPrefix("checkpoint-")
    }
  }

  /// What a new run would replace; nil if the directory is empty.
  var earlierRun: String? {
    guard FileManager.default.fileExists(atPath: model.path) || hasCheckpoints else { return nil }
    return "\(url.path) has the model of an earlier run; this run's will take its place."
  }

  /// Opens a directory that a training run has written.
  /// - Throws: `FormatError` when it is not one.
  init(opening path: String) throws {
    url = URL(fileURLWithPath: path, isDirectory: true)
    recoverDirectory(model)
    guard FileManager.default.fileExists(atPath: recipe.path), FileManager.default.fileExists(atPath: model.path) else {
      throw FormatError(
        file: path, reason: "is not a directory that 'accelerando train --output' wrote",
        remedy: "It should hold recipe.yaml and model")
    }
  }

  /// Whether a path is a directory with a trained model and its recipe.
  static func isRun(_ path: String) -> Bool {
    let url = URL(fileURLWithPath: path, isDirectory: true)
    return ["recipe.yaml", "model"].allSatisfy {
      FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path)
    }
  }

  /// Whether a path is a directory, and so not a recipe.
  static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  /// Saves a model, the recipe and what happened; an earlier save stays until this one is complete.
  func save(
    _ model: Model, recipe: Recipe, stage: DataStage?, history: History?, sparse: Bool = false
  ) throws {
    try model.save(to: self.model, sparse: sparse)
    if let stage {
      try write(stage.json.text(.indented) + "\n", to: self.stage)
    } else if FileManager.default.fileExists(atPath: self.stage.path) {
      try FileManager.default.removeItem(at: self.stage)
    }
    try write(recipe.text, to: self.recipe)
    let epochs = (history?.epochs ?? []).map { record in
      let members = [
        ("epoch", JSON(.int(record.epoch + 1))), ("steps", JSON(.int(record.steps))),
        ("seconds", JSON.number(record.seconds)),
      ]
      let metrics = record.logs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      return JSON(adding(metrics, to: members).map { ($0.key, $0.value) })
    }
    let record = JSON([
      ("recipe", JSON(.string(recipe.name))), ("recipe_directory", JSON(.string(recipe.directory.path))),
      ("seed", JSON(.string(String(recipe.fit.seed)))), ("batch_size", JSON(.int(recipe.fit.batchSize))),
      ("weights_sha256", JSON(.string(try model.settledWeights().sha256()))), ("epochs", JSON(.array(epochs))),
    ])
    try write(record.text(.indented) + "\n", to: self.record)
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

  /// What turned the columns of the model's data into its inputs; nil for a run on arrays.
  func loadStage(of recipe: Recipe) throws -> DataStage? {
    guard FileManager.default.fileExists(atPath: stage.path) else { return nil }
    return try recipe.data.stage(Config(json: string(stage), file: stage.path))
  }

  /// The model.
  func loadModel(backend: any Backend) throws -> Model {
    try Model.load(from: model, backend: backend, catalogs: ModelCatalogs(parameterRules: .parameterRules))
  }

  private func write(_ text: String, to url: URL) throws {
    try AtomicFile.write(to: url) { try $0.write(Array(text.utf8)) }
  }

  private func string(_ url: URL) throws -> String {
    try FileContents(url).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}
