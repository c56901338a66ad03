// Values that are known at trace time.

/// A tensor whose value is part of the program.
public struct Constant: Operation {
  /// The value.
  public let value: NDArray

  /// Makes the operation.
  public init(_ value: NDArray) { self.value = value }

  public var name: String { "constant" }
  public var attributes: [StableHLOAttribute] {
    [StableHLOAttribute("value", stableHLOLiteral(value))]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 0)
    return [value.type]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] { [] }
}

/// Counts along one axis: 0, 1, 2, …
public struct Iota: Operation {
  /// The type of the result.
  public let type: TensorType
  /// The axis to count along.
  public let axis: Int

  /// Makes the operation.
  public init(_ type: TensorType, axis: Int) {
    self.type = type
    self.axis = axis
  }

  public var name: String { "iota" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("iota_dimension", axis)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 0)
    try requireSizes(type.shape)
    guard type.shape.indices.contains(axis), type.dtype != .bool else {
      throw GraphError("counts numbers along an axis of the result; received \(type) and axis \(axis).")
    }
    return [type]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] { [] }
}

extension Tensor {
  /// A tensor of `type` that counts along `axis`, in the same graph.
  public func iota(_ type: TensorType, axis: Int) -> Tensor { graph.add(Iota(type, axis: axis)) }
}
