// Attention without projections: the inputs are queries, values and keys as they are.

import AccelerandoCore

/// The score of a query and a key.
public enum AttentionScore: String, Hashable, Sendable, CaseIterable {
  /// Their product.
  case dot
  /// A trained number times the sum of tanh(query + key).
  case concat
}

/// Attention by products (Luong et al., 2015): each query gets the mean of the values, weighted by the softmax of its scores.
///
/// Inputs: query `[N, T, D]`, value `[N, S, E]`, and key `[N, S, D]` if it is not the value. The result is `[N, T, E]`. Where the
/// mask of the value is false, its positions count in no mean; where that of the query is, the result is zero.
public struct Attention: MergeLayer, ConfigurableLayer, TrainableLayer {
  /// Whether scores are multiplied by a trained number.
  public let usesScale: Bool
  /// How scores are computed.
  public let score: AttentionScore
  /// The probability of dropping an attention weight while training.
  public let dropout: Double
  /// Whether each position attends only to itself and those before it.
  public let isCausal: Bool
  public let name: String?
  public var options = LayerOptions()
  let scale: Parameter
  let concatScoreWeight: Parameter

  /// Makes the layer.
  public init(
    usesScale: Bool = false, score: AttentionScore = .dot, dropout: Double = 0, isCausal: Bool = false,
    name: String? = nil
  ) {
    self.usesScale = usesScale
    self.score = score
    self.dropout = dropout
    self.isCausal = isCausal
    self.name = name
    scale = Parameter(.ones)
    concatScoreWeight = Parameter(.ones)
  }

  /// Results belong to the positions of the query.
  public func outputMask(of inputs: [Tensor]) -> Tensor? { inputs.first?.mask }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let (query, value, key) = attentionInputs(inputs) else { return rejectedInput(inputs) }
    if score == .dot, value.mask == nil {
      let queries = usesScale ? query * scale[] : query
      var random: [Tensor] = []
      if dropout > 0, let scope = Scope.current, scope.isTraining {
        random = scope.randomness(forShape: [query.shape[0], 1, query.shape[1], value.shape[1]])
      }
      return queries.expandingDims(2).attending(
        to: key.expandingDims(2), values: value.expandingDims(2), scale: 1, isCausal: isCausal,
        dropout: random.isEmpty ? 0 : dropout, random: random
      ).reshaped([query.shape[0], query.shape[1], value.shape[2]]).zeroed(by: query.mask)
    }
    if score == .dot {
      let scores = (usesScale ? query * scale[] : query).matmul(key.transposed([0, 2, 1]))
      return scores.attended(value, isCausal: isCausal, dropout: dropout).zeroed(by: query.mask)
    }
    let sums = query.expandingDims(2) + key.expandingDims(1)
    let scores = (usesScale ? sums * scale[] : sums).tanh().sum(axes: [3]) * concatScoreWeight[]
    return scores.attended(value, isCausal: isCausal, dropout: dropout).zeroed(by: query.mask)
  }

  public static var summary: String {
    "Attention by products of query and key, without projections; inputs are query, value and, optionally, key."
  }

  public init(config: ConfigReader) throws {
    self.init(
      usesScale: try config.bool("use_scale", default: false), score: try config.choice("score_mode", default: .dot),
      dropout: try config.double("dropout", default: 0, in: .fraction),
      isCausal: try config.bool("use_causal_mask", default: false), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("use_scale", Config(.bool(usesScale))), ("score_mode", Config(.string(score.rawValue))),
        ("dropout", Config(.double(dropout))), ("use_causal_mask", Config(.bool(isCausal))),
      ])
  }
}

/// Attention by sums (Bahdanau et al., 2015): the score of a query and a key is Σ scale · tanh(query + key).
///
/// Inputs: query `[N, T, D]`, value `[N, S, E]`, and key `[N, S, D]` if it is not the value. The result is `[N, T, E]`. Where the
/// mask of the value is false, its positions count in no mean; where that of the query is, the result is zero.
public struct AdditiveAttention: MergeLayer, ConfigurableLayer, TrainableLayer {
  /// Whether there is a trained factor for each feature.
  public let usesScale: Bool
  /// The probability of dropping an attention weight while training.
  public let dropout: Double
  /// Whether each position attends only to itself and those before it.
  public let isCausal: Bool
  public let name: String?
  public var options = LayerOptions()
  let scale: Parameter

