// A tensor that counts as a constant where gradients are computed.

/// The tensor itself, whose gradient is zero.
public struct StopGradient: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "stop_gradient" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    return operands
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] { operands }
}

extension Tensor {
  /// The same tensor; no gradient passes through it.
  public func stopGradient() -> Tensor { graph.add(StopGradient(), self) }
}
