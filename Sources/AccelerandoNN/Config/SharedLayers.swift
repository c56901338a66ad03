// Layers that are used in several places, in files: the first place gives the layer an `id`, the others say `{"shares":
// id}`. Layers are the same if their parameters are, so that a loaded model shares exactly what was shared, at any
// depth; what a file cannot express is refused when it is written.

import AccelerandoCore

/// Writes a tree of layers.
///
/// Unchecked because it belongs to the thread that writes; it is Sendable only because task-local values are.
final class LayerWriter: @unchecked Sendable {
  /// The writer of the tree that is being written, so that layers need not hand it to each other.
  @TaskLocal private static var current: LayerWriter?

  /// A layer with parameters that was written out.
  private struct Record {
    let type: ObjectIdentifier
    let keys: [ParameterKey]
    /// The layer as it is written where nothing is shared.
    let plain: Config
    let number: Int
  }

  /// Whether layers are written out wherever they stand.
  private let isPlain: Bool
  /// The ids of the layers that are referred to, by their numbers.
  private let ids: [Int: Int]
  private var records: [[ParameterKey]: [Record]] = [:]
  private var count = 0
  /// The layers that are referred to, by number.
  private var referred: Set<Int> = []
  /// Which layer a parameter was written with.
  private var owners: [ParameterKey: String] = [:]
  /// The parameters of the layers inside the one that is being written, for each layer around.
  private var inside: [Set<ParameterKey>] = []

  private init(isPlain: Bool = false, ids: [Int: Int] = [:]) {
    self.isPlain = isPlain
    self.ids = ids
  }

  /// The configuration of a layer, as part of the tree that is being written or as a tree of its own.
  static func config(of layer: any Layer) throws -> Config {
    if let current { return try current.write(layer) }
    func write(_ writer: LayerWriter) throws -> Config {
      try $current.withValue(writer) { try writer.write(layer) }
    }
    // Only after the last layer it is known which ones are referred to.
    let first = LayerWriter()
    let config = try write(first)
    if first.referred.isEmpty { return config }
    let numbered = first.referred.sorted().enumerated().map { ($0.element, $0.offset + 1) }
    return try write(LayerWriter(ids: Dictionary(uniqueKeysWithValues: numbered)))
  }

  private func write(_ layer: any Layer) throws -> Config {
    guard let configurable = layer as? any ConfigurableLayer else {
      throw ConfigError(
        "a layer of type '\(layer.typeName)' cannot be written: it does not conform to ConfigurableLayer. "
          + "Let the type conform, or save the weights alone with saveWeights(to:).")
    }
    let keys = ParameterNames(of: layer).ordered.map(\.key)
    if isPlain || keys.isEmpty { return entry(configurable.configName, try configurable.config()) }
    let plain = try Self.$current.withValue(LayerWriter(isPlain: true)) { try Self.config(of: layer) }
    let type = ObjectIdentifier(Swift.type(of: configurable))
    if let known = records[keys]?.first(where: { $0.type == type && $0.plain == plain }) {
      referred.insert(known.number)
      note(keys)
      return Config(["shares": Config(.int(ids[known.number] ?? 0))])
    }
    let number = count
    count += 1
    inside.append([])
    let settings = try configurable.config()
    let written = inside.removeLast()
    // What the layer itself adds, not a layer that was written with it.
    let own = keys.filter { !written.contains($0) }
    note(keys)
    let label = layer.name.map { "\(layer.typeName) '\($0)'" } ?? layer.typeName
    for key in own {
      if let owner = owners[key] {
        throw ConfigError(
          "a layer of type '\(label)' shares a parameter with one of type '\(owner)', and files can only say that whole "
            + "layers are shared. Share the layer, or save the weights alone with saveWeights(to:).")
      }
      owners[key] = label
    }
    records[keys, default: []].append(Record(type: type, keys: keys, plain: plain, number: number))
    return entry(configurable.configName, settings, id: ids[number])
  }

  /// Lets the layer around know which parameters were written.
  private func note(_ keys: [ParameterKey]) {
    if let last = inside.indices.last { inside[last].formUnion(keys) }
  }

