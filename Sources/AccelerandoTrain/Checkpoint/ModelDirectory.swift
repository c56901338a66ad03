// A whole model in a directory: architecture, weights, and how it was trained. The directory is written next to an
// earlier one and replaces it at the end, so that a full disk costs nothing.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// The files of a saved model.
private enum ModelFile {
  static let architecture = "architecture.json"
  static let weights = "weights.safetensors"
  static let compilation = "compile.json"
  static let optimizer = "optimizer.safetensors"
  static let rules = "rules.json"
  static let ruleState = "rules.safetensors"
  static let all: Set = [architecture, weights, compilation, optimizer, rules, ruleState]
}

/// The names that the files of a model may use: the built-in kinds and custom ones.
public struct ModelCatalogs: Sendable {
  /// The layers.
  public var layers: LayerCatalog
  /// The losses.
  public var losses: Catalog<any Loss>
  /// The metrics.
  public var metrics: Catalog<any Metric>
  /// The optimizers.
  public var optimizers: Catalog<any Optimizer>
  /// The rules for parameters; there is none without the module that has some, such as `AccelerandoCompress`.
  public var parameterRules: Catalog<RuleMaker>

  /// Makes catalogs of the built-in kinds, and others where they are given.
  public init(
    layers: LayerCatalog = LayerCatalog(), losses: Catalog<any Loss> = .losses,
    metrics: Catalog<any Metric> = .metrics, optimizers: Catalog<any Optimizer> = .optimizers,
    parameterRules: Catalog<RuleMaker> = Catalog("parameter rule")
  ) {
    self.parameterRules = parameterRules
    self.layers = layers
    self.losses = losses
    self.metrics = metrics
    self.optimizers = optimizers
  }
}

extension Model {
  /// Saves the model as a directory: `architecture.json`, `weights.safetensors` and, if it is compiled, `compile.json`
  /// and `optimizer.safetensors`; if it has rules for parameters, `rules.json` and `rules.safetensors`. An earlier save of the
  /// same name stays until the new one is complete.
  ///
  /// A custom loss, metric, optimizer or schedule that does not conform to `Configurable` is no reason to lose the model:
  /// `compile.json` and `optimizer.safetensors` are left out then, and a warning says so.
  /// - Parameters:
  ///   - directory: the directory to write.
  ///   - sparse: whether the files omit zeros; see `SparseSafetensors`. Loading detects it.
  /// - Throws: `ConfigError` when a layer cannot be written, `TrainingError` for a model with `parameterTransforms`,
  ///   `FormatError` or a system error when files cannot; the earlier save is then untouched. `saveWeights(to:)` saves
  ///   the weights in any case.
  public func save(to directory: URL, sparse: Bool = false) throws {
    guard parameterTransforms.isEmpty else {
      throw TrainingError(
        "the model has parameterTransforms, which are functions and cannot be saved; without them it would compute "
          + "something else. Save the weights with saveWeights(to:), and load them into a model that is made with the same "
          + "parameterTransforms.")
    }
    let architecture = try architectureConfig().json
    var compilation: String?
    var omission: ConfigError?
    do {
      compilation = try self.compilation.map { try $0.config().json }
    } catch let error as ConfigError {
      omission = error
    }
    let rules = try ruleConfig().map { $0.json }
    try replaceDirectory(directory, contents: ModelFile.all) { place in
      try write(architecture, to: place.appendingPathComponent(ModelFile.architecture))
      try saveWeights(to: place.appendingPathComponent(ModelFile.weights), sparse: sparse)
      if let rules {
        try write(rules, to: place.appendingPathComponent(ModelFile.rules))
        try AccelerandoTrain.write(
          try ruleState(), to: place.appendingPathComponent(ModelFile.ruleState), sparse: sparse)
      }
      guard let compilation else { return }
      try write(compilation, to: place.appendingPathComponent(ModelFile.compilation))
      try AccelerandoTrain.write(
        try optimizerState(), to: place.appendingPathComponent(ModelFile.optimizer), sparse: sparse)
    }
    if let omission {
      Warning.say(
        "\(directory.path) is saved without what the model is trained with, since \(omission.message) "
          + "Compile the model again after loading it.")
    }
  }

  /// Refuses a place where `save(to:)` could not save a model: one that has other files, or that may not be written to.
  /// - Throws: `FormatError` saying what is in the way.
  public static func checkCanSave(to directory: URL) throws {
    try checkCanReplaceDirectory(directory, contents: ModelFile.all)
    let parent = directory.deletingLastPathComponent()
    if FileManager.default.fileExists(atPath: parent.path) { try checkIsWritable(parent) }
  }

