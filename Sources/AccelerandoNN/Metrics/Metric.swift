// Numbers that describe how good a model is. A metric says what each batch adds to some tensors, in the compiled step, and
// what they amount to at the end of an epoch. The mean over samples is the simplest one.

import AccelerandoCore

/// Which way a number gets better.
public enum MetricDirection: String, Hashable, Sendable, CaseIterable {
  /// Smaller is better, as for losses and errors.
  case minimize = "min"
  /// Larger is better, as for accuracies.
  case maximize = "max"
}

/// A number that tells how good a model is on all samples of an epoch.
///
/// Steps add up tensors, its state, over the samples, whatever the batches and the workers that share them. The sums are
/// `float64`. Most metrics are a mean over samples: conform to `MeanMetric` then.
public protocol Metric: Sendable {
  /// The name in logs and recipes: `accuracy`.
  var name: String { get }

  /// Which way the metric gets better, whatever it is called; nil, the default, where it does not say. Callbacks that
  /// look for the best epoch then have to be told.
  var direction: MetricDirection? { get }

  /// The names of the tensors that are added up.
  var stateNames: [String] { get }

  /// What a batch adds to the state: one tensor for each of `stateNames`, of any shape that does not depend on the number of
  /// samples.
  /// - Parameters:
  ///   - prediction: the model's output, `[N, …]`.
  ///   - target: what it should be.
  ///   - weights: how much each sample counts, `[N]`, or each place of each sample, `[N, …]`; nil where all count 1. The sums
  ///     must be linear in them, so that a sample of weight 2 is the same as two samples, and one of weight 0 is none.
  func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor]

  /// The metric of all samples; where the result has several numbers, one that stands for all.
  /// - Parameters:
  ///   - state: the elements of each tensor that was added up, row-major.
  ///   - weight: the sum of the weights of all samples.
  func result(_ state: [[Double]], weight: Double) -> Double

  /// The names of the numbers of the result, where it has several; one empty name, the default, where it is one number.
  /// They stand behind the metric's own name in logs: `f1_score_0`.
  /// - Parameter predictionShape: the shape of the model's output, `[N, …]`.
  func resultNames(_ predictionShape: [Int]) -> [String]

  /// The numbers of the result, as many as there are `resultNames`; by default only `result`.
  func results(_ state: [[Double]], weight: Double) -> [Double]

  /// Looks at targets on the host before they are measured with.
  /// - Throws: when a target has no meaning, such as a label outside the classes; the error names the sample.
  func check(targets: NDArray, predictionShape: [Int]) throws
}

extension Metric {
  public func check(targets: NDArray, predictionShape: [Int]) throws {}
  public var direction: MetricDirection? { nil }
  public func resultNames(_ predictionShape: [Int]) -> [String] { [""] }

  public func results(_ state: [[Double]], weight: Double) -> [Double] { [result(state, weight: weight)] }
}

/// A number for each sample whose mean tells how good a model is.
public protocol MeanMetric: Metric {
  /// The metric of each sample.
  /// - Parameters:
  ///   - prediction: the model's output, `[N, …]`.
  ///   - target: what it should be.
  /// - Returns: a `float32` tensor `[N]`.
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor

  /// Which places of a batch count, `bool` `[N, …]`; nil, the default, if all do.
  func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor?

  /// What one value is computed from: `place`, the default, where places may have weights of their own.
  var unit: LossUnit { get }
}

extension MeanMetric {
  public var stateNames: [String] { [""] }
  public var unit: LossUnit { .place }
  public func mask(_ prediction: Tensor, _ target: Tensor) -> Tensor? { nil }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    var (prediction, target, weights) = (prediction, target, weights)
    if let places = weights?.shape, places.count > 1 {
      let fits = prediction.shape.starts(with: places) && target.shape.starts(with: places)
      if unit == .place, fits {
        // A place is to the metric what a sample is.
        (prediction, target) = (prediction.flattened(places), target.flattened(places))
        weights = weights?.reshaped([places.elementCount])
      } else {
        prediction.graph.report(
          GraphError(
            unit == .place
              ? "needs weights of the places of the prediction \(prediction.shape) and the labels \(target.shape); "
                + "received \(places)."
              : "has one value for each sample, so that weights and masks of places, \(places), do not fit."))
        weights = nil
      }
    }
    var values = values(prediction, target).converted(to: .float32)
    if values.shape != [prediction.dim(0)] {
      values.graph.report(
        GraphError("a metric gives one value for each of \(prediction.dim(0)) samples; received \(values.type)."))
      values = values.sum().broadcast(to: [prediction.dim(0)])
    }
    if let weights { values = values * weights.converted(to: .float32) }
    return [values.sumOfSamples()]
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    // Weights that are all 0 leave nothing to take a mean of; Keras says 0.
    weight == 0 ? 0 : (state.first?.first ?? .nan) / weight
  }
}

extension Tensor {
  /// More float32 values than this lose digits when they are added up as float32.
  package static let mostAddends = 4096

  /// The sum over the first axis, the samples: in `float64` where many `float32` would lose digits.
  public func sumOfSamples() -> Tensor {
    guard rank > 0 else { return self }
    return (dim(0) > Self.mostAddends ? converted(to: .float64) : self).sum(axes: [0])
  }
}

extension Tensor {
  /// 1 where true, the mean over a sample's outputs.
  func share() -> Tensor { converted(to: .float32).perSample() }

  /// The index of the first largest element along the last axis, `int32`; past the end for NaN.
  func firstLargest() -> Tensor {
    let place = argMax()
    let hasNaN = notEqual(to: self).any(axes: [rank - 1])
    return dtype.isFloating ? select(hasNaN, place.filled(Double(dim(-1))), place) : place
  }

  /// Whether the tensor can be the scores of classes; otherwise reports what is wrong.
  func hasClasses(for metric: String) -> Bool {
    if rank >= 2 { return true }
    graph.report(
      GraphError("needs predictions [N, …, classes]; received \(type).", path: ["metric '\(metric)'"]))
    return false
  }
}
