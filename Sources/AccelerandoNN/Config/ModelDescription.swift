// A model as a recipe describes it: inputs, blocks, layers by name, outputs. Beside the layers it keeps their lines, so that
// a shape that does not fit is reported where it can be corrected.

import AccelerandoCore

/// A model that was read from a recipe.
public struct ModelDescription: Sendable {
  /// The model: a `Sequential` where layers follow each other, a `Functional` where they name what they read.
  public let layer: any Layer
  /// The inputs that the recipe declares; empty for one whose shape the data say.
  public let inputs: [GraphInput]
  private let places: [LayerPlace]

  /// Reads `inputs`, `blocks`, `layers` and `outputs`.
  /// - Throws: `ConfigError` with the line for layers that cannot be read or connected.
  public init(_ reader: ConfigReader, name: String? = nil) throws {
    let declared = reader.value(
      "inputs", kind: GraphInput.kind, about: "The inputs, where there are several or one needs a name or a shape")
    let blocks = reader.value("blocks", kind: Block.kind, about: "Parts of the model that 'layers' uses by name")
    let kind = "a list of layers"
    let entries = try reader.array(
      "layers", kind: kind, about: "The model: layers in order, each its name or {name: settings}")
    let outputs = reader.value(
      "outputs", kind: "names of layers, [digit, parity], or {output: layer}",
      about: "The outputs, where there are several or one needs a name; otherwise the last layer")
    let reading = reader.reading
    reading.isRecipe = true
    if let blocks { reading.blocks = try Block.list(blocks, catalog: reader.layerCatalog) }
    if reader.isDescribing {
      (layer, inputs, places) = (Sequential([]), [], [])
      return
    }
    inputs = try declared.map(GraphInput.list) ?? []
    guard !entries.isEmpty else {
      throw ConfigError("a recipe needs at least one layer.", at: reader.value("layers")?.location)
    }
    var graph = try GraphReader(
      inputs: declared == nil ? nil : inputs, catalog: reader.layerCatalog, reading: reading)
    layer = try graph.read(entries, outputs: outputs).layer(name: name)
    places = reading.places.first ?? []
  }

  /// The names of the outputs: `output` for the only one of a model that names none.
  public var outputNames: [String] { (layer as? any MultiOutputLayer)?.outputNames ?? ["output"] }

  /// An error of the model's trace with the line of the layer that it is about and, for a layer in a block, the lines where
  /// the block is used.
  public func located(_ error: GraphError) -> ConfigError {
    let found = LayerPlace.locations(of: error.path.dropFirst(), in: places)
    guard let place = found.last else { return ConfigError("\(error)") }
    let uses = found.dropLast().filter { $0 != place }.map { "\($0)" }
    return ConfigError("\(error)" + (uses.isEmpty ? "" : " Used at \(uses.joined(separator: ", "))."), at: place)
  }
}
