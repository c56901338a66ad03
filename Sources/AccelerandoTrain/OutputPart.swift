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
  /// The part that each sample keeps of itself where samples are mixed, and the targets of those that they are mixed with.
  let mix: (kept: Tensor, targets: Tensor)?
  let signature: StepSignature

  private var graph: Graph { prediction.graph }
  private var place: [String] { task.output.map { ["output '\($0)'"] } ?? [] }

  /// The worker's own part of the sum of the losses, Σ(weight · loss), and what it adds to the total. Gradients are
  /// summed over the workers, so that each sample counts the same.
  func lossSum(_ loss: any Loss) -> (sum: Tensor, total: Tensor) {
    graph.path = place + ["loss '\(loss.name)'"]
    let values = mixed(loss.terms(prediction, target, weights: weights, mask: mask, share: share)) { targets in
      loss.terms(prediction, targets, weights: weights, mask: mask, share: share)
    }
    let sum = (share?.masked(values) ?? values).sum()
    graph.path = []
    return (sum, signature.count > Tensor.mostAddends ? total(values) : share?.summed(sum) ?? sum)
  }

  /// The losses of samples that are mixed: those of their own targets and of the others', in proportion.
  private func mixed(_ own: Tensor, _ terms: (Tensor) -> Tensor) -> Tensor {
    guard let mix else { return own }
    let kept = mix.kept.converted(to: own.dtype).broadcast(to: own.shape, axes: [0])
    return own * kept + terms(mix.targets) * (1 - kept)
  }

  /// The sum of a number of each sample, over all workers.
  private func total(_ values: Tensor) -> Tensor {
    let sum = (share?.masked(values) ?? values).sumOfSamples()
    return share?.summed(sum) ?? sum
  }

  /// What the samples add to the totals of the metrics.
  func metricTotals() -> [Addend] {
    var totals: [Addend] = []
    for watch in task.metrics {
      graph.path = place + ["metric '\(watch.metric.name)'"]
      let amounts = amounts(watch)
      let sums = watch.metric.sums(prediction, target, weights: factors(amounts))
      let names = watch.metric.stateNames
      if sums.count != names.count {
        graph.report(GraphError("a metric with the state \(names) gives as many sums; received \(sums.count)."))
      }
      graph.path = []
      for (name, sum) in zip(names, sums) {
        totals.append((.metric(watch.label, state: name), share?.summed(sum) ?? sum))
      }
      if let amounts, countsPlaces(watch) {
        totals.append(
          (.metricWeight(watch.label), total(amounts.rank > 1 ? amounts.sum(axes: Array(1..<amounts.rank)) : amounts)))
      }
    }
    if task.metrics.contains(where: \.isWeighted) {
      let sum =
        weights.map { total($0.rank > 1 ? $0.perSample() : $0) }
        ?? target.constant(NDArray(scalar: Double(signature.globalCount)))
      totals.append((.weights(task.output), sum))
    }
    return totals
  }

  /// Whether a metric counts places by weights or masks of their own, so that its total weight is not that of the
  /// samples.
  private func countsPlaces(_ watch: OutputTask.Watch) -> Bool {
    if watch.isWeighted, (weights?.withoutLastOnes().rank ?? 1) > 1 { return true }
    guard let metric = watch.metric as? any MeanMetric else { return false }
    return mask != nil || metric.mask(prediction, target) != nil
  }

  /// How much each sample, or each place, counts in a metric; nil where all count 1. As in Keras, masks count in means
  /// over places, with sample weights and without.
  private func amounts(_ watch: OutputTask.Watch) -> Tensor? {
    let given = watch.isWeighted ? weights?.withoutLastOnes() : nil
    guard let metric = watch.metric as? any MeanMetric else { return given }
    let places = Array(prediction.shape.dropLast())
    if let mask, !prediction.shape.starts(with: mask.shape) || !target.shape.starts(with: mask.shape) {
      graph.report(
        GraphError(
          "needs a mask of the places of the prediction \(prediction.shape) and the labels \(target.shape); received "
            + "\(mask.shape)."))
      return given
    }
    let own = metric.mask(prediction, target)
    let counts = [mask, own.map { $0.rank == places.count ? $0 : $0.reshaped(places) }].compactMap { $0 }
    return counts.map { $0.converted(to: .float32) }.reduce(given?.converted(to: .float32)) { amounts, count in
      guard let amounts else { return count }
      let shape = amounts.rank > count.rank ? amounts.shape : count.shape
      func spread(_ x: Tensor) -> Tensor { x.broadcast(to: shape, axes: Array(0..<x.rank)) }
      guard shape.starts(with: amounts.shape), shape.starts(with: count.shape) else {
        graph.report(
          GraphError("needs weights and masks of the same places; received \(amounts.shape) and \(count.shape)."))
        return amounts
      }
      return spread(amounts) * spread(count)
    }
  }

  /// What each row counts in a metric: its weight, and 0 where a row only fills up; nil where all rows count 1.
  private func factors(_ weights: Tensor?) -> Tensor? {
    guard let share, let mask = share.mask else { return weights }
    return weights.map { share.masked($0) } ?? mask
  }
}
