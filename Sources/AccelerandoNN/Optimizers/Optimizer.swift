// How gradients update weights. An optimizer is a value: its settings and a formula for one tensor. Its state between
// steps is in slots, one or more tensors per weight, kept by the training loop; so optimizers work on any device and in
// any order.

import AccelerandoCore

/// A rule that updates weights by their gradients.
public protocol Optimizer: Sendable {
  /// The learning rate.
  var learningRate: LearningRate { get set }

  /// The limit on gradients; nil for none.
  var clipping: GradientClipping? { get }

  /// What the optimizer does beside its formula; nothing by default.
  var options: OptimizerOptions { get }

  /// The state per weight.
  var slots: [Slot] { get }

  /// The optimizer that updates a parameter: itself, unless it leaves some parameters to another.
  func rule(for parameter: ParameterSpec) -> any Optimizer

  /// One step for one weight.
  /// - Parameters:
  ///   - weight: the weight before the step.
  ///   - gradient: the gradient of the loss, clipped; of the weight's type.
  ///   - slots: the state, in the order of `slots`.
  ///   - step: the number of the step, a `float32` scalar that counts from 1.
  ///   - learningRate: the learning rate of the step, a `float32` scalar.
  /// - Returns: the weight and the slots after the step.
  func update(
    weight: Tensor, gradient: Tensor, slots: [Tensor], step: Tensor, learningRate: Tensor
  ) -> (weight: Tensor, slots: [Tensor])
}

extension Optimizer {
  public var options: OptimizerOptions { OptimizerOptions() }
  public func rule(for parameter: ParameterSpec) -> any Optimizer { self }
}

/// A tensor that an optimizer keeps per weight.
public struct Slot: Hashable, Sendable {
  /// The shape of a slot, by that of the weight.
  public enum Shape: Hashable, Sendable {
    /// The weight's.
    case weight
    /// One number.
    case scalar
    /// A number for each row of a matrix: without the last axis. The weight's for vectors and scalars.
    case rows
    /// A number for each column of a matrix: without the last axis but one. One number for vectors and scalars.
    case columns
  }

  /// The name, as it appears in checkpoints.
  public let name: String
  /// The initial value of every element.
  public let initialValue: Double
  /// The shape.
  public let shape: Shape

  /// Describes a slot.
  public init(_ name: String, initialValue: Double = 0, shape: Shape = .weight) {
    self.name = name
    self.initialValue = initialValue
    self.shape = shape
  }

  /// The type of the slot of a weight.
  public func type(for weight: TensorType) -> TensorType {
    switch shape {
    case .weight: return weight
    case .scalar: return weight.with([])
    case .rows: return weight.rank < 2 ? weight : weight.with(Array(weight.shape.dropLast()))
    case .columns:
      return weight.with(weight.rank < 2 ? [] : weight.shape.dropLast(2) + weight.shape.suffix(1))
    }
  }
}

/// A limit on gradients.
public enum GradientClipping: Hashable, Sendable {
  /// Each gradient is scaled down to at most this Euclidean norm.
  case norm(Double)
  /// Each element is limited to ± this value.
  case value(Double)
  /// All gradients together are scaled down to at most this Euclidean norm.
  case globalNorm(Double)
}

extension Optimizer {
  /// The gradients of all weights after clipping.
  public func clipped(_ gradients: [Tensor]) -> [Tensor] {
    switch clipping {
    case nil: return gradients
    case .value(let limit): return gradients.map { $0.clamped($0.scalar(-limit), $0.scalar(limit)) }
    case .norm(let limit): return gradients.map { scaled($0, from: squaredNorm($0).sqrt(), to: limit) }
    case .globalNorm(let limit):
      let norms = gradients.map(squaredNorm)
      guard let first = norms.first else { return gradients }
      let norm = norms.dropFirst().reduce(first, +).sqrt()
      return gradients.map { scaled($0, from: norm, to: limit) }
    }
  }

  private func squaredNorm(_ gradient: Tensor) -> Tensor { gradient.widened().squared().sum() }

  private func scaled(_ gradient: Tensor, from norm: Tensor, to limit: Double) -> Tensor {
    gradient * (limit / norm.maximum(limit)).converted(to: gradient.dtype)
  }

  /// Whether there is a tensor for each slot; otherwise reports what is missing.
  func hasSlots(_ given: [Tensor], for weight: Tensor) -> Bool {
    if given.count == slots.count { return true }
    weight.graph.report(
      GraphError(
        "an optimizer's update needs \(slots.count) slots (\(slots.map(\.name).joined(separator: ", "))); "
          + "received \(given.count)."))
    return false
  }

  /// The weight after decoupled weight decay: it shrinks by learning rate times decay before the step.
  func decayed(_ weight: Tensor, by decay: Double?, _ learningRate: Tensor) -> Tensor {
    guard let decay else { return weight }
    return weight - weight * (learningRate * decay).converted(to: weight.dtype)
  }
}
