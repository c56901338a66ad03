// Which layers a file may name. The list is a value that is passed to every reader, and a custom type is added to a
// copy of it: there is no global registry.

import AccelerandoCore

/// A layer that can be written to a file and read back.
public protocol ConfigurableLayer: Layer, Configurable {
  /// The name in files: `Dense`.
  static var layerName: String { get }
  /// Makes the layer of its settings, which have Keras' names (`kernel_size`). Unread settings are refused afterwards.
  /// - Throws: `ConfigError` for settings that are missing or wrong.
  init(config: ConfigReader) throws
}

extension ConfigurableLayer {
  public static var layerName: String { String(describing: Self.self) }
  public var configName: String { Self.layerName }
}

/// The layer types that files may name.
public struct LayerCatalog: Sendable {
  private var types: [String: any ConfigurableLayer.Type] = [:]

  /// The built-in layers and the given ones, which replace built-in layers of the same name.
  public init(adding custom: [any ConfigurableLayer.Type] = []) {
    for type in Self.builtIn + custom { types[type.layerName] = type }
  }

  /// The names, in alphabetical order.
  public var names: [String] { types.keys.sorted() }

  /// Reads a layer: `{"Dense": {"units": 10}}`, or just `"Flatten"` where there is nothing to set.
  /// - Throws: `ConfigError` for an unknown name or wrong settings.
  public func layer(_ config: Config) throws -> any Layer {
    let (name, settings) = try parts(config)
    guard let type = type(named: name) else {
      let nearest = nearestWord(to: name, among: names).map { " Did you mean '\($0)'?" } ?? ""
      throw ConfigError(
        "there is no layer '\(name)'.\(nearest) Known: \(names.joined(separator: ", ")).", at: config.location)
    }
    let reader = try ConfigReader(settings, subject: type.layerName, layerCatalog: self)
    let layer = try type.init(config: reader)
    try reader.finish()
    return layer
  }

  /// The type of a name; `dense` and `max_pooling2d` are found as well as `Dense` and `MaxPooling2D`.
  private func type(named name: String) -> (any ConfigurableLayer.Type)? {
    if let type = types[name] { return type }
    func key(_ name: String) -> String { name.lowercased().filter { $0 != "_" && $0 != "-" } }
    return types.first { key($0.key) == key(name) }?.value
  }

  /// A layer is written as its name, or as an object with the name as its only key.
  private func parts(_ config: Config) throws -> (name: String, settings: Config) {
    switch config.value {
    case .string(let name): return (name, Config(.object([]), at: config.location))
    case .object(let entries) where entries.count == 1: return (entries[0].key, entries[0].value)
    default:
      throw ConfigError(
        "a layer is its name, or an object with the name as its only key; received \(config.summary).",
        at: config.location)
    }
  }
}

extension Config {
  /// The layer in the form that `LayerCatalog.layer(_:)` reads.
  /// - Throws: `ConfigError` when the layer, or one inside it, says nothing about its settings.
  public init(of layer: any Layer) throws {
    guard let layer = layer as? any ConfigurableLayer else {
      throw ConfigError(
        "a layer of type '\(layer.typeName)' cannot be written: it does not conform to ConfigurableLayer. "
          + "Let the type conform, or save the weights alone.")
    }
    let settings = try layer.config()
    if case .object(let entries) = settings.value, entries.isEmpty {
      self.init(.string(layer.configName))
    } else {
      self.init(.object([Entry(layer.configName, settings)]))
    }
  }
}

extension ConfigReader {
  /// A layer inside this one.
  public func layer(_ key: String) throws -> any Layer { try layerCatalog.layer(try required(key)) }

  /// Layers inside this one.
  public func layers(_ key: String) throws -> [any Layer] { try array(key).map(layerCatalog.layer) }
}

extension LayerCatalog {
  /// The layer types that come with the library; a new layer is added here.
  static var builtIn: [any ConfigurableLayer.Type] {
    [
      ActivationLayer.self, Add.self, Average.self, AveragePooling2D.self, BatchNormalization.self, Concatenate.self,
      Conv2D.self, Dense.self, DepthwiseConv2D.self, Dropout.self, ELU.self, Embedding.self, Flatten.self,
      Functional.self, GlobalAveragePooling2D.self, GlobalMaxPooling2D.self, LayerNormalization.self, LeakyReLU.self,
      MaxPooling2D.self, Maximum.self, Minimum.self, MultiHeadAttention.self, Multiply.self, PReLU.self, Permute.self,
      ReLU.self, Rescaling.self, Reshape.self, Sequential.self, Softmax.self, Subtract.self, UpSampling2D.self,
      ZeroPadding2D.self,
    ]
  }
}
