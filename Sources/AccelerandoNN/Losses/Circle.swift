// A loss of embeddings: samples of one class are to be near each other, others far away.

import AccelerandoCore

/// Circle loss of Sun et al. (2020) over all pairs of a batch. Predictions are embeddings of length 1, `[N, size]`; targets
/// class indices `[N]`.
public struct Circle: Loss, Hashable {
  /// The scale of the cosines.
  public let gamma: Double
  /// How far pairs may be from their best.
  public let margin: Double
  /// Whether a sample is no pair with itself.
  public let removesDiagonal: Bool

  /// Makes the loss.
  public init(gamma: Double = 80, margin: Double = 0.4, removesDiagonal: Bool = true) {
    self.gamma = gamma
    self.margin = margin
    self.removesDiagonal = removesDiagonal
  }

  public var name: String { "circle" }

  public var unit: LossUnit { .sample }

  /// The mean is that of the samples that have a loss at all.
  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? {
    let losses = values(prediction, target)
    return losses.greater(than: losses.zerosLike())
  }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    guard prediction.rank == 2 else {
      prediction.graph.report(
        GraphError("needs embeddings [N, size]; received \(prediction.type).", path: ["loss '\(name)'"]))
      return prediction.perSample()
    }
    let embeddings = prediction.widened()
    let labels = target.labels(for: embeddings, of: "loss '\(name)'", otherwise: "class indices")
    let share = Scope.current?.share
    // Pairs are those with all samples of the batch, whichever worker has them.
    let others = share?.gathered(embeddings) ?? embeddings
    let otherLabels = share?.gathered(labels.converted(to: .float64)).converted(to: .int32) ?? labels
    let distances = (1 - embeddings.matmul(others.transposed())).maximum(0)
    let isSame = labels.expandingDims(1).equal(to: otherLabels.expandingDims(0))
    let order = TensorType(.int32, isSame.shape)
    let place = labels.iota(order, axis: 0)
    let number = share.map { place + $0.offset.broadcast(to: place.shape) } ?? place
    let isOther = number.notEqual(to: labels.iota(order, axis: 1))
    let isPositive = removesDiagonal ? isSame.and(isOther) : isSame
    let positive = (distances + margin) * (margin - distances) * -gamma
    let negative = (1 + margin - distances).maximum(0) * (1 - margin - distances) * gamma
    let sum = positive.logSum(where: isPositive) + negative.logSum(where: !isSame)
    // log(1 + eˣ); without any pair of a kind, x is −∞ and the loss 0.
    return sum.maximum(0) + (-sum.abs()).exp().log1p()
  }
}

extension Circle: Configurable {
  public var configName: String { name }
  public static var summary: String { "Embeddings of one class near each other, others far away; class indices." }
  public func config() -> Config {
    Config([
      "gamma": Config(.double(gamma)), "margin": Config(.double(margin)),
      "remove_diagonal": Config(.bool(removesDiagonal)),
    ])
  }
  public init(config: ConfigReader) throws {
    self.init(
      gamma: try config.double("gamma", default: 80, in: .positive),
      margin: try config.double("margin", default: 0.4, in: .fraction),
      removesDiagonal: try config.bool("remove_diagonal", default: true))
  }
}

extension Tensor {
  /// log Σ eˣ over the second axis, of the chosen elements; far below any number if there are none.
  fileprivate func logSum(where isChosen: Tensor) -> Tensor {
    select(isChosen, self, filled(-1e30)).logSumExp()
  }
}
