// Which layers a file may name. The list is a value that is passed to every reader, and a custom type is added to a
// copy of it: there is no global registry.

import AccelerandoCore

/// A layer that can be written to a file and read back.
public protocol ConfigurableLayer: Layer, Configurable {
  /// The name in files: `Dense`.
  static var layerName: String { get }
  /// What the layer does, in a sentence.
  static var summary: String { get }
  /// Makes the layer of its settings, which have Keras' names (`kernel_size`). Unread settings are refused afterwards.
  /// - Throws: `ConfigError` for settings that are missing or wrong.
  init(config: ConfigReader) throws
}

extension ConfigurableLayer {
  public static var layerName: String { String(describing: Self.self) }
  public static var summary: String { "" }
  public var configName: String { Self.layerName }
}

/// The layer types that files may name.
public struct LayerCatalog: CatalogListing, Sendable {
  private var types: [String: any ConfigurableLayer.Type]

  /// The built-in layers and the given ones, which replace built-in layers of the same name.
  public init(adding custom: [any ConfigurableLayer.Type] = []) {
    types = Self.builtInTypes
    for type in custom { types[type.layerName] = type }
  }

  private static let builtInTypes = Dictionary(
    builtIn.map { ($0.layerName, $0) }, uniquingKeysWith: { first, _ in first })

  public var subject: String { "layer" }

  /// The names, in alphabetical order.
  public var names: [String] { types.keys.sorted() }

  public func entry(_ name: String) throws -> CatalogEntry {
    let type = try type(named: name, at: nil)
    let reader = ConfigReader(describing: type.layerName)
    _ = try? type.init(config: reader)
    reader.describeOptions(of: type)
    return CatalogEntry(name: type.layerName, aliases: [], summary: type.summary, settings: reader.settings)
  }

  /// Reads a layer: `{"Dense": {"units": 10}}`, or just `"Flatten"` if there is nothing to set. A layer that is used in
  /// several places has an `id` in the first, next to its name, and is `{"shares": id}` in the others.
  /// - Throws: `ConfigError` for an unknown name or wrong settings.
  public func layer(_ config: Config) throws -> any Layer { try layer(config, LayerReading()) }

  /// Reads a layer as a part of a tree.
  func layer(_ config: Config, _ reading: LayerReading) throws -> any Layer {
    let entry = try LayerEntry(config, isPlaced: reading.isRecipe)
    for (key, value) in [("from", entry.from), ("repeat", entry.repetitions)] {
      guard let value else { continue }
      throw ConfigError(
        "'\(key)' is for layers in lists. This one is inside another layer, which says what it reads.",
        at: value.location)
    }
    return try layer(entry, name: entry.name, reading)
  }

  /// Makes the layer of an entry, under a name.
  func layer(_ entry: LayerEntry, name: Config?, _ reading: LayerReading) throws -> any Layer {
    let layer = try reading.place(entry.location) {
      switch entry.kind {
      case .shared(let id): return try reading.layer(id)
      case .layer(let typeName, let settings):
        let settings = LayerEntry.adding(name, to: settings)
        if let block = reading.blocks[typeName] {
          return try block.layer(settings, catalog: self, reading: reading)
        }
        let type = try type(named: typeName, among: reading.blocks.keys.sorted(), at: entry.location)
        let reader = try ConfigReader(settings, subject: type.layerName, layerCatalog: self, reading: reading)
        let layer = try reader.withOptions(try type.init(config: reader))
        try reader.finish()
        return layer
      }
    }
    if let id = entry.id { try reading.keep(layer, as: id) }
    return layer
  }

  /// The type of a name; `dense` and `max_pooling2d` are found as well as `Dense` and `MaxPooling2D`.
  /// - Parameter blocks: other names that would be right, for messages.
  private func type(
    named name: String, among blocks: [String] = [], at location: SourceLocation?
  ) throws -> any ConfigurableLayer.Type {
    for name in [name, Self.fullName(name)] {
      if let type = types[name] ?? types.first(where: { sameName($0.key, name) })?.value { return type }
    }
    throw ConfigError(
      "there is no layer '\(name)'.\(advice(for: name, in: subject, among: blocks + names)) "
        + "Known: \((blocks + names).joined(separator: ", ")).", at: location)
  }

  /// The name that Keras' other names of layers stand for: `MaxPool2D` is `MaxPooling2D`, `Convolution1D` is `Conv1D`.
  private static func fullName(_ name: String) -> String {
    name.replacing("Convolution", with: "Conv").replacing("AvgPool", with: "AveragePool")
      .replacing("Pool1D", with: "Pooling1D").replacing("Pool2D", with: "Pooling2D")
      .replacing("Pool3D", with: "Pooling3D")
  }
}

extension Config {
  /// The layer in the form that `LayerCatalog.layer(_:)` reads.
  /// - Throws: `ConfigError` when the layer, or one inside it, says nothing about its settings.
  public init(of layer: any Layer) throws {
    self = try LayerWriter.config(of: layer)
  }
}

