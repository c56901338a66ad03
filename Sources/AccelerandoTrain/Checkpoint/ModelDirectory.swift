// A whole model in a directory: what it is, what it knows, and how it was being trained. The directory is written beside
// an earlier one and takes its place at the end, so that a full disk costs nothing but the attempt.

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
}

extension Model {
  /// Saves the model as a directory: `architecture.json`, `weights.safetensors` and, if it is compiled, `compile.json` and
  /// `optimizer.safetensors`. An earlier save of the same name stays until the new one is complete.
  /// - Throws: `ConfigError` when a layer, loss or the like cannot be written, `FormatError` or a system error when files
  ///   cannot; the earlier save is then untouched.
  public func save(to directory: URL) throws {
    let architecture = try architectureConfig().json
    let compilation = try compilation.map { try config(of: $0).json }
    try replacingDirectory(directory) { place in
      try write(architecture, to: place.appendingPathComponent(ModelFile.architecture))
      try saveWeights(to: place.appendingPathComponent(ModelFile.weights))
      guard let compilation else { return }
      try write(compilation, to: place.appendingPathComponent(ModelFile.compilation))
      try AccelerandoTrain.write(try optimizerState(), to: place.appendingPathComponent(ModelFile.optimizer))
    }
  }

  /// Loads a model that `save(to:)` wrote, compiled as it was.
  /// - Parameters:
  ///   - directory: the directory of the model.
  ///   - backend: the device to live on.
  ///   - layers: the layer types that the files may name: the built-in ones and one's own.
  /// - Throws: `ConfigError` or `FormatError` naming the file and the place for files that are missing or damaged,
  ///   `StoreMismatch` for weights of another model.
  public static func load(
    from directory: URL, backend: any Backend, layers: LayerCatalog = LayerCatalog()
  ) throws -> Model {
    let root = try readConfig(directory.appendingPathComponent(ModelFile.architecture))
    let reader = try ConfigReader(root, subject: "the model", layerCatalog: layers)
    let inputs = try reader.array("inputs").map { value in
      let input = try ConfigReader(value, subject: "an input")
      return ModelInput(try input.ints("shape"), dtype: try input.choice("dtype", default: .float32))
    }
    guard let seed = UInt64(try reader.string("seed", default: "0")) else {
      throw ConfigError("the model: 'seed' needs a whole number in quotes.", at: root.location)
    }
    let model = Model(try reader.layer("layer"), inputs: inputs, backend: backend, seed: seed)
    try reader.finish()
    try model.loadWeights(from: directory.appendingPathComponent(ModelFile.weights))
    let compilation = directory.appendingPathComponent(ModelFile.compilation)
    if FileManager.default.fileExists(atPath: compilation.path) {
      try model.compile(try Compilation(config: try readConfig(compilation)))
      try model.setOptimizerState(try readStore(directory.appendingPathComponent(ModelFile.optimizer)))
    }
    return model
  }

  /// The architecture as a configuration: the inputs, the seed and the layer.
  /// - Throws: `ConfigError` when a layer cannot be written.
  public func architectureConfig() throws -> Config {
    Config([
      "inputs": Config(
        .array(
          inputs.map { Config(["shape": .ints($0.shape), "dtype": Config(.string($0.dtype.rawValue))]) })),
      // A seed may be larger than the whole numbers that readers of JSON keep exact.
      "seed": Config(.string(String(seed))),
      "layer": try Config(of: layer),
    ])
  }
}

extension Compilation {
  /// Reads a compilation: `{"optimizer": "adam", "loss": …, "metrics": […]}`.
  /// - Throws: `ConfigError` for names and settings that are unknown or wrong.
  public init(config: Config) throws {
    let reader = try ConfigReader(config, subject: "compile")
    func metrics(_ key: String) throws -> [any Metric] {
      reader.has(key) ? try reader.array(key).map { try Catalog.metrics.make($0) } : []
    }
    self.init(
      optimizer: try Catalog.optimizers.make(try reader.required("optimizer")),
      loss: try Catalog.losses.make(try reader.required("loss")), metrics: try metrics("metrics"),
      weightedMetrics: try metrics("weighted_metrics"))
    try reader.finish()
  }
}

/// The compilation in the form that `Compilation(config:)` reads.
private func config(of compilation: Compilation) throws -> Config {
  Config([
    "optimizer": try Catalog.optimizers.config(of: compilation.optimizer),
    "loss": try Catalog.losses.config(of: compilation.loss),
    "metrics": Config(.array(try compilation.metrics.map { try Catalog.metrics.config(of: $0) })),
    "weighted_metrics": Config(
      .array(try compilation.weightedMetrics.map { try Catalog.metrics.config(of: $0) })),
  ])
}

private func readConfig(_ url: URL) throws -> Config {
  guard let data = FileManager.default.contents(atPath: url.path) else {
    throw ConfigError("cannot read \(url.path). A saved model is a directory with the file \(url.lastPathComponent).")
  }
  guard let text = String(data: data, encoding: .utf8) else { throw ConfigError("\(url.path) is not UTF-8 text.") }
  return try Config(json: text, file: url.path)
}

private func write(_ text: String, to url: URL) throws {
  try AtomicFile.write(to: url) { try $0.write(Array(text.utf8)) }
}

/// Writes a directory under another name and lets it take the place of the earlier one when it is complete.
private func replacingDirectory(_ directory: URL, _ body: (URL) throws -> Void) throws {
  let manager = FileManager.default
  let parent = directory.deletingLastPathComponent()
  let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
  let fresh = parent.appendingPathComponent(".\(directory.lastPathComponent).\(suffix).partial")
  let old = parent.appendingPathComponent(".\(directory.lastPathComponent).\(suffix).old")
  try manager.createDirectory(at: fresh, withIntermediateDirectories: true)
  do {
    try body(fresh)
    guard manager.fileExists(atPath: directory.path) else {
      try manager.moveItem(at: fresh, to: directory)
      return
    }
    guard manager.fileExists(atPath: directory.appendingPathComponent(ModelFile.architecture).path) else {
      throw TrainingError("\(directory.path) is there already and is no saved model; choose another name.")
    }
    try manager.moveItem(at: directory, to: old)
    do {
      try manager.moveItem(at: fresh, to: directory)
    } catch {
      try manager.moveItem(at: old, to: directory)
      throw error
    }
    try? manager.removeItem(at: old)
  } catch {
    try? manager.removeItem(at: fresh)
    throw error
  }
}
