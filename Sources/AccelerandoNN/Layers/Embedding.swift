// A vector for each of a number of things: words, categories.

import AccelerandoCore

/// The rows of a table that integers name: `[N, …]` to `[N, …, outputDim]`. An index outside of the table gives NaN,
/// which training notices, where a clamped index would quietly train the wrong row.
public struct Embedding: ConfigurableLayer {
  /// The number of rows: indices are 0 to `inputDim` − 1.
  public let inputDim: Int
  /// The size of a row.
  public let outputDim: Int
  public let name: String?
  let embeddings: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - inputDim: the number of vectors: indices are below it.
  ///   - outputDim: the size of each vector.
  ///   - initializer: of the table, `[inputDim, outputDim]`.
  ///   - name: the layer's name.
  public init(
    inputDim: Int, outputDim: Int, initializer: Initializer = .randomUniform(from: -0.05, to: 0.05),
    name: String? = nil
  ) {
    self.inputDim = inputDim
    self.outputDim = outputDim
    self.name = name
    embeddings = Parameter(initializer)
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard inputDim >= 1, outputDim >= 1 else {
      return x.rejected("needs sizes of at least 1; received inputDim \(inputDim) and outputDim \(outputDim).")
    }
    guard x.rank >= 1, x.dtype != .bool else {
      return x.rejected("needs integers [N, …]; received \(x.type).")
    }
    let indices = x.converted(to: .int32)
    let rows = embeddings[inputDim, outputDim].taking(indices)
    let count = indices.filled(Double(inputDim))
    let isKnown = indices.greaterOrEqual(to: indices.zerosLike()).and(indices.less(than: count))
    return select(isKnown.expandingDims(-1).broadcast(to: rows.shape), rows, rows.filled(.nan))
  }

  public init(config: ConfigReader) throws {
    self.init(
      inputDim: try config.int("input_dim"), outputDim: try config.int("output_dim"),
      initializer: try config.initializer("embeddings_initializer", default: .randomUniform(from: -0.05, to: 0.05)),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "input_dim": Config(.int(inputDim)),
      "output_dim": Config(.int(outputDim)),
      "embeddings_initializer": try Catalog.initializers.config(of: embeddings.initializer),
    ])
  }
}
