// Attention whose queries have more heads than keys and values: less to keep and to read for each position.

import AccelerandoCore

/// Grouped-query attention by Ainslie et al. (2023): the heads of the queries share those of keys and values in groups.
///
/// Inputs: query `[N, T, D]` and value `[N, S, E]`, and key `[N, S, F]` if it is not the value; a single input attends to
/// itself. The result is `[N, T, D]`.
public struct GroupQueryAttention: MergeLayer, ConfigurableLayer, TrainableLayer {
  /// A product with a kernel `[features, heads, size]`, and a bias.
  struct Projection: Sendable {
    let kernel: Parameter
    let bias: Parameter
  }

  /// The size of queries, keys and values in each head.
  public let headSize: Int
  /// The number of heads of the queries.
  public let queryHeadCount: Int
  /// The number of heads of keys and values, a divisor of the former.
  public let keyValueHeadCount: Int
  /// The probability of dropping an attention weight while training.
  public let dropout: Double
  /// Whether biases are added.
  public let usesBias: Bool
  /// Whether each position attends only to itself and those before it.
  public let isCausal: Bool
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["kernel": "kernel", "bias": "bias"] }
  let query: Projection
  let key: Projection
  let value: Projection
  let attentionOutput: Projection

  /// Makes the layer.
  /// - Parameters:
  ///   - headSize: the size of queries, keys and values in each head.
  ///   - queryHeadCount: the number of heads of the queries.
  ///   - keyValueHeadCount: the number of heads of keys and values, a divisor of the former.
  ///   - dropout: the probability of dropping an attention weight while training.
  ///   - usesBias: whether the projections add biases.
  ///   - isCausal: whether query i attends only to the keys 0 to i.
  ///   - weightInitializer: of the kernels.
  ///   - biasInitializer: of the biases.
  ///   - name: the layer's name.
  public init(
    headSize: Int, queryHeadCount: Int, keyValueHeadCount: Int, dropout: Double = 0, usesBias: Bool = true,
    isCausal: Bool = false, weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros,
    name: String? = nil
  ) {
    self.headSize = headSize
    self.queryHeadCount = queryHeadCount
    self.keyValueHeadCount = keyValueHeadCount
    self.dropout = dropout
    self.usesBias = usesBias
    self.isCausal = isCausal
    self.name = name
    func projection() -> Projection {
      Projection(kernel: Parameter(weightInitializer), bias: Parameter(biasInitializer))
    }
    query = projection()
    key = projection()
    value = projection()
    attentionOutput = projection()
  }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
    guard inputs.count <= 3 else {
      return first.rejected("takes query, value and key; received \(inputs.count) inputs.")
    }
    let source = inputs.count > 1 ? inputs[1] : first
    let keySource = inputs.count > 2 ? inputs[2] : source
    guard [first, source, keySource].allSatisfy({ $0.rank == 3 && $0.shape[0] == first.shape[0] }),
      source.shape[1] == keySource.shape[1]
    else {
      return first.rejected(
        "needs sequences [N, length, features] of one batch, and a key for each value; "
          + "received \(inputs.map { "\($0.shape)" }.joined(separator: ", ")).")
    }
    let queries = split(first, query, queryHeadCount)
    let keys = repeated(split(keySource, key, keyValueHeadCount))
    let values = repeated(split(source, value, keyValueHeadCount))
    var random: [Tensor] = []
    if dropout > 0, let scope = Scope.current, scope.isTraining {
      random = scope.randomness(forShape: [first.shape[0], queryHeadCount, first.shape[1], source.shape[1]])
    }
    let context = queries.attending(
      to: keys, values: values, isCausal: isCausal, dropout: random.isEmpty ? 0 : dropout, random: random)
    let size = first.shape[2]
    let kernel = attentionOutput.kernel[queryHeadCount, headSize, size].reshaped([queryHeadCount * headSize, size])
    let joined = context.reshaped([first.shape[0], first.shape[1], queryHeadCount * headSize]).matmul(kernel)
    let result = usesBias ? joined + attentionOutput.bias[size] : joined
    // As in Keras, once as the result of the last projection, and once more as that of the layer.
    if let regularizer = options.activityRegularizer { Scope.current?.regularize(result, by: regularizer) }
    return result
  }

  /// `[N, T, features]` to `[N, T, heads, size]`.
  private func split(_ x: Tensor, _ projection: Projection, _ heads: Int) -> Tensor {
    let kernel = projection.kernel[x.shape[2], heads, headSize].reshaped([x.shape[2], heads * headSize])
    let shape = [x.shape[0], x.shape[1], heads, headSize]
    let product = x.matmul(kernel)
    let result = usesBias ? product + projection.bias[heads, headSize].reshaped([heads * headSize]) : product
    if let regularizer = options.activityRegularizer { Scope.current?.regularize(result, by: regularizer) }
    return result.reshaped(shape)
  }

  /// Each head once for every query head that shares it.
  private func repeated(_ x: Tensor) -> Tensor {
    guard x.rank == 4, queryHeadCount != keyValueHeadCount else { return x }
    let group = queryHeadCount / max(keyValueHeadCount, 1)
    let spread = [x.shape[0], x.shape[1], x.shape[2], group, x.shape[3]]
    return x.broadcast(to: spread, axes: [0, 1, 2, 4])
      .reshaped([x.shape[0], x.shape[1], x.shape[2] * group, x.shape[3]])
  }

  public static var summary: String {
    "Attention over sequences [N, length, features], whose query heads share the heads of keys and values."
  }

  public init(config: ConfigReader) throws {
    let queryHeads = try config.int("num_query_heads", in: .counts)
    let heads = try config.int("num_key_value_heads", in: .counts)
    guard queryHeads % heads == 0 else {
      throw config.refused("num_key_value_heads", "a divisor of 'num_query_heads', \(queryHeads)")
    }
    self.init(
      headSize: try config.int("head_dim", in: .counts), queryHeadCount: queryHeads, keyValueHeadCount: heads,
      dropout: try config.double("dropout", default: 0, in: .fraction),
      usesBias: try config.bool("use_bias", default: true),
      isCausal: try config.bool("use_causal_mask", default: false),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "num_query_heads": Config(.int(queryHeadCount)),
      "num_key_value_heads": Config(.int(keyValueHeadCount)), "head_dim": Config(.int(headSize)),
      "dropout": Config(.double(dropout)), "use_bias": Config(.bool(usesBias)),
      "use_causal_mask": Config(.bool(isCausal)),
      "kernel_initializer": try Catalog.initializers.config(of: query.kernel.initializer),
      "bias_initializer": try Catalog.initializers.config(of: query.bias.initializer),
    ])
  }
}