extension ConfigReader {
  /// A layer inside this one.
  public func layer(_ key: String) throws -> any Layer {
    try layerCatalog.layer(try required(key, kind: "a layer"), reading)
  }

  /// Layers inside this one.
  /// - Throws: `ConfigError` for layers that cannot be read, and for two of one name.
  public func layers(_ key: String, about: String = "") throws -> [any Layer] {
    let configs = try array(key, kind: "a list of layers", about: about)
    if reading.isRecipe { return try GraphReader.chain(configs, catalog: layerCatalog, reading: reading) }
    var names = NamedPlaces()
    return try configs.map { config in
      let layer = try layerCatalog.layer(config, reading)
      try names.note(layer, config)
      return layer
    }
  }
}

extension LayerCatalog {
  /// Refuses a built-in layer with invalid settings, with the same message as for a file with these settings.
  /// - Throws: `ConfigError` naming the setting, what was received and what is allowed.
  static func check(_ layer: any Layer) throws {
    guard let layer = layer as? any ConfigurableLayer, checked.contains(ObjectIdentifier(Swift.type(of: layer))) else {
      return
    }
    _ = try Swift.type(of: layer).init(config: ConfigReader(try layer.config(), subject: ""))
  }

  /// Those whose settings are numbers and strings; the contents of the others are checked on their own.
  private static let checked = Set(
    builtIn.map { ObjectIdentifier($0) }
  ).subtracting([
    ObjectIdentifier(Sequential.self), ObjectIdentifier(Functional.self), ObjectIdentifier(RNN.self),
    ObjectIdentifier(StackedRNNCells.self), ObjectIdentifier(Bidirectional.self),
    ObjectIdentifier(TimeDistributed.self),
  ])

  /// The layer types that come with the library; a new layer is added here.
  static var builtIn: [any ConfigurableLayer.Type] {
    [
      ActivationLayer.self, ActivityRegularization.self, Add.self, AdditiveAttention.self,
      AdaptiveAveragePooling1D.self,
      AdaptiveAveragePooling2D.self, AdaptiveAveragePooling3D.self, AdaptiveMaxPooling1D.self,
      AdaptiveMaxPooling2D.self, AdaptiveMaxPooling3D.self, AlphaDropout.self, Attention.self, Average.self,
      AveragePooling1D.self, AveragePooling2D.self, AveragePooling3D.self, BatchNormalization.self, Concatenate.self,
      Conv1D.self, Conv1DTranspose.self, Conv2D.self, Conv2DTranspose.self, Conv3D.self, Conv3DTranspose.self,
      Cropping1D.self, Cropping2D.self, Cropping3D.self, Dense.self, DepthwiseConv1D.self, DepthwiseConv2D.self,
      Dot.self, Dropout.self, ELU.self, EinsumDense.self, Embedding.self, Flatten.self, Functional.self,
      GaussianDropout.self, GaussianNoise.self, GlobalAveragePooling1D.self, GlobalAveragePooling2D.self,
      GlobalAveragePooling3D.self, GlobalMaxPooling1D.self, GlobalMaxPooling2D.self, GlobalMaxPooling3D.self,
      GroupNormalization.self, GroupQueryAttention.self, Identity.self, LayerNormalization.self, LeakyReLU.self,
      MaxPooling1D.self, MaxPooling2D.self, MaxPooling3D.self, Maximum.self, Minimum.self, MultiHeadAttention.self,
      Multiply.self, PReLU.self, Permute.self, RMSNormalization.self, ReLU.self, Rescaling.self, Reshape.self,
      SeparableConv1D.self, SeparableConv2D.self, Sequential.self, Softmax.self, SpatialDropout1D.self,
      SpatialDropout2D.self, SpatialDropout3D.self, Subtract.self, UnitNormalization.self, UpSampling1D.self,
      UpSampling2D.self, UpSampling3D.self, ZeroPadding1D.self, ZeroPadding2D.self, ZeroPadding3D.self,
      Bidirectional.self, ConvLSTM1D.self, ConvLSTM2D.self, ConvLSTM3D.self, GRU.self, GRUCell.self, LSTM.self,
      LSTMCell.self, Masking.self, RNN.self, RepeatVector.self, SimpleRNN.self, SimpleRNNCell.self,
      StackedRNNCells.self, TimeDistributed.self,
      AutoContrast.self, CenterCrop.self, CutMix.self, MixUp.self, RandomBrightness.self, RandomColorJitter.self,
      RandomContrast.self, RandomCrop.self, RandomErasing.self, RandomFlip.self, RandomGrayscale.self, RandomHue.self,
      RandomInvert.self, RandomPosterization.self, RandomRotation.self, RandomSaturation.self, RandomShear.self,
      RandomTranslation.self, RandomZoom.self, Resizing.self, Solarization.self,
    ]
  }
}
