// A recipe is everything that a training needs, as a text file: data, layers, how to compile, how to fit, callbacks. A
// model is edited and run again with no build in between; so the whole file is checked before anything slow begins.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// A model, its data and its training, read from YAML.
public struct Recipe: Sendable {
  /// What the recipe is called: its file's name without the extension.
  public let name: String
  /// Where relative paths in it begin.
  public let directory: URL
  /// The text it was read from.
  public let text: String
  /// The data it trains on.
  public let data: RecipeData
  /// The model.
  public let model: Sequential
  /// What is minimized.
  public let loss: any Loss
  /// What is watched.
  public let metrics: [any Metric]
  /// The element types that the model computes in.
  public var precision: Precision
  /// How training runs.
  public var fit: FitSettings
  /// What happens besides, one callback each: `EarlyStopping: {patience: 2}`.
  public let callbacks: [Config]
  private var optimizerConfig: Config

  /// Reads the recipe of a name or of a path.
  /// - Parameter nameOrPath: the name of a built-in recipe, or the path of a YAML file.
  /// - Throws: `RecipeNotFound` when there is none, `FormatError` when it cannot be read, `ConfigError` with file and line when
  ///   it is wrong.
  public init(_ nameOrPath: String) throws {
    let url = URL(fileURLWithPath: nameOrPath)
    if let builtIn = BuiltInRecipe.named(nameOrPath) {
      try self.init(
        yaml: builtIn.yaml, name: nameOrPath, file: "recipe \(nameOrPath)", directory: Self.workingDirectory)
      return
    }
    let text = try Self.read(nameOrPath)
    var status = stat()
    let isFile = stat(nameOrPath, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    // Beside a pipe there are no other files.
    try self.init(
      yaml: text, name: url.deletingPathExtension().lastPathComponent, file: nameOrPath,
      directory: isFile ? url.deletingLastPathComponent() : Self.workingDirectory)
  }

  /// Recipes are written by people; what is longer than this is something else.
  private static let longest = 16 << 20

  /// The text of a recipe's file, or of a pipe.
  /// - Throws: `RecipeNotFound` when there is none, `FormatError` with the reason when it cannot be read.
  private static func read(_ path: String) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      let names = BuiltInRecipe.all.map(\.name)
      let nearest = nearestWord(to: path, among: names).map { " Did you mean '\($0)'?" } ?? ""
      throw RecipeNotFound(
        description: "there is no recipe '\(path)'.\(nearest) Give the path of a YAML file, or one of "
          + "\(names.joined(separator: ", ")).")
    }
    if isDirectory.boolValue {
      let inside = (path as NSString).appendingPathComponent("recipe.yaml")
      let remedy =
        FileManager.default.fileExists(atPath: inside)
        ? "A training wrote it: its recipe is \(inside); a run that has checkpoints goes on with "
          + "'accelerando train --resume \(path)'"
        : "Name a YAML file"
      throw FormatError(file: path, reason: "is a directory, not a recipe", remedy: remedy)
    }
    let contents = try FileContents(URL(fileURLWithPath: path))
    let kind = FileKind(of: contents)
    guard kind == .text || kind == .empty, contents.count <= longest else {
      let reason =
        kind == .text ? "has \(contents.count) bytes, more than any recipe" : "is not a recipe: it is \(kind)"
      throw FormatError(
        file: path, reason: reason, remedy: "A recipe is a YAML file; 'accelerando recipes mlp' prints one")
    }
    return try contents.withUnsafeBytes { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw FormatError(file: path, reason: "is not UTF-8 text", remedy: "Save the recipe in UTF-8")
      }
      return text
    }
  }

  /// Reads a recipe from text.
  /// - Parameters:
  ///   - text: the YAML text.
  ///   - name: what the recipe is called.
  ///   - file: what the text is called in errors.
  ///   - directory: where relative paths in it begin.
  ///   - layers: the layers that it may name.
  /// - Throws: `ConfigError` with file and line when the recipe is wrong.
  public init(
    yaml text: String, name: String, file: String, directory: URL, layers: LayerCatalog = LayerCatalog()
  ) throws {
    let reader = try ConfigReader(Config(yaml: text, file: file), subject: "a recipe", layerCatalog: layers)
    self.name = name
    self.text = text
    self.directory = directory
    data = try RecipeData(ConfigReader(reader.required("data"), subject: "data"))
    model = Sequential(try reader.layers("layers"), name: name)
    let compile = try ConfigReader(reader.required("compile"), subject: "compile")
    optimizerConfig = compile.value("optimizer") ?? "adam"
    loss = try Catalog.losses.make(compile.required("loss"))
    metrics = try compile.has("metrics") ? compile.array("metrics").map { try Catalog.metrics.make($0) } : []
    precision = try compile.choice("precision", default: Precision.float32)
    try compile.finish()
    fit = try FitSettings(ConfigReader(reader.value("fit") ?? nil, subject: "fit"))
    callbacks = try reader.has("callbacks") ? reader.array("callbacks") : []
    try reader.finish()
    guard !model.layers.isEmpty else {
      throw ConfigError("a recipe needs at least one layer.", at: reader.value("layers")?.location)
    }
    // Made and dropped: what is wrong with them should be said now.
    _ = try makeOptimizer()
    _ = try makeCallbacks()
  }

  /// The optimizer.
  /// - Throws: `ConfigError` when its settings are wrong.
  public func makeOptimizer() throws -> any Optimizer { try Catalog.optimizers.make(optimizerConfig) }

  /// Sets the learning rate in place of the recipe's, be that a number or a schedule.
  public mutating func setLearningRate(_ rate: Double) { setLearningRate(Config(.double(rate))) }

  /// Sets the learning rate in place of the recipe's.
  /// - Parameter rate: a number or a schedule, as a recipe writes them.
  public mutating func setLearningRate(_ rate: Config) {
    let entry = Config.Entry("learning_rate", rate)
    func replacing(_ entries: [Config.Entry]) -> [Config.Entry] { entries.filter { $0.key != entry.key } + [entry] }
    switch optimizerConfig.value {
    case .string:
      optimizerConfig.value = .object([Config.Entry("name", optimizerConfig), entry])
    case .object(let entries) where entries.contains { $0.key == "name" }:
      optimizerConfig.value = .object(replacing(entries))
    case .object(let entries) where entries.count == 1:
      var settings = entries[0]
      if case .object(let inner) = settings.value.value {
        settings.value.value = .object(replacing(inner))
      } else {
        settings.value.value = .object([entry])
      }
      optimizerConfig.value = .object([settings])
    default: break
    }
  }

  static var workingDirectory: URL {
    URL(fileURLWithPath: FileManager.default.currentDirectoryPath, isDirectory: true)
  }
}

