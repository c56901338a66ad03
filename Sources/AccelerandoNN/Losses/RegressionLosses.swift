// Losses of regression: the mean over a sample's outputs.

import AccelerandoCore

/// (prediction − target)². Both have one shape; a last axis of size 1 may be missing in the target.
public struct MeanSquaredError: Loss, Hashable {
  /// Makes the loss.
  public init() {}

  public var name: String { "mean_squared_error" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    difference(prediction, target, "loss '\(name)'").squared().perSample()
  }
}

/// |prediction − target|. Both have one shape; a last axis of size 1 may be missing in the target.
public struct MeanAbsoluteError: Loss, Hashable {
  /// Makes the loss.
  public init() {}

  public var name: String { "mean_absolute_error" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    difference(prediction, target, "loss '\(name)'").abs().perSample()
  }
}

/// Squared for small differences and absolute for large ones: ½d² up to `delta`, delta·|d| − ½delta² beyond.
public struct Huber: Loss, Hashable {
  /// The difference at which the loss becomes linear.
  public let delta: Double

  /// Makes the loss.
  public init(delta: Double = 1) { self.delta = delta }

  public var name: String { "huber" }

  public func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let d = difference(prediction, target, "loss '\(name)'")
    let size = d.abs()
    let near = d.squared() * 0.5
    let far = size * delta - 0.5 * delta * delta
    return select(size.lessOrEqual(to: size.filled(delta)), near, far).perSample()
  }
}

/// prediction − target in at least `float32`.
func difference(_ prediction: Tensor, _ target: Tensor, _ user: String) -> Tensor {
  let prediction = prediction.widened()
  return prediction - target.targets(for: prediction, of: user)
}
