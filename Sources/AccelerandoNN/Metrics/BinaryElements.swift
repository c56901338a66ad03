// What metrics of yes or no have in common: each element is a prediction with a label and a weight. Counts over many
// thresholds are histograms of the predictions, added up by step and summed from above at the end.

import AccelerandoCore

/// The elements of a batch: predictions, labels and weights, `[M]` each.
struct BinaryElements {
  let scores: Tensor
  let labels: Tensor
  let weights: Tensor?

  /// Flattens a batch.
  /// - Parameters:
  ///   - classID: the column to look at, of `[N, …, classes]`; nil for all.
  ///   - topK: how many of the largest predictions of a sample may count as yes; nil for all.
  init(
    _ prediction: Tensor, _ target: Tensor, weights: Tensor?, of user: String, classID: Int? = nil, topK: Int? = nil
  ) {
    var scores = prediction.widened()
    var labels = target.targets(for: scores, of: user)
    if let topK {
      if topK <= scores.dim(-1) {
        let last = scores.topK(topK).values
        let least = last.sliced(axis: last.rank - 1, topK - 1..<topK).broadcast(to: scores.shape)
        scores = select(scores.greaterOrEqual(to: least), scores, scores.filled(-.infinity))
      } else {
        scores.graph.report(
          GraphError("needs at least \(topK) classes for 'top_k'; received \(scores.shape).", path: [user]))
      }
    }
    if let classID {
      if scores.rank >= 2, classID < scores.dim(-1) {
        let axis = scores.rank - 1
        scores = scores.sliced(axis: axis, classID..<classID + 1)
        labels = labels.sliced(axis: axis, classID..<classID + 1)
      } else {
        scores.graph.report(GraphError("has no class \(classID) in predictions \(scores.shape).", path: [user]))
      }
    }
    let count = [scores.type.elementCount]
    self.weights = weights.map { $0.spread(over: scores).reshaped(count) }
    self.scores = scores.reshaped(count)
    self.labels = labels.reshaped(count)
  }

  func weighted(_ values: Tensor) -> Tensor { weights.map { values * $0 } ?? values }

  /// The weights of the elements that are of some kinds: a number for each kind, or for several thresholds a vector.
  /// - Parameter kinds: from whether predictions are above the threshold and labels are not 0 to whether elements count.
  func counts(
    above thresholds: [Double], _ kinds: (_ isPositive: Tensor, _ isTrue: Tensor) -> [Tensor]
  ) -> [Tensor] {
    let isTrue = labels.notEqual(to: labels.zerosLike())
    guard thresholds.count > 1 else {
      let isPositive = scores.greater(than: scores.filled(thresholds.first ?? 0.5))
      return kinds(isPositive, isTrue).map { weighted($0.converted(to: scores.dtype)).sumOfSamples() }
    }
    let shape = [scores.dim(0), thresholds.count]
    let limits = scores.constant(NDArray(thresholds)).converted(to: scores.dtype).broadcast(to: shape, axes: [1])
    let isPositive = scores.broadcast(to: shape, axes: [0]).greater(than: limits)
    return kinds(isPositive, isTrue.broadcast(to: shape, axes: [0])).map { counts in
      let ones = counts.converted(to: scores.dtype)
      return (weights.map { ones * $0.broadcast(to: shape, axes: [0]) } ?? ones).sumOfSamples()
    }
  }
}

extension Tensor {
  /// Weights of samples, or of places, for each element of a tensor that begins with these axes.
  func spread(over elements: Tensor) -> Tensor {
    let converted = converted(to: elements.dtype)
    guard elements.shape.starts(with: shape) else {
      graph.report(GraphError("weights \(shape) do not fit predictions \(elements.shape)."))
      return elements.onesLike()
    }
    return converted.broadcast(to: elements.shape, axes: Array(0..<rank))
  }

