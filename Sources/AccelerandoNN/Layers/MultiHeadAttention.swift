// Attention: each position of a sequence combines the values of the positions that it attends to. The parameters have
// Keras' shapes.

import AccelerandoCore

/// Multi-head attention by Vaswani et al. (2017).
///
/// Inputs: query `[N, T, D]` and value `[N, S, E]`, key `[N, S, F]` if it is not the value, and a mask `[N, T, S]` or
/// `[N, heads, T, S]` of the pairs that may attend (not zero); a single input attends to itself. The result is
/// `[N, T, D]`, or `[N, T, outputSize]`.
///
/// Masks of query, value and key count too: no position attends to one where the mask is false.
public struct MultiHeadAttention: MergeLayer, ConfigurableLayer, TrainableLayer {
  /// A product with a kernel of several axes, and a bias.
  struct Projection: Sendable {
    let kernel: Parameter
    let bias: Parameter
  }

  /// The number of heads.
  public let headCount: Int
  /// The size of queries and keys in each head.
  public let keySize: Int
  /// The size of values in each head.
  public let valueSize: Int
  /// The size of the result; the query's for nil.
  public let outputSize: Int?
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
  ///   - headCount: the number of heads.
  ///   - keySize: the size of queries and keys in each head.
  ///   - valueSize: the size of values in each head; `keySize` for nil.
  ///   - outputSize: the number of output features; that of the query for nil.
  ///   - dropout: the probability of dropping an attention weight while training.
  ///   - usesBias: whether the projections add biases.
  ///   - isCausal: whether query i attends only to the keys 0 to i.
  ///   - weightInitializer: of the kernels: `[features, heads, size]`, and `[heads, size, features]` for the output.
  ///   - biasInitializer: of the biases.
  ///   - name: the layer's name.
  public init(
    headCount: Int, keySize: Int, valueSize: Int? = nil, outputSize: Int? = nil, dropout: Double = 0,
    usesBias: Bool = true, isCausal: Bool = false, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.headCount = headCount
    self.keySize = keySize
    self.valueSize = valueSize ?? keySize
    self.outputSize = outputSize
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

  /// Results belong to the positions of the query.
  public func outputMask(of inputs: [Tensor]) -> Tensor? { inputs.first?.mask }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
    guard inputs.count <= 4 else {
      return first.rejected("takes query, value, key and a mask; received \(inputs.count) inputs.")
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
    let allowed: Tensor?
    do {
      allowed = try mask(first, source, inputs.count > 2 ? keySource : nil, inputs.count > 3 ? inputs[3] : nil)
    } catch {
      return first.rejected(error.message)
    }
    let queries = split(first, query, keySize)
    let keys = split(keySource, key, keySize)
    let values = split(source, value, valueSize)
    let context: Tensor
    if let allowed {
      context = attended(queries, keys, values, allowed)
    } else if dropout > 0, let scope = Scope.current, scope.isTraining {
      let shares = [first.shape[0], headCount, first.shape[1], source.shape[1]]
      context = queries.attending(
        to: keys, values: values, isCausal: isCausal, dropout: dropout, random: scope.randomness(forShape: shares))
    } else {
      context = queries.attending(to: keys, values: values, isCausal: isCausal)
    }
    let joined = context.reshaped([context.shape[0], context.shape[1], headCount * valueSize])
    return output(joined, size: outputSize ?? first.shape[2])
  }

  /// Which pairs may attend, `[N or 1, heads or 1, T or 1, S]`; nil if no mask restricts them.
  private func mask(
    _ query: Tensor, _ value: Tensor, _ key: Tensor?, _ given: Tensor?
  ) throws(GraphError) -> Tensor? {
    var masks: [Tensor] = []
    if let mask = query.mask { masks.append(mask.expandingDims(1).expandingDims(3)) }
    for mask in [value.mask, key?.mask].compactMap({ $0 }) { masks.append(mask.expandingDims(1).expandingDims(1)) }
    let pairs = [query.shape[0], query.shape[1], value.shape[1]]
    if let given {
      let isAllowed = given.dtype == .bool ? given : given.notEqual(to: given.zerosLike())
      switch given.shape {
      case pairs: masks.append(isAllowed.expandingDims(1))
      case [pairs[0], headCount, pairs[1], pairs[2]]: masks.append(isAllowed)
      default:
        throw GraphError(
          "needs a mask \(pairs), or \([pairs[0], headCount, pairs[1], pairs[2]]) for each head; received \(given.shape)."
        )
      }
    }
    if masks.isEmpty { return nil }
    if isCausal {
      let type = TensorType(.int32, [1, 1, pairs[1], pairs[2]])
      masks.append(query.iota(type, axis: 2).greaterOrEqual(to: query.iota(type, axis: 3)))
    }
    return masks.dropFirst().reduce(masks[0]) { $0.and($1) }
  }

  /// Attention with a mask: where it is false, the share is zero. A query that may attend to nothing attends to everything
  /// alike, as in Keras.
  private func attended(_ queries: Tensor, _ keys: Tensor, _ values: Tensor, _ allowed: Tensor) -> Tensor {
    let graph = queries.graph
    let scores = graph.add(
      DotGeneral(leftBatching: [0, 2], rightBatching: [0, 2], leftContracting: [3], rightContracting: [3]),
      queries * (1 / Double(keySize).squareRoot()), keys)
    let isAllowed = allowed.broadcast(to: scores.shape)
    let lowest = scores.filled(scores.dtype == .float16 ? -3e4 : -1e9)
    var shares = select(isAllowed, scores, lowest).softmax()
    if dropout > 0, let scope = Scope.current, scope.isTraining { shares = scope.dropout(shares, rate: dropout) }
    return graph.add(
      DotGeneral(leftBatching: [0, 1], rightBatching: [0, 2], leftContracting: [3], rightContracting: [1]), shares,
      values
    ).transposed([0, 2, 1, 3])
  }

  /// `[N, T, features]` to `[N, T, heads, size]`. The bias is added while the heads are one axis: as in a dense layer,
  /// a backend can then do it together with the product.
  private func split(_ x: Tensor, _ projection: Projection, _ size: Int) -> Tensor {
    let kernel = projection.kernel[x.shape[2], headCount, size].reshaped([x.shape[2], headCount * size])
    let heads = [x.shape[0], x.shape[1], headCount, size]
    let product = x.matmul(kernel)
    let result = usesBias ? product + projection.bias[headCount, size].reshaped([headCount * size]) : product
    if let regularizer = options.activityRegularizer { Scope.current?.regularize(result, by: regularizer) }
    return result.reshaped(heads)
  }

  private func output(_ context: Tensor, size: Int) -> Tensor {
    let kernel = attentionOutput.kernel[headCount, valueSize, size].reshaped([headCount * valueSize, size])
    let product = context.matmul(kernel)
    return usesBias ? product + attentionOutput.bias[size] : product
  }

  public static var summary: String {
    "Attention over sequences [N, length, features], with several heads; one input attends to itself."
  }

  public init(config: ConfigReader) throws {
    // Keras takes a number or a list with one.
    let shape = try config.ints("output_shape", default: [], in: .counts)
    guard shape.count <= 1 else {
      throw config.refused("output_shape", "a whole number of at least 1, or a list of one")
    }
    self.init(
      headCount: try config.int("num_heads", in: .counts), keySize: try config.int("key_dim", in: .counts),
      valueSize: try config.optionalInt("value_dim", in: .counts), outputSize: shape.first,
      dropout: try config.double("dropout", default: 0, in: .fraction),
      usesBias: try config.bool("use_bias", default: true),
      isCausal: try config.bool("use_causal_mask", default: false),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "num_heads": Config(.int(headCount)),
      "key_dim": Config(.int(keySize)), "value_dim": Config(.int(valueSize)),
      "output_shape": outputSize.map { Config(.int($0)) }, "dropout": Config(.double(dropout)),
      "use_bias": Config(.bool(usesBias)), "use_causal_mask": Config(.bool(isCausal)),
      "kernel_initializer": try Catalog.initializers.config(of: query.kernel.initializer),
      "bias_initializer": try Catalog.initializers.config(of: query.bias.initializer),
    ])
  }
}