  /// Loads a model that `save(to:)` wrote, compiled as it was.
  /// - Parameters:
  ///   - directory: the directory of the model.
  ///   - backend: the device to run on.
  ///   - catalogs: the names that the files may use: the built-in kinds and custom ones.
  /// - Throws: `ConfigError` or `FormatError` naming the file and the place for files that are missing or damaged,
  ///   `StoreMismatch` for weights of another model.
  public static func load(
    from directory: URL, backend: any Backend, catalogs: ModelCatalogs = ModelCatalogs()
  ) throws -> Model {
    let saved = try SavedModel(directory, catalogs)
    let model = Model(saved.layer, inputs: saved.inputs, backend: backend, seed: saved.seed)
    try model.loadWeights(from: directory.appendingPathComponent(ModelFile.weights))
    try model.loadRules(from: directory, catalogs)
    let compilation = directory.appendingPathComponent(ModelFile.compilation)
    if FileManager.default.fileExists(atPath: compilation.path) {
      try model.compile(
        try Compilation(config: try readConfig(compilation), catalogs: catalogs),
        optimizerState: try readStore(directory.appendingPathComponent(ModelFile.optimizer)))
    }
    return model
  }

  /// The rules for parameters as a list, each as its name with its settings; nil if there are none, or some cannot be written,
  /// which a warning says.
  private func ruleConfig() throws -> Config? {
    if parameterRules.isEmpty { return nil }
    do {
      let list = try parameterRules.map { rule in
        guard let rule = rule as? any Configurable else {
          throw ConfigError("a rule of type '\(type(of: rule))' does not conform to Configurable.")
        }
        return Config(.object([Config.Entry(rule.configName, try rule.config())]))
      }
      return Config(["rules": Config(.array(list))])
    } catch let error as ConfigError {
      Warning.say(
        "the model is saved without its rules for parameters, since \(error.message) Add them again after loading it.")
      return nil
    }
  }

  /// Gives the model the rules for parameters that it was saved with.
  private func loadRules(from directory: URL, _ catalogs: ModelCatalogs) throws {
    let file = directory.appendingPathComponent(ModelFile.rules)
    guard FileManager.default.fileExists(atPath: file.path) else { return }
    let reader = try ConfigReader(try readConfig(file), subject: "the rules for parameters")
    for config in try reader.array("rules") {
      guard case .object(let entries) = config.value, entries.count == 1 else {
        throw ConfigError(
          "a rule for parameters is an object with its name as the only key; received \(config.summary).",
          at: config.location)
      }
      guard (try? catalogs.parameterRules.entry(entries[0].key)) != nil else {
        Warning.say(
          "\(directory.path) was saved with the rule for parameters '\(entries[0].key)', which is not known here. The model has the "
            + "weights that the rule gave, and goes on without it; load it with ModelCatalogs(parameterRules: …) to keep it."
        )
        continue
      }
      try addParameterRule(try catalogs.parameterRules.make(config).make(try outline()))
    }
    try reader.finish()
    let state = try readStore(directory.appendingPathComponent(ModelFile.ruleState))
    let names = Set(parameterRules.flatMap(\.initialState.names))
    try setRuleState(Store(state.entries.filter { names.contains($0.0) }))
  }

  /// Loads a model with custom layers.
  public static func load(from directory: URL, backend: any Backend, layers: LayerCatalog) throws -> Model {
    try load(from: directory, backend: backend, catalogs: ModelCatalogs(layers: layers))
  }

  /// The architecture as a configuration: the inputs, the seed and the layer.
  /// - Throws: `ConfigError` when a layer cannot be written.
  public func architectureConfig() throws -> Config {
    Config([
      "inputs": Config(
        .array(
          inputs.map { input in
            Config([
              "shape": .ints(input.shape), "dtype": Config(.string(input.dtype.rawValue)),
              "name": input.name.map { Config(.string($0)) },
            ])
          })),
      // A seed may be larger than the whole numbers that readers of JSON keep exact.
      "seed": Config(.string(String(seed))),
      "layer": try Config(of: layer),
    ])
  }
}

/// A model's directory, read without a device.
struct SavedModel {
  let layer: any Layer
  let inputs: [ModelInput]
  let seed: UInt64
  private let directory: URL

  /// Reads the architecture.
  /// - Throws: `ConfigError` or `FormatError` naming the file and the place for files that are missing or damaged.
  init(_ directory: URL, _ catalogs: ModelCatalogs) throws {
    self.directory = directory
    recoverDirectory(directory)
    let inside = directory.appendingPathComponent("model", isDirectory: true)
    if FileManager.default.fileExists(atPath: inside.appendingPathComponent(ModelFile.architecture).path) {
      throw ConfigError("\(directory.path) is the directory of a training; its model is \(inside.path). Load that.")
    }
    let root = try readConfig(directory.appendingPathComponent(ModelFile.architecture))
    let reader = try ConfigReader(root, subject: "the model", layerCatalog: catalogs.layers)
    inputs = try reader.array("inputs").map { value in
      let input = try ConfigReader(value, subject: "an input")
      return ModelInput(
        try input.ints("shape"), dtype: try input.choice("dtype", default: .float32),
        name: try input.optionalString("name"))
    }
    guard let number = UInt64(try reader.string("seed", default: "0")) else {
      throw ConfigError("the model: 'seed' needs a whole number in quotes.", at: root.location)
    }
    seed = number
    layer = try reader.layer("layer")
    try reader.finish()
  }

  /// The parameters and shapes of the architecture.
  func outline() throws -> Outline {
    try Outline(of: layer, inputs: inputs.map { TensorType($0.dtype, [1] + $0.shape) })
  }

  /// The values of the parameters.
  func weights() throws -> Store { try readStore(directory.appendingPathComponent(ModelFile.weights)) }
}