  /// Adds up numbers `[M]` by their places in 0 ..< `count`, in `float64` where many `float32` would lose digits.
  func binned(at places: Tensor, count: Int) -> Tensor {
    let numbers = dim(0) > Self.mostAddends ? converted(to: .float64) : self
    let empty = constant(NDArray(zeros: TensorType(numbers.dtype, [count])))
    return empty.scattering(numbers, at: places)
  }
}

/// The four counts of predictions against labels, for thresholds from 0 to 1: the first below all predictions, the last
/// above.
struct ThresholdCounts {
  private(set) var truePositives: [Double] = []
  private(set) var falsePositives: [Double] = []
  private(set) var trueNegatives: [Double] = []
  private(set) var falseNegatives: [Double] = []

  /// The histograms of the predictions of true and of false labels, over the spaces between the thresholds.
  /// - Parameters:
  ///   - thresholds: the number of thresholds, both ends included.
  ///   - inner: the thresholds between the ends, in order; nil where they lie evenly.
  ///   - group: the number of the histogram that each element belongs to; nil where there is one.
  ///   - groups: the number of histograms.
  static func histograms(
    _ elements: BinaryElements, thresholds: Int, at inner: [Double]? = nil, group: Tensor? = nil, groups: Int = 1
  ) -> [Tensor] {
    let scores = elements.scores.clamped(0...1)
    var places: Tensor
    if let inner, !inner.isEmpty {
      let shape = [scores.dim(0), inner.count]
      let limits = scores.constant(NDArray(inner)).converted(to: scores.dtype).broadcast(to: shape, axes: [1])
      places = scores.broadcast(to: shape, axes: [0]).greater(than: limits).converted(to: .int32).sum(axes: [1])
    } else {
      places = ((scores * Double(thresholds - 1)).ceil() - 1).maximum(0).converted(to: .int32)
    }
    if let group { places = places + group * Double(thresholds) }
    let positive = elements.weighted(elements.labels)
    let negative = elements.weighted(1 - elements.labels)
    return [positive, negative].map { $0.binned(at: places, count: groups * thresholds) }
  }

  /// Counts from histograms: an element is positive for the thresholds below it.
  init(positives: some Collection<Double>, negatives: some Collection<Double>) {
    func fromAbove(_ values: some Collection<Double>) -> [Double] {
      var sum = 0.0
      return values.reversed().map { value in
        sum += value
        return sum
      }.reversed()
    }
    truePositives = fromAbove(positives)
    falsePositives = fromAbove(negatives)
    falseNegatives = truePositives.map { (truePositives.first ?? 0) - $0 }
    trueNegatives = falsePositives.map { (falsePositives.first ?? 0) - $0 }
  }

  var precisions: [Double] { zip(truePositives, falsePositives).map { share($0, of: $0 + $1) } }
  var recalls: [Double] { zip(truePositives, falseNegatives).map { share($0, of: $0 + $1) } }
  /// 1 − true labels / false labels · missed / found; at least 0, and 0 where nothing is found.
  var recallGains: [Double] {
    gains(falseNegatives).enumerated().map { truePositives[$0] == 0 ? 0 : max($1, 0) }
  }
  /// 1 − true labels / false labels · wrong / found; 1 where nothing is found.
  var precisionGains: [Double] { gains(falsePositives).enumerated().map { truePositives[$0] == 0 ? 1 : $1 } }

  private func gains(_ costs: [Double]) -> [Double] {
    costs.indices.map { index in
      let ratio = share(
        truePositives[index] + falseNegatives[index], of: trueNegatives[index] + falsePositives[index])
      return 1 - ratio * share(costs[index], of: truePositives[index])
    }
  }

  var specificities: [Double] { zip(trueNegatives, falsePositives).map { share($0, of: $0 + $1) } }
}

/// A quotient; 0 for parts of nothing.
func share(_ part: Double, of whole: Double) -> Double { whole == 0 ? 0 : part / whole }
