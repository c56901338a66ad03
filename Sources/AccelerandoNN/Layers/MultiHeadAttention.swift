// Attention: each position of a sequence combines the values of the positions that it attends to. The parameters have
// Keras' shapes.

import AccelerandoCore

/// Multi-head attention by Vaswani et al. (2017).
///
/// Inputs: query `[N, T, D]` and value `[N, S, E]`, key `[N, S, F]` if it is not the value, and a mask `[N, T, S]` or
/// `[N, heads, T, S]` of the pairs that may attend (not zero); a single input attends to itself. The result is
/// `[N, T, D]`, or `[N, T, outputShape…]`. With more axes than one between the first and the last, `attentionAxes` says
/// which ones positions are along; the others are like the batch.
///
/// Masks of query, value and key count too: no position attends to one where the mask is false.
public struct MultiHeadAttention: MergeLayer, ConfigurableLayer, TrainableLayer {
  /// The number of heads.
  public let headCount: Int
  /// The size of queries and keys in each head.
  public let keySize: Int
  /// The size of values in each head.
  public let valueSize: Int
  /// The axes of the result after the positions; the query's features for nil.
  public let outputShape: [Int]?
  /// The axes that positions are along; nil for all between the first and the last.
  public let attentionAxes: [Int]?
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
  ///   - headCount: the number of heads.
  ///   - keySize: the size of queries and keys in each head.
  ///   - valueSize: the size of values in each head; `keySize` for nil.
  ///   - outputShape: the axes of the result after the positions; the query's features for nil.
  ///   - attentionAxes: the axes that positions are along; nil for all between the first and the last.
  ///   - dropout: the probability of dropping an attention weight while training.
  ///   - usesBias: whether biases are added.
  ///   - usesGate: whether the result of each head is multiplied by a sigmoid of the query.
  ///   - isCausal: whether query i attends only to the keys 0 to i.
  ///   - slidingWindow: positions attend only to those nearer than this; nil for all.
  ///   - weightInitializer: of the kernels: `[features, heads, size]`, and `[heads, size, features]` for the output.
  ///   - biasInitializer: of the biases.
  ///   - name: the layer's name.
  public init(
    headCount: Int, keySize: Int, valueSize: Int? = nil, outputShape: [Int]? = nil, attentionAxes: [Int]? = nil,
    dropout: Double = 0, usesBias: Bool = true, usesGate: Bool = false, isCausal: Bool = false,
    slidingWindow: Int? = nil, weightInitializer: Initializer = .glorotUniform, biasInitializer: Initializer = .zeros,
    name: String? = nil
  ) {
    self.headCount = headCount
    self.keySize = keySize
    self.valueSize = valueSize ?? keySize
    self.outputShape = outputShape
    self.attentionAxes = attentionAxes
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
    let received = "received \(inputs.map { "\($0.shape)" }.joined(separator: ", "))."
    guard [first, source, keySource].allSatisfy({ $0.rank >= 3 && $0.rank == first.rank }) else {
      return first.rejected("needs sequences [N, length, features] of one batch, and a key for each value; \(received)")
    }
    guard let axes = AttentionAxes(first.shape, attentionAxes), let pairs = AttentionAxes(source.shape, attentionAxes)
    else {
      return first.rejected(
        "needs attention axes between the first and the last, each once; has \(attentionAxes ?? []) and \(received)")
    }
    guard axes.batch == pairs.batch, source.shape.dropLast() == keySource.shape.dropLast() else {
      return first.rejected("needs sequences [N, length, features] of one batch, and a key for each value; \(received)")
    }
    guard axes.positions.count == 1 || !isCausal && slidingWindow == nil else {
      return first.rejected(
        "needs one attention axis for a causal mask or a sliding window; positions are along \(axes.positions).")
    }
    let masks: [Tensor]
    do {
      masks = try self.masks(
        first, source, inputs.count > 2 ? keySource : nil, inputs.count > 3 ? inputs[3] : nil, axes, pairs)
    } catch {
      return first.rejected(error.message)
    }
    let positions = axes.sequences(first)
    let values = pairs.sequences(source)
    let attention = HeadAttention(
      isCausal: isCausal, slidingWindow: slidingWindow, dropout: dropout, zerosLonely: dropout > 0 || first.rank > 3)
    var context = attention(
      query.split(positions, heads: headCount, size: keySize, usesBias: usesBias, penalty: options.activityRegularizer),
      key.split(
        pairs.sequences(keySource), heads: headCount, size: keySize, usesBias: usesBias,
        penalty: options.activityRegularizer),
      value.split(values, heads: headCount, size: valueSize, usesBias: usesBias, penalty: options.activityRegularizer),
      masks: masks)
    if let gate {
      context =
        context
        * gate.split(
          positions, heads: headCount, size: valueSize, usesBias: usesBias, penalty: options.activityRegularizer
        ).sigmoid()
    }
    let features = outputShape ?? [first.dim(-1)]
    return axes.restored(attentionOutput.joined(context, features: features, usesBias: usesBias))
  }

  /// Which pairs may attend, `[batch, heads or 1, T or 1, S or 1]` each.
  private func masks(
    _ query: Tensor, _ value: Tensor, _ key: Tensor?, _ given: Tensor?, _ axes: AttentionAxes, _ pairs: AttentionAxes
  ) throws(GraphError) -> [Tensor] {
    var masks: [Tensor] = []
    if let mask = query.mask { masks.append(axes.sequences(mask: mask).expandingDims(1).expandingDims(3)) }
    for mask in [value.mask, key?.mask].compactMap({ $0 }) {
      masks.append(pairs.sequences(mask: mask).expandingDims(1).expandingDims(1))
    }
    if let given {
      let (batch, positions) = (axes.batch, axes.length + pairs.length)
      let sizes = [axes.length.elementCount, pairs.length.elementCount]
      switch given.shape {
      case batch + positions: masks.append(given.asPairMask.reshaped([batch.elementCount, 1] + sizes))
      case batch + [headCount] + positions:
        masks.append(given.asPairMask.reshaped([batch.elementCount, headCount] + sizes))
      default:
        throw GraphError(
          "needs a mask \(batch + positions), or \(batch + [headCount] + positions) for each head; received \(given.shape)."
        )
      }
    }
    return masks
  }

  public static var summary: String {
    "Attention over sequences [N, length, features], with several heads; one input attends to itself."
  }

  public init(config: ConfigReader) throws {
    // Keras takes a number or a list.
    let shape = try config.ints("output_shape", default: [], in: .counts)
    let axes = try config.ints("attention_axes", default: [])
    self.init(
      headCount: try config.int("num_heads", in: .counts), keySize: try config.int("key_dim", in: .counts),
      valueSize: try config.optionalInt("value_dim", in: .counts), outputShape: shape.isEmpty ? nil : shape,
      attentionAxes: axes.isEmpty ? nil : axes,
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
      "name": name.map { Config(.string($0)) }, "num_heads": Config(.int(headCount)),
      "key_dim": Config(.int(keySize)), "value_dim": Config(.int(valueSize)),
      "output_shape": outputShape.map { .ints($0) }, "attention_axes": attentionAxes.map { .ints($0) },
      "dropout": Config(.double(dropout)), "use_bias": Config(.bool(usesBias)),
      "use_gate": usesGate ? Config(.bool(true)) : nil, "use_causal_mask": Config(.bool(isCausal)),
      "sliding_window": slidingWindow.map { Config(.int($0)) },
      "kernel_initializer": try Catalog.initializers.config(of: query.kernel.initializer),
      "bias_initializer": try Catalog.initializers.config(of: query.bias.initializer),
    ])
  }
}