  /// A layer is written as its name where nothing is set, and as an object with the name as its key otherwise.
  private func entry(_ name: String, _ settings: Config, id: Int? = nil) -> Config {
    if case .object(let entries) = settings.value, entries.isEmpty, id == nil { return Config(.string(name)) }
    let own = [Config.Entry(name, settings)]
    return Config(.object(own + (id.map { [Config.Entry("id", Config(.int($0)))] } ?? [])))
  }
}

/// What is known of a tree of layers while it is read.
final class LayerReading {
  private var layers: [Config.Value: (layer: any Layer, location: SourceLocation?)] = [:]
  /// Whether lists of layers have the words of recipes: `from`, `repeat`, blocks.
  var isRecipe = false
  /// The blocks that layers may be, by name.
  var blocks: [String: Block] = [:]
  /// The blocks that are being read, outermost first.
  private(set) var openBlocks: [String] = []
  /// The places of the layers that were read, for each layer around.
  private(set) var places: [[LayerPlace]] = [[]]
  private var count = 0

  /// Recipes with more layers are mistakes: blocks and repetitions can make a short file stand for an enormous model.
  static let mostLayers = 10_000

  /// Reads a layer, and notes its place and those of the layers inside it.
  func place(_ location: SourceLocation?, _ read: () throws -> any Layer) throws -> any Layer {
    count += 1
    guard count <= Self.mostLayers || !isRecipe else {
      throw ConfigError("the model has more than \(Self.mostLayers) layers. Repeat less.", at: location)
    }
    places.append([])
    let layer = try read()
    let inner = places.removeLast()
    if let last = places.indices.last { places[last].append(LayerPlace(layer, location, inner)) }
    return layer
  }

  /// Brings the places of the last layers that were read into another order.
  func reorderPlaces(by order: [Int]) {
    guard let last = places.indices.last, places[last].count >= order.count else { return }
    let first = places[last].count - order.count
    let own = Array(places[last][first...])
    places[last].replaceSubrange(first..., with: order.map { own[$0] })
  }

  /// Reads the layers of a block: ids in there are its own.
  func inBlock<Result>(_ name: String, _ read: () throws -> Result) throws -> Result {
    let outside = layers
    layers = [:]
    openBlocks.append(name)
    defer {
      openBlocks.removeLast()
      layers = outside
    }
    return try read()
  }

  /// Keeps a layer that others may refer to.
  func keep(_ layer: any Layer, as id: Config) throws {
    try Self.check(id)
    if let other = layers[id.value] {
      let place = other.location.map { ", as at \($0)" } ?? ""
      throw ConfigError("two layers have the id \(id.line)\(place). Give one of them another id.", at: id.location)
    }
    layers[id.value] = (layer, id.location)
  }

  /// The layer of an id, which was read before.
  func layer(_ id: Config) throws -> any Layer {
    try Self.check(id)
    if let known = layers[id.value] { return known.layer }
    let ids = layers.keys.map { Config($0).line }.sorted()
    throw ConfigError(
      "'shares' needs the id of an earlier layer; received \(id.summary). "
        + (ids.isEmpty ? "No earlier layer has an id." : "Known: \(ids.joined(separator: ", "))."), at: id.location)
  }

  private static func check(_ id: Config) throws {
    switch id.value {
    case .int, .string: return
    default: throw ConfigError("the id of a layer is a number or a word; received \(id.summary).", at: id.location)
    }
  }
}

/// The names of the layers inside one layer, each with its place: two with one name could not be distinguished.
struct NamedPlaces {
  private var places: [String: SourceLocation?] = [:]

  init() {}

  /// Notes a layer as it was read.
  /// - Throws: `ConfigError` with both positions when the name is used twice.
  mutating func note(_ layer: any Layer, _ config: Config) throws {
    guard let name = layer.name, config["shares"] == nil else { return }
    let location = config.location
    if let other = places[name] {
      let first = other.map { " The first is at \($0)." } ?? ""
      throw ConfigError("two layers are called '\(name)'.\(first) Give one of them another name.", at: location)
    }
    places[name] = location
  }
}
