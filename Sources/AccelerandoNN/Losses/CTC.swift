// Connectionist temporal classification: labels of a sequence without their places in it.

import AccelerandoCore

/// −log of the probability of all ways to place the labels, in order and with blanks between them, in the steps of a
/// sequence (Graves et al., 2006).
///
/// Predictions are logits `[N, T, classes]`, of which class 0 is the blank; targets class indices `[N, L]`, filled up with
/// zeros at the end.
public struct CTC: Loss, Hashable {
  /// Makes the loss.
  public init() {}

  public var name: String { "ctc" }
  public var unit: LossUnit { .sample }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let graph = prediction.graph
    guard prediction.rank == 3, target.rank == 2, prediction.shape[0] == target.shape[0], prediction.shape[1] > 0 else {
      graph.report(
        GraphError(
          "needs logits [N, T, classes] and class indices [N, L]; received \(prediction.type) and \(target.type).",
          path: ["loss '\(name)'"]))
      return prediction.perSample()
    }
    let logits = prediction.widened().logSoftmax()
    let (samples, steps, states) = (logits.shape[0], logits.shape[1], 2 * target.shape[1] + 1)
    let labels = target.converted(to: .int32)
    // Blank, label, blank, label, …, blank.
    let pairs = Tensor.concatenating([labels.zerosLike().expandingDims(2), labels.expandingDims(2)], axis: 2)
    let last = labels.scalar(0).broadcast(to: [samples, 1])
    let path = Tensor.concatenating([pairs.reshaped([samples, states - 1]), last], axis: 1)
    let isClass = path.isClass(of: logits.sliced(axis: 1, 0..<1).broadcast(to: [samples, states, logits.shape[2]]))
    let scores = einsum("ntc,nsc->nts", logits, isClass.converted(to: logits.dtype))
    let impossible = scores.scalar(Self.impossible)
    // A label may follow another one directly if it is another class.
    let place = path.iota(TensorType(.int32, path.shape), axis: 1)
    let skips = path.notEqual(to: path.shifted(by: 2, filling: path.scalar(0)))
      .and(path.notEqual(to: path.zerosLike())).and(place.greater(than: place.onesLike()))
    let skipCost = select(skips, scores.scalar(0).broadcast(to: path.shape), impossible.broadcast(to: path.shape))
    let rounds = scores.transposed([1, 0, 2])
    let first = rounds.sliced(axis: 0, 0..<1).reshaped([samples, states])
    let start = select(place.lessOrEqual(to: place.onesLike()), first, impossible.broadcast(to: path.shape))
    let sums = scan([rounds.sliced(axis: 0, 1..<steps)], initial: [start]) { carry, elements, _ in
      let sums = carry[0]
      let nothing = sums.scalar(Self.impossible)
      let ways = [sums, sums.shifted(by: 1, filling: nothing), sums.shifted(by: 2, filling: nothing) + skipCost]
      return ([Tensor.concatenating(ways.map { $0.expandingDims(2) }, axis: 2).logSumExp() + elements[0]], [])
    }.carry[0]
    let length = labels.notEqual(to: labels.zerosLike()).converted(to: .int32).sum(axes: [1], keepDims: true)
    let end = (length * 2).broadcast(to: path.shape)
    let isEnd = place.lessOrEqual(to: end).and(place.greaterOrEqual(to: end - 1))
    return -select(isEnd, sums, impossible.broadcast(to: path.shape)).logSumExp()
  }

  /// The logarithm of a probability of 0: far below all others, and finite, so that differences are too.
  private static let impossible = -1e30

  public func check(targets: NDArray, predictionShape: [Int]) throws {
    try checkClassIndices(targets, predictionShape: predictionShape)
  }
}

extension CTC: Configurable {
  public var configName: String { name }
  public static var summary: String {
    "The probability of labels in order, without their places; logits whose class 0 is the blank."
  }
  public func config() -> Config { Config([:]) }
  public init(config: ConfigReader) throws { self.init() }
}

extension Tensor {
  /// The elements of the second axis moved to higher places.
  fileprivate func shifted(by count: Int, filling value: Tensor) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let front = value.broadcast(to: [rows, Swift.min(count, columns)])
    guard columns > count else { return front }
    return Tensor.concatenating([front, sliced(axis: 1, 0..<columns - count)], axis: 1)
  }
}
