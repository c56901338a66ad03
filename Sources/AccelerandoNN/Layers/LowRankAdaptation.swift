// LoRA (Hu et al., 2021): a trained layer is fitted to new data by a change of low rank. The layer's own weight is kept as it
// is, so that a few numbers are trained and saved instead of many.

import AccelerandoCore

/// A change `alpha / rank · A · B` of a weight, of which A and B are trained and the weight is not.
public struct LowRankAdaptation: Sendable {
  /// The number of columns of A, and of rows of B.
  public let rank: Int
  /// The factor, times the rank.
  public let alpha: Double
  let loraA: Parameter
  let loraB: Parameter

  /// Describes a change. A starts at random and B with zeros, so that training starts at the weight itself.
  /// - Parameters:
  ///   - rank: the number of columns of A, and of rows of B.
  ///   - alpha: the factor of the change, times the rank; the rank for nil, so that the factor is 1.
  public init(rank: Int, alpha: Double? = nil) {
    self.rank = rank
    self.alpha = alpha ?? Double(rank)
    loraA = Parameter(.heUniform)
    loraB = Parameter(.zeros)
  }

  /// The factor.
  var scale: Double { alpha / Double(max(rank, 1)) }

  /// A and B for a weight of a shape: `[…, rank]` and `[rank, last]`.
  func factors(of shape: [Int]) -> (a: Tensor, b: Tensor) {
    (loraA[shape: shape.dropLast() + [rank]], loraB[rank, shape.last ?? 1])
  }

  /// The change of a weight of a shape.
  func change(of shape: [Int]) -> Tensor {
    let (a, b) = factors(of: shape)
    return (a.rank == 1 ? a.reshaped([1, rank]).matmul(b).reshaped(shape) : a.matmul(b)) * scale
  }

  /// The settings for files.
  static func entries(_ lora: LowRankAdaptation?) -> [(String, Config?)] {
    [("lora_rank", lora.map { Config(.int($0.rank)) }), ("lora_alpha", lora.map { Config(.double($0.alpha)) })]
  }
}

extension ConfigReader {
  /// A low-rank change, if a rank is set.
  func lowRankAdaptation() throws -> LowRankAdaptation? {
    let rank = try optionalInt(
      "lora_rank", in: .counts, about: "The weight is not trained, but a change of this rank")
    let alpha = try optionalDouble("lora_alpha", about: "The factor of the change, times the rank")
    return rank.map { LowRankAdaptation(rank: $0, alpha: alpha) }
  }
}
