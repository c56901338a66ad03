// Conversion between element types.

/// Converts each element: to floating point rounding to nearest even, to integers truncating, to `bool` true unless 0.
public struct Convert: Operation {
  /// The element type of the result.
  public let dtype: DType

  /// Makes the operation.
  public init(_ dtype: DType) { self.dtype = dtype }

  public var name: String { "convert" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    return [operands[0].with(dtype)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let source = context.operand.dtype
    return [source.isFloating && dtype.isFloating ? context.gradient.converted(to: source) : nil]
  }
}

extension Tensor {
  /// The tensor with each element converted to `dtype`.
  public func converted(to dtype: DType) -> Tensor {
    dtype == self.dtype ? self : graph.add(Convert(dtype), self)
  }
}
