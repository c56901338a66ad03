// A recipe describes a training run as a text file: data, layers, how to compile, how to fit, callbacks. A model is
// edited and run again without a build; so the whole file is checked before anything slow begins.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// A model, its data and its training, read from YAML.
public struct Recipe: Sendable {
  /// The recipe's name: its file's name without the extension.
  public let name: String
  /// The directory that relative paths refer to.
  public let directory: URL
  /// The text it was read from.
  public let text: String
  /// The data it trains on.
  public let data: RecipeData
  /// The model, with the lines that describe it.
  public let modelDescription: ModelDescription
  /// The model's layers: a `Sequential`, or a `Functional` where layers name what they read.
  public var model: any Layer { modelDescription.layer }
  /// The losses to minimize.
  public let losses: [OutputLoss]
  /// The parameters that are frozen, or trained by another optimizer or rate.
  public let groups: [ParameterGroup]
  /// The metrics to report.
  public let metrics: [OutputMetric]
  /// Where the model takes its first weights from; nil for random ones.
  public let weights: WeightSource?
  /// The element types that the model computes in.
  public var precision: Precision
  /// How training runs.
  public var fit: FitSettings
  /// The callbacks, one each: `EarlyStopping: {patience: 2}`.
  public let callbacks: [Config]
  private var optimizerConfig: Config

  /// Reads the recipe of a name or of a path.
  /// - Parameter nameOrPath: the name of a built-in recipe, or the path of a YAML file.
  /// - Throws: `RecipeNotFound` when there is none, `FormatError` when it cannot be read, `ConfigError` with file and
  ///   line when it is wrong.
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

  /// Recipes are written by hand; a longer file is something else.
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
        ? "A training run wrote it: its recipe is \(inside); a run with checkpoints is resumed by "
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
  ///   - name: the recipe's name.
  ///   - file: the name of the text in errors.
  ///   - directory: the directory that relative paths refer to.
  ///   - layers: the layers that it may name.
  /// - Throws: `ConfigError` with file and line when the recipe is wrong.
  public init(
    yaml text: String, name: String, file: String, directory: URL, layers: LayerCatalog = LayerCatalog()
  ) throws {
    let texts = try TextLayerList(Config(yaml: text, file: file), catalog: .textEncoders(in: directory))
    let reader = try ConfigReader(texts.recipe, subject: "a recipe", layerCatalog: layers)
    self.name = name
    self.text = text
    self.directory = directory
    let parts = try RecipeParts(reader, name: name)
    modelDescription = parts.model
    let compile = try CompileSettings(ConfigReader(parts.compile, subject: "compile"))
    optimizerConfig = compile.optimizer
    losses = compile.losses
    try compile.checkOutputs(of: parts.model, in: parts.compile)
    data = try RecipeData(
      ConfigReader(parts.data, subject: "data"),
      for: DataNames(
        inputs: parts.model.inputs.map(\.name), targets: compile.labelledOutputs(of: parts.model),
        textLayers: texts.layers))
    groups = compile.groups
    metrics = compile.metrics
    precision = compile.precision
    weights = try parts.weights.map { try WeightSource(ConfigReader($0, subject: "weights")) }
    fit = try FitSettings(ConfigReader(parts.fit, subject: "fit"))
    callbacks = parts.callbacks
    try reader.finish()
    // Made and dropped, so that errors are reported now.
    _ = try makeOptimizer()
    _ = try makeCallbacks()
  }

  /// The optimizer.
  /// - Throws: `ConfigError` when its settings are wrong.
  public func makeOptimizer() throws -> any Optimizer { try Catalog.optimizers.make(optimizerConfig) }

  /// Replaces the recipe's learning rate, be that a number or a schedule.
  public mutating func setLearningRate(_ rate: Double) { setLearningRate(Config(.double(rate))) }

  /// Replaces the recipe's learning rate.
  /// - Parameter rate: a number or a schedule, as in a recipe.
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

/// There is no recipe with the name or path.
public struct RecipeNotFound: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

/// How training runs.
public struct FitSettings: Sendable, Hashable {
  /// The number of passes over the data.
  public var epochs: Int
  /// Samples in one step.
  public var batchSize: Int
  /// The proportion of the training data, at the end, that is used for validation, 0 to 1.
  public var validationSplit: Double?
  /// Whether samples are shuffled for each epoch.
  public var shuffle: Bool
  /// The seed of all randomness.
  public var seed: UInt64
  /// Steps per epoch; nil for all data.
  public var stepsPerEpoch: Int?
  /// Epochs from one validation to the next.
  public var validationFrequency: Int
  /// The weights of the classes; nil for equal ones.
  public var classWeights: ClassWeightSettings?

  init(_ reader: ConfigReader) throws {
    epochs = try reader.int("epochs", default: 1, in: .counts, about: "The number of passes over the data")
    batchSize = try reader.int("batch_size", default: 32, in: .counts, about: "Samples in one step")
    validationSplit = try reader.optionalDouble(
      "validation_split", in: .belowOne,
      about: "The proportion of the training data, its last samples, to use for validation")
    shuffle = try reader.bool("shuffle", default: true, about: "Whether to reshuffle the samples in each epoch")
    seed = UInt64(
      try reader.int("seed", default: 0, in: 0...Int.max, about: "The seed of all randomness"))
    stepsPerEpoch = try reader.optionalInt("steps_per_epoch", in: .counts, about: "The number of steps in an epoch")
    validationFrequency = try reader.int(
      "validation_freq", default: 1, in: .counts, about: "The number of epochs between validations")
    classWeights = try ClassWeightSettings(reader)
    try reader.finish()
  }
}
