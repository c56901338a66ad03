// The inputs of a model or a block as a recipe lists them: names, with shapes where the data do not tell.

import AccelerandoCore

/// An input that a recipe declares.
public struct GraphInput: Hashable, Sendable {
  /// The input's name, for `from` and for data.
  public let name: String
  /// The shape of one sample, without the batch axis; nil where the data, or the block's use, say it.
  public let shape: [Int]?
  /// The element type that layers see; nil where the data say it.
  public let dtype: DType?
  /// The line that declares it.
  public let location: SourceLocation?

  /// The input of a model or block that declares none.
  static let only = GraphInput(name: "input", shape: nil, dtype: nil, location: nil)

  static let kind = "names of inputs: [image, age], {image: [28, 28, 1]} or {age: {shape: [1], dtype: int32}}"

  /// Reads a list of names, or an object of names with shapes, or with shapes and element types.
  static func list(_ config: Config) throws -> [GraphInput] {
    let inputs: [GraphInput]
    switch config.value {
    case .array(let values):
      inputs = try values.map { value in
        guard case .string(let name) = value.value else { throw refused(value) }
        return GraphInput(name: name, shape: nil, dtype: nil, location: value.location)
      }
    case .object(let entries): inputs = try entries.map(declared)
    default: throw refused(config)
    }
    guard !inputs.isEmpty else { throw refused(config) }
    var known: Set<String> = []
    for input in inputs {
      guard !input.name.isEmpty else { throw ConfigError("an input needs a name.", at: input.location) }
      guard known.insert(input.name).inserted else {
        throw ConfigError("two inputs are called '\(input.name)'. Give one of them another name.", at: input.location)
      }
    }
    return inputs
  }

  private static func declared(_ entry: Config.Entry) throws -> GraphInput {
    var settings = entry.value
    if case .array = settings.value { settings = Config(.object([Config.Entry("shape", settings)])) }
    let reader = try ConfigReader(settings, subject: "the input '\(entry.key)'")
    let location = entry.location ?? entry.value.location
    let shape = reader.has("shape") ? try reader.ints("shape", in: .counts) : nil
    let dtype = reader.has("dtype") ? try reader.choice("dtype", default: DType.float32) : nil
    try reader.finish()
    return GraphInput(name: entry.key, shape: shape, dtype: dtype, location: location)
  }

  private static func refused(_ config: Config) -> ConfigError {
    ConfigError("'inputs' needs \(kind); received \(config.summary).", at: config.location)
  }
}
