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
    if let places = weights, places.rank > 1 {
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

  /// The loss of each sample, the weighted mean over its elements.
  private func weighted(_ loss: any Loss, by weights: Tensor) -> Tensor {
    guard let values = (loss as? any PlacewiseLoss)?.placeValues(prediction, target),
      values.shape.elementCount == weights.shape.elementCount
    else {
      graph.report(GraphError("weights for each place \(weights.shape) need a loss with a value for each place."))
      return loss.values(prediction, target)
    }
    return (values * weights.reshaped(values.shape).converted(to: values.dtype)).perSample()
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
