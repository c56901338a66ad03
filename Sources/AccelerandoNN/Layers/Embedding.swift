// A vector for each of a set of items: words, categories.

import AccelerandoCore

/// The rows of a table selected by integers: `[N, …]` to `[N, …, outputDim]`. An index outside the table gives NaN,
/// which which training notices, where a clamped index would quietly train the wrong row.
public struct Embedding: ConfigurableLayer {
  /// The number of rows: indices are 0 to `inputDim` − 1.
  public let inputDim: Int
  /// The size of a row.
  public let outputDim: Int
  /// Whether index 0 only fills up sequences: the result has a mask that is false there.
  public let masksZero: Bool
  public let name: String?
  let embeddings: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - inputDim: the number of vectors: indices are below it.
  ///   - outputDim: the size of each vector.
  ///   - initializer: of the table, `[inputDim, outputDim]`.
  ///   - masksZero: whether index 0 only fills up sequences, and later layers skip it.
  ///   - name: the layer's name.
  public init(
    inputDim: Int, outputDim: Int, initializer: Initializer = .randomUniform(from: -0.05, to: 0.05),
    masksZero: Bool = false, name: String? = nil
  ) {
    self.inputDim = inputDim
    self.outputDim = outputDim
    self.masksZero = masksZero
    self.name = name
    embeddings = Parameter(initializer)
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1, x.dtype != .bool else {
      return x.rejected("needs integers [N, …]; received \(x.type).")
    }
    let indices = x.converted(to: .int32)
    Scope.current?.willLookUp(x, rows: inputDim)
    let rows = embeddings[inputDim, outputDim].taking(indices)
    let count = indices.filled(Double(inputDim))
    let isKnown = indices.greaterOrEqual(to: indices.zerosLike()).and(indices.less(than: count))
    return select(isKnown.expandingDims(-1).broadcast(to: rows.shape), rows, rows.filled(.nan))
      .masked(by: masksZero ? indices.notEqual(to: indices.zerosLike()) : nil)
  }

  public static var summary: String { "Rows of a trained table by their indices: [N, …] to [N, …, output_dim]." }

  public init(config: ConfigReader) throws {
    self.init(
      inputDim: try config.int("input_dim", in: .counts), outputDim: try config.int("output_dim", in: .counts),
      initializer: try config.initializer("embeddings_initializer", default: .randomUniform(from: -0.05, to: 0.05)),
      masksZero: try config.bool("mask_zero", default: false), name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "input_dim": Config(.int(inputDim)),
      "output_dim": Config(.int(outputDim)),
      "mask_zero": Config(.bool(masksZero)),
      "embeddings_initializer": try Catalog.initializers.config(of: embeddings.initializer),
    ])
  }
}
