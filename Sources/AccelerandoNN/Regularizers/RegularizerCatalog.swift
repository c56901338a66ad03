// Regularizers by Keras' names, for recipes and saved models. A single number stands for the factor: `{l2: 0.01}`.

import AccelerandoCore

extension Catalog where Item == any Regularizer {
  /// The built-in regularizers.
  public static var regularizers: Catalog { builtInRegularizers }
}

/// Made once: every layer that is traced asks for it.
private let builtInRegularizers: Catalog<any Regularizer> = {
  Catalog("regularizer")
    .adding("l1", number: "l1", "l1 · Σ|x|.") { L1(try $0.double("l1", default: 0.01, in: .notNegative)) }
    .adding("l2", number: "l2", "l2 · Σx².") { L2(try $0.double("l2", default: 0.01, in: .notNegative)) }
    .adding("l1_l2", "l1 · Σ|x| + l2 · Σx².") { reader in
      // The name alone means both; of an object, what it says.
      let fallback = reader.isDescribing || !(reader.has("l1") || reader.has("l2")) ? 0.01 : 0
      return L1L2(
        l1: try reader.double("l1", default: fallback, in: .notNegative),
        l2: try reader.double("l2", default: fallback, in: .notNegative))
    }
    .adding(
      "orthogonal", aliases: ["orthogonal_regularizer"], number: "factor",
      "factor · the mean magnitude of the products of different rows, or columns, of length 1."
    ) {
      OrthogonalRegularizer(
        try $0.double("factor", default: 0.01, in: .notNegative), mode: try $0.choice("mode", default: .rows))
    }
}()

extension L1: Configurable {
  public var configName: String { "l1" }
  public func config() -> Config { Config(["l1": Config(.double(factor))]) }
}

extension L2: Configurable {
  public var configName: String { "l2" }
  public func config() -> Config { Config(["l2": Config(.double(factor))]) }
}

extension L1L2: Configurable {
  public var configName: String { "l1_l2" }
  public func config() -> Config { Config(["l1": Config(.double(l1)), "l2": Config(.double(l2))]) }
}

extension OrthogonalRegularizer: Configurable {
  public var configName: String { "orthogonal" }
  public func config() -> Config {
    Config(["factor": Config(.double(factor)), "mode": Config(.string(mode.rawValue))])
  }
}

extension ConfigReader {
  /// A regularizer by name or as an object, if it is set; `{l1: 0.1, l2: 0.2}` means both.
  public func regularizer(_ key: String) throws -> (any Regularizer)? {
    let kind = "a regularizer, like l2, {l2: 0.01} or {l1: 0.01, l2: 0.01}"
    guard let value = value(key, kind: kind) else { return nil }
    if case .object(let entries) = value.value, Set(entries.map(\.key)) == ["l1", "l2"] {
      return try Catalog.regularizers.make(Config(.object([Config.Entry("l1_l2", value)]), at: value.location))
    }
    return try Catalog.regularizers.make(value)
  }
}
