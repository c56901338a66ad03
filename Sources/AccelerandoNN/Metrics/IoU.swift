// Intersection over union: how well regions of classes coincide. All variants count pairs of a labelled and a predicted class.

import AccelerandoCore

/// The mean over classes of intersection over union: places where a class is labelled and predicted, over places where it
/// is either. Classes that do not occur are left out.
public struct IoU: Metric, Hashable {
  /// How classes are read from predictions and targets.
  public enum Form: Hashable, Sendable {
    /// Numbers of classes as they are.
    case sparse
    /// A number for each class, of which the largest counts.
    case oneHot
    /// One number: class 1 from a threshold on.
    case binary(threshold: Double)
  }

  /// The number of classes.
  public let classCount: Int
  /// The classes that count; nil for all.
  public let targetClasses: [Int]?
  /// A labelled class whose places count in nothing.
  public let ignoredClass: Int?
  /// How classes are read from predictions.
  public let predictions: Form
  /// How classes are read from targets.
  public let targets: Form
  private let label: String?
  public var name: String { label ?? configName }
  public var direction: MetricDirection? { .maximize }
  public var stateNames: [String] { ["confusion"] }

  /// Makes the metric.
  public init(
    classCount: Int, targetClasses: [Int]? = nil, ignoredClass: Int? = nil, predictions: Form = .sparse,
    targets: Form = .sparse, name: String? = nil
  ) {
    self.classCount = classCount
    self.targetClasses = targetClasses
    self.ignoredClass = ignoredClass
    self.predictions = predictions
    self.targets = targets
    label = name
  }

  public func sums(_ prediction: Tensor, _ target: Tensor, weights: Tensor?) -> [Tensor] {
    let predicted = classes(prediction, predictions)
    let labelled = targets == .oneHot ? classes(target, .oneHot) : target.converted(to: .int32)
    let count = predicted.type.elementCount
    guard labelled.type.elementCount == count else {
      predicted.graph.report(
        GraphError("needs a class for each of the predictions \(predicted.shape); received \(labelled.shape)."))
      return [predicted.constant(NDArray(zeros: TensorType(.float32, [classCount * classCount])))]
    }
    let (p, y) = (predicted.reshaped([count]), labelled.reshaped([count]))
    func isClass(_ x: Tensor) -> Tensor {
      x.greaterOrEqual(to: x.zerosLike()).and(x.less(than: x.filled(Double(classCount))))
    }
    var counts = isClass(p).and(isClass(y))
    if let ignoredClass { counts = counts.and(y.notEqual(to: y.filled(Double(ignoredClass)))) }
    let ones = counts.converted(to: .float32)
    let amounts = weights.map { weights in
      ones * weights.spread(over: predicted.converted(to: .float32)).reshaped([count])
    }
    let places = select(counts, y * Double(classCount) + p, p.zerosLike())
    return [(amounts ?? ones).binned(at: places, count: classCount * classCount)]
  }

  private func classes(_ x: Tensor, _ form: Form) -> Tensor {
    switch form {
    case .sparse: x.converted(to: .int32)
    case .oneHot: x.argMax()
    case .binary(let threshold):
      x.widened().greaterOrEqual(to: x.widened().filled(threshold)).converted(to: .int32)
    }
  }

  public func result(_ state: [[Double]], weight: Double) -> Double {
    let matrix = state[0]
    let epsilon = 1e-7
    var (sum, count) = (0.0, 0.0)
    for index in targetClasses ?? Array(0..<classCount) where index < classCount {
      let labelled = (0..<classCount).reduce(0) { $0 + matrix[index * classCount + $1] }
      let predicted = (0..<classCount).reduce(0) { $0 + matrix[$1 * classCount + index] }
      let both = matrix[index * classCount + index]
      let either = labelled + predicted - both
      guard either > 1e-9 else { continue }
      sum += both / (either + epsilon)
      count += 1
    }
    return sum / (count + epsilon)
  }
}
