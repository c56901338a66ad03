// A vector for each of a set of items: words, categories.

import AccelerandoCore

/// The rows of a table selected by integers: `[N, …]` to `[N, …, outputDim]`. An index outside the table gives NaN,
/// which training notices, where a clamped index would quietly train the wrong row.
public struct Embedding: ConfigurableLayer, TrainableLayer {
  /// The number of rows: indices are 0 to `inputDim` − 1.
  public let inputDim: Int
  /// The size of a row.
  public let outputDim: Int
  /// Whether index 0 only fills up sequences: the result has a mask that is false there.
  public let masksZero: Bool
  /// The low-rank change that is trained in the place of the table; nil if the table is trained.
  public let lora: LowRankAdaptation?
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["embeddings": "embeddings"] }
  let embeddings: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - inputDim: the number of vectors: indices are below it.
  ///   - outputDim: the size of each vector.
  ///   - initializer: of the table, `[inputDim, outputDim]`.
  ///   - masksZero: whether index 0 only fills up sequences, and later layers skip it.
  ///   - lora: the rank and scale of a change that is trained in the place of the table.
  ///   - name: the layer's name.
  public init(
    inputDim: Int, outputDim: Int, initializer: Initializer = .randomUniform(from: -0.05, to: 0.05),
    masksZero: Bool = false, lora: LowRankAdaptation? = nil, name: String? = nil
  ) {
    self.inputDim = inputDim
    self.outputDim = outputDim
    self.masksZero = masksZero
    self.lora = lora
    self.name = name
    embeddings = Parameter(initializer, role: lora == nil ? .trainable : .state)
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1, x.dtype != .bool else {
      return x.rejected("needs integers [N, …]; received \(x.type).")
    }
    let indices = x.converted(to: .int32)
    Scope.current?.willLookUp(x, rows: inputDim)
    var rows = embeddings[inputDim, outputDim].taking(indices)
    if let lora {
      let (a, b) = lora.factors(of: [inputDim, outputDim])
      rows = rows + a.taking(indices).matmul(b) * lora.scale
    }
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
      masksZero: try config.bool("mask_zero", default: false), lora: try config.lowRankAdaptation(),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [
        ("input_dim", Config(.int(inputDim))), ("output_dim", Config(.int(outputDim))),
        ("mask_zero", Config(.bool(masksZero))),
      ] + LowRankAdaptation.entries(lora)
        + [("embeddings_initializer", try Catalog.initializers.config(of: embeddings.initializer))])
  }
}