/// There is no recipe of a name or at a path.
public struct RecipeNotFound: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

/// How training runs.
public struct FitSettings: Sendable, Hashable {
  /// How many times the data are gone through.
  public var epochs: Int
  /// Samples in one step.
  public var batchSize: Int
  /// The last part of the training data that is held back for validation, 0 to 1.
  public var validationSplit: Double?
  /// Whether samples are shuffled for each epoch.
  public var shuffle: Bool
  /// Where all randomness begins.
  public var seed: UInt64
  /// Steps in one epoch; nil for all that the data give.
  public var stepsPerEpoch: Int?
  /// Epochs from one validation to the next.
  public var validationFrequency: Int

  init(_ reader: ConfigReader) throws {
    func count(_ key: String, default fallback: Int) throws -> Int {
      let number = try reader.int(key, default: fallback)
      guard number >= 1 else {
        throw ConfigError("fit: '\(key)' needs a whole number of at least 1; received \(number).", at: place(key))
      }
      return number
    }
    func place(_ key: String) -> SourceLocation? { reader.value(key)?.location }
    epochs = try count("epochs", default: 1)
    batchSize = try count("batch_size", default: 32)
    validationSplit = try reader.optionalDouble("validation_split")
    if let split = validationSplit, !(split >= 0 && split < 1) {
      throw ConfigError(
        "fit: 'validation_split' needs a number from 0 to below 1; received \(split).", at: place("validation_split"))
    }
    shuffle = try reader.bool("shuffle", default: true)
    let seed = try reader.int("seed", default: 0)
    guard let seed = UInt64(exactly: seed) else {
      throw ConfigError("fit: 'seed' needs a whole number of at least 0; received \(seed).", at: place("seed"))
    }
    self.seed = seed
    stepsPerEpoch = try reader.has("steps_per_epoch") ? count("steps_per_epoch", default: 1) : nil
    validationFrequency = try count("validation_freq", default: 1)
    try reader.finish()
  }
}
