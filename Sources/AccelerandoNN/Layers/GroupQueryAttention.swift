// Attention whose queries have more heads than keys and values: less to keep and to read for each position.

import AccelerandoCore

/// Grouped-query attention by Ainslie et al. (2023): the heads of the queries share those of keys and values in groups.
///
/// Inputs: query `[N, T, D]` and value `[N, S, E]`, key `[N, S, F]` if it is not the value, and a mask `[N, T, S]` or
/// `[N, heads, T, S]` of the pairs that may attend (not zero); a single input attends to itself. The result is
/// `[N, T, D]`.
///
/// Masks of query, value and key count too: no position attends to one where the mask is false.
public struct GroupQueryAttention: MergeLayer, ConfigurableLayer, TrainableLayer {
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
  /// Whether the result of each head is multiplied by a gate, a sigmoid of the query.
  public let usesGate: Bool
  /// Whether each position attends only to itself and those before it.
  public let isCausal: Bool
  /// Positions attend only to those nearer than this; nil for all.
  public let slidingWindow: Int?
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["kernel": "kernel", "bias": "bias"] }
  let query: HeadProjection
  let key: HeadProjection
  let value: HeadProjection
  let gate: HeadProjection?
  let attentionOutput: HeadProjection

  /// Makes the layer.
  /// - Parameters:
  ///   - headSize: the size of queries, keys and values in each head.
  ///   - queryHeadCount: the number of heads of the queries.
  ///   - keyValueHeadCount: the number of heads of keys and values, a divisor of the former.
  ///   - dropout: the probability of dropping an attention weight while training.
  ///   - usesBias: whether the projections add biases.
  ///   - usesGate: whether the result of each head is multiplied by a sigmoid of the query.
  ///   - isCausal: whether query i attends only to the keys 0 to i.
  ///   - slidingWindow: positions attend only to those nearer than this; nil for all.
  ///   - weightInitializer: of the kernels.
  ///   - biasInitializer: of the biases.
  ///   - name: the layer's name.
  public init(
    headSize: Int, queryHeadCount: Int, keyValueHeadCount: Int, dropout: Double = 0, usesBias: Bool = true,
    usesGate: Bool = false, isCausal: Bool = false, slidingWindow: Int? = nil,
    weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.headSize = headSize
    self.queryHeadCount = queryHeadCount
    self.keyValueHeadCount = keyValueHeadCount
    self.dropout = dropout
    self.usesBias = usesBias
    self.usesGate = usesGate
    self.isCausal = isCausal
    self.slidingWindow = slidingWindow
    self.name = name
    query = HeadProjection(weightInitializer, biasInitializer)
    key = HeadProjection(weightInitializer, biasInitializer)
    value = HeadProjection(weightInitializer, biasInitializer)
    gate = usesGate ? HeadProjection(weightInitializer, biasInitializer) : nil
    attentionOutput = HeadProjection(weightInitializer, biasInitializer, inputs: 2)
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
    var masks: [Tensor] = []
    if let mask = first.mask { masks.append(mask.expandingDims(1).expandingDims(3)) }
    for mask in [source.mask, inputs.count > 2 ? keySource.mask : nil].compactMap({ $0 }) {
      masks.append(mask.expandingDims(1).expandingDims(1))
    }
    if inputs.count > 3 {
      let pairs = [first.shape[0], first.shape[1], source.shape[1]]
      let forHeads = [pairs[0], queryHeadCount, pairs[1], pairs[2]]
      guard inputs[3].shape == pairs || inputs[3].shape == forHeads else {
        return first.rejected("needs a mask \(pairs), or \(forHeads) for each head; received \(inputs[3].shape).")
      }
      masks.append(inputs[3].shape == pairs ? inputs[3].asPairMask.expandingDims(1) : inputs[3].asPairMask)
    }
    let attention = HeadAttention(
      isCausal: isCausal, slidingWindow: slidingWindow, dropout: dropout, zerosLonely: dropout > 0)
    func split(_ x: Tensor, _ projection: HeadProjection, _ heads: Int) -> Tensor {
      projection.split(x, heads: heads, size: headSize, usesBias: usesBias, penalty: options.activityRegularizer)
    }
    var context = attention(
      split(first, query, queryHeadCount), repeated(split(keySource, key, keyValueHeadCount)),
      repeated(split(source, value, keyValueHeadCount)), masks: masks)
    if let gate { context = context * split(first, gate, queryHeadCount).sigmoid() }
    let result = attentionOutput.joined(context, features: [first.shape[2]], usesBias: usesBias)
    // As in Keras, once as the result of the last projection, and once more as that of the layer.
    if let regularizer = options.activityRegularizer { Scope.current?.regularize(result, by: regularizer) }
    return result
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
      usesBias: try config.bool("use_bias", default: true), usesGate: try config.bool("use_gate", default: false),
      isCausal: try config.bool("use_causal_mask", default: false),
      slidingWindow: try config.optionalInt(
        "sliding_window", in: .counts, about: "Positions attend only to those nearer than this"),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "num_query_heads": Config(.int(queryHeadCount)),
      "num_key_value_heads": Config(.int(keyValueHeadCount)), "head_dim": Config(.int(headSize)),
      "dropout": Config(.double(dropout)), "use_bias": Config(.bool(usesBias)),
      "use_gate": usesGate ? Config(.bool(true)) : nil, "use_causal_mask": Config(.bool(isCausal)),
      "sliding_window": slidingWindow.map { Config(.int($0)) },
      "kernel_initializer": try Catalog.initializers.config(of: query.kernel.initializer),
      "bias_initializer": try Catalog.initializers.config(of: query.bias.initializer),
    ])
  }
}
