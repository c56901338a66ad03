// Numbers that describe how good a model is. A metric gives a value for each sample, in the compiled step; the value of
// an epoch is the mean over its samples, weighted if there are sample weights.

import AccelerandoCore

/// Which way a number gets better.
public enum MetricDirection: String, Hashable, Sendable, CaseIterable {
  /// Smaller is better, as for losses and errors.
  case minimize = "min"
  /// Larger is better, as for accuracies.
  case maximize = "max"
}

/// A number for each sample whose mean tells how good a model is.
public protocol Metric: Sendable {
  /// The name in logs and recipes: `accuracy`.
  var name: String { get }

  /// Which way the metric gets better, whatever it is called; nil, the default, where it does not say. Callbacks that
  /// look for the best epoch then have to be told.
  var direction: MetricDirection? { get }

  /// The metric of each sample.
  /// - Parameters:
  ///   - prediction: the model's output, `[N, …]`.
  ///   - target: what it should be.
  /// - Returns: a `float32` tensor `[N]`.
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor

  /// Looks at targets on the host before they are measured with.
  /// - Throws: when a target has no meaning, such as a label outside the classes; the error names the sample.
  func check(targets: NDArray, predictionShape: [Int]) throws
}

extension Metric {
  public func check(targets: NDArray, predictionShape: [Int]) throws {}
}

extension Metric {
  public var direction: MetricDirection? { nil }
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