  /// Makes the layer.
  public init(usesScale: Bool = true, dropout: Double = 0, isCausal: Bool = false, name: String? = nil) {
    self.usesScale = usesScale
    self.dropout = dropout
    self.isCausal = isCausal
    self.name = name
    scale = Parameter(.glorotUniform)
  }

  /// Results belong to the positions of the query.
  public func outputMask(of inputs: [Tensor]) -> Tensor? { inputs.first?.mask }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let (query, value, key) = attentionInputs(inputs) else { return rejectedInput(inputs) }
    let sums = (query.expandingDims(2) + key.expandingDims(1)).tanh()
    let scores = (usesScale ? sums * scale[query.shape[2]] : sums).sum(axes: [3])
    return scores.attended(value, isCausal: isCausal, dropout: dropout).zeroed(by: query.mask)
  }

  public static var summary: String {
    "Attention by sums of query and key, without projections; inputs are query, value and, optionally, key."
  }

  public init(config: ConfigReader) throws {
    self.init(
      usesScale: try config.bool("use_scale", default: true),
      dropout: try config.double("dropout", default: 0, in: .fraction),
      isCausal: try config.bool("use_causal_mask", default: false), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("use_scale", Config(.bool(usesScale))), ("dropout", Config(.double(dropout))),
        ("use_causal_mask", Config(.bool(isCausal))),
      ])
  }
}

/// Query, value and key, if they fit together; otherwise reports what is wrong.
private func attentionInputs(_ inputs: [Tensor]) -> (query: Tensor, value: Tensor, key: Tensor)? {
  guard inputs.count == 2 || inputs.count == 3, inputs.allSatisfy({ $0.rank == 3 }),
    inputs.allSatisfy({ $0.shape[0] == inputs[0].shape[0] }), inputs[1].shape[1] == inputs[inputs.count - 1].shape[1],
    inputs[0].shape[2] == inputs[inputs.count - 1].shape[2]
  else { return nil }
  return (inputs[0], inputs[1], inputs[inputs.count - 1])
}

private func rejectedInput(_ inputs: [Tensor]) -> Tensor {
  guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
  return first.rejected(
    "needs a query [N, T, D], a value [N, S, E] and, optionally, a key [N, S, D], which is the value otherwise; received "
      + "\(inputs.map { "\($0.shape)" }.joined(separator: ", ")).")
}

extension Tensor {
  /// The values `[N, S, E]` weighted by the softmax of these scores, `[N, T, S]`: `[N, T, E]`.
  fileprivate func attended(_ values: Tensor, isCausal: Bool, dropout: Double) -> Tensor {
    var allowed: [Tensor] = []
    if let mask = values.mask { allowed.append(mask.expandingDims(1).broadcast(to: shape)) }
    if isCausal {
      let places = TensorType(.int32, [shape[1], shape[2]])
      allowed.append(iota(places, axis: 0).greaterOrEqual(to: iota(places, axis: 1)).broadcast(to: shape))
    }
    var scores = self
    if let first = allowed.first {
      let isSeen = allowed.dropFirst().reduce(first) { $0.and($1) }
      // As in Keras: a query that sees nothing has the mean of all.
      scores = select(isSeen, self, self - (dtype == .float16 ? 65504 : 1e9))
    }
    var shares = scores.softmax()
    if dropout > 0, let scope = Scope.current, scope.isTraining { shares = scope.dropout(shares, rate: dropout) }
    return shares.matmul(values)
  }

  /// Zero where a mask of the positions is false.
  fileprivate func zeroed(by mask: Tensor?) -> Tensor {
    mask.map { select($0.expandingDims(-1).broadcast(to: shape), self, zerosLike()) } ?? self
  }
}
