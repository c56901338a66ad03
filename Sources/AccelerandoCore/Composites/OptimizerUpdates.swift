// One step of an optimizer on one tensor. Composites, because they touch every weight of the model once per step: a
// backend that runs one as a single pass reads and writes each of its tensors exactly once.

/// Adam's update, with ε where Keras puts it (outside of the bias correction).
///
/// Operands: the weight w, its moments m and v, its gradient g, all of one type; the scalar step size
/// α = lr·√(1−β₂ᵗ)/(1−β₁ᵗ); and, for decoupled weight decay, the scalar lr·decay.
/// Results: w, m and v after the step. The weight decays before the step.
public struct AdamUpdate: Composite {
  /// The first moment's rate β₁.
  public let beta1: Double
  /// The second moment's rate β₂.
  public let beta2: Double
  /// What is added to √v.
  public let epsilon: Double
  /// Whether there is a sixth operand, the scalar lr·decay.
  public let decays: Bool

  /// Makes the operation.
  public init(beta1: Double, beta2: Double, epsilon: Double, decays: Bool = false) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.decays = decays
  }

  public var name: String { "adam_update" }

  public func resultCount(operandCount: Int) -> Int { 3 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireUpdate(operands, tensors: ["weight", "first moment", "second moment", "gradient"], decays: decays)
    return Array(operands[0..<3])
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (w, m, v, g) = (operands[0], operands[1], operands[2], operands[3])
    let decayed = decays ? w - w * operands[5] : w
    let nextM = m + (g - m) * (1 - beta1)
    let nextV = v + (g * g - v) * (1 - beta2)
    let step = nextM * operands[4] / (nextV.sqrt() + epsilon)
    return [decayed - step, nextM, nextV]
  }
}

/// Gradient descent with momentum, as in Keras: m ← μ·m − lr·g, then w ← w + m, or w ← w + μ·m − lr·g for Nesterov's.
///
/// Operands: the weight w, its momentum m, its gradient g, all of one type; the scalar learning rate; and, for
/// decoupled weight decay, the scalar lr·decay. Results: w and m after the step. The weight decays before the step.
public struct MomentumUpdate: Composite {
  /// The rate μ.
  public let momentum: Double
  /// Whether to use Nesterov momentum.
  public let nesterov: Bool
  /// Whether there is a fifth operand, the scalar lr·decay.
  public let decays: Bool

  /// Makes the operation.
  public init(momentum: Double, nesterov: Bool, decays: Bool = false) {
    self.momentum = momentum
    self.nesterov = nesterov
    self.decays = decays
  }

  public var name: String { "momentum_update" }

  public func resultCount(operandCount: Int) -> Int { 2 }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireUpdate(operands, tensors: ["weight", "momentum", "gradient"], decays: decays)
    return Array(operands[0..<2])
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (w, m, g) = (operands[0], operands[1], operands[2])
    let decayed = decays ? w - w * operands[4] : w
    let step = g * operands[3]
    let nextM = m * momentum - step
    return [nesterov ? decayed + nextM * momentum - step : decayed + nextM, nextM]
  }
}

private func requireUpdate(_ operands: [TensorType], tensors: [String], decays: Bool) throws(GraphError) {
  try requireCount(operands, tensors.count + (decays ? 2 : 1))
  try requireFloating(operands[0])
  for (name, type) in zip(tensors, operands) where type != operands[0] {
    throw GraphError("needs a \(name) of the weight's type \(operands[0]); received \(type).")
  }
  for type in operands.dropFirst(tensors.count) where type != TensorType(operands[0].dtype, []) {
    throw GraphError("needs rates that are scalars of type \(operands[0].dtype.rawValue); received \(type).")
  }
}
