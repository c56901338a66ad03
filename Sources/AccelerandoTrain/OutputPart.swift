// The part of a step that is about one output: the sum of its losses, and what its metrics add to their totals.

import AccelerandoCore
import AccelerandoNN

/// A step's part of a running total, over all workers.
typealias Addend = (total: Total, value: Tensor)

/// An output in a step that is being traced.
struct OutputPart {
  let task: OutputTask
  let prediction: Tensor
  let target: Tensor
  /// The weights of the samples, or of their elements; nil for equal weights.
  let weights: Tensor?
  /// Which places of the prediction count, `[N, T]`; nil if all do.
  let mask: Tensor?
  /// The worker's part of the batch, if several share it.
  let share: BatchShare?
  let signature: StepSignature

  private var graph: Graph { prediction.graph }
  private var place: [String] { task.output.map { ["output '\($0)'"] } ?? [] }

  /// The worker's own part of the sum of the losses, Σ(weight · loss), and what it adds to the total. Gradients are
  /// summed over the workers, so that each sample counts the same.
  func lossSum(_ loss: any Loss) -> (sum: Tensor, total: Tensor) {
    graph.path = place + ["loss '\(loss.name)'"]
    var values: Tensor
    var weights = weights
    if let places = placeWeights() {
      values = weighted(loss, by: places)
      weights = nil
    } else {
      values = loss.values(prediction, target)
    }
    if values.shape != [signature.count] {
      graph.report(
        GraphError("a loss gives one value for each of \(signature.count) samples; received \(values.type)."))
      values = target.scalar(0).converted(to: .float32).broadcast(to: [signature.count])
    }
    if let weights { values = values * weights.converted(to: values.dtype) }
    let sum = (share?.masked(values) ?? values).sum()
    graph.path = []
    return (sum, signature.count > Tensor.mostAddends ? total(values) : share?.summed(sum) ?? sum)
  }

  /// What each place of a sequence counts: its weight, and by the mask nothing or, as in Keras, so much more that the
  /// places that count have a mean of one. Nil where samples count as a whole.
  private func placeWeights() -> Tensor? {
    guard let mask, mask.rank == 2, Array(target.shape.prefix(2)) == mask.shape else {
      return weights.flatMap { $0.rank > 1 ? $0 : nil }
    }
    let counts = mask.converted(to: .float32)
    let rows = counts.sum(axes: [1])
    let sum = (share?.masked(rows) ?? rows).sum()
    let all = Double(signature.globalCount) * Double(mask.shape[1])
    let factors = counts * (sum.scalar(all) / (share?.summed(sum) ?? sum).maximum(1))
    guard let weights = weights?.converted(to: .float32) else { return factors }
    if weights.rank == 1 { return factors * weights.expandingDims(1) }
    return weights.type.elementCount == factors.type.elementCount ? factors * weights.reshaped(factors.shape) : weights
  }

  /// The loss of each sample, the weighted mean over its places.
  private func weighted(_ loss: any Loss, by weights: Tensor) -> Tensor {
    var shape = weights.shape
    while shape.count > 2, shape.last == 1 { shape.removeLast() }
    guard Array(prediction.shape.prefix(shape.count)) == shape, Array(target.shape.prefix(shape.count)) == shape else {
      graph.report(
        GraphError(
          "needs weights of the places of the prediction \(prediction.shape) and the labels \(target.shape); "
            + "received \(weights.shape)."))
      return loss.values(prediction, target)
    }
    // A place is to the loss what a sample is.
    let values = loss.values(
      flattened(prediction, shape), target.reshaped([shape.elementCount] + target.shape.dropFirst(shape.count)))
    return (values * weights.reshaped(values.shape).converted(to: values.dtype)).reshaped(shape).perSample()
  }

  /// `[N, T, …]` as `[N · T, …]`. Losses look for a final softmax or sigmoid, which therefore stays last.
  private func flattened(_ x: Tensor, _ places: [Int]) -> Tensor {
    let shape = [places.elementCount] + x.shape.dropFirst(places.count)
    switch x.definition?.operation {
    case let softmax as AccelerandoCore.Softmax where softmax.axis == x.rank - 1 && x.rank > places.count:
      return x.definition?.operands[0].reshaped(shape).softmax() ?? x.reshaped(shape)
    case let unary as Unary where unary.function == .logistic:
      return x.definition?.operands[0].reshaped(shape).sigmoid() ?? x.reshaped(shape)
    default: return x.reshaped(shape)
    }
  }

  /// The sum of a number of each sample, over all workers.
  private func total(_ values: Tensor) -> Tensor {
    let sum = (share?.masked(values) ?? values).sumOfSamples()
    return share?.summed(sum) ?? sum
  }

  /// What the samples add to the totals of the metrics.
  func metricTotals() -> [Addend] {
    var totals: [Addend] = []
    if let weights, weights.rank > 1, task.metrics.contains(where: \.isWeighted) {
      graph.report(GraphError("weighted metrics need one weight for each sample; received \(weights.shape)."))
    }
    for watch in task.metrics {
      graph.path = place + ["metric '\(watch.metric.name)'"]
      let sums = watch.metric.sums(prediction, target, weights: factors(watch.isWeighted ? weights : nil))
      let names = watch.metric.stateNames
      if sums.count != names.count {
        graph.report(GraphError("a metric with the state \(names) gives as many sums; received \(sums.count)."))
      }
      graph.path = []
      for (name, sum) in zip(names, sums) {
        totals.append((.metric(watch.label, state: name), share?.summed(sum) ?? sum))
      }
    }
    if task.metrics.contains(where: \.isWeighted) {
      let sum = weights.map(total) ?? target.constant(NDArray(scalar: Double(signature.globalCount)))
      totals.append((.weights(task.output), sum))
    }
    return totals
  }

  /// What each row counts in a metric: its weight, and 0 where a row only fills up; nil where all rows count 1.
  private func factors(_ weights: Tensor?) -> Tensor? {
    guard let mask = share?.mask else { return weights }
    return weights.map { $0 * mask.converted(to: $0.dtype) } ?? mask
  }
}
