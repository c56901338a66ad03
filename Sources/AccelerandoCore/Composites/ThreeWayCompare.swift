// A comparison that has one answer. Gradient rules that share a gradient between two operands ask which one is larger, once
// for each of them. A compiler may compute cheap operands again for each answer and round them otherwise; then both operands
// get the gradient, or neither does. The formula here goes through a reduction, which compilers compute once.

/// 1 where the first operand is larger, −1 where the second is, 0 where they are equal; `int32`. A NaN is larger than any
/// number and equal to another NaN.
public struct ThreeWayCompare: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "three_way_compare" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    guard operands[0] == operands[1] else {
      throw GraphError("needs two tensors of the same type; received \(operands[0]) and \(operands[1]).")
    }
    return [operands[0].with(.int32)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (a, b) = (operands[0].expandingDims(-1), operands[1].expandingDims(-1))
    let axis = operands[0].rank
    // Of equals the first wins, whichever comes first.
    let secondWins = Tensor.concatenating([a, b], axis: axis).argMax(axis: axis)
    let firstWins = Tensor.concatenating([b, a], axis: axis).argMax(axis: axis)
    return [firstWins - secondWins]
  }
}

extension Tensor {
  /// 1 where the tensor is larger than `other`, −1 where it is smaller, 0 where they are equal; see `ThreeWayCompare`.
  func threeWayCompared(to other: Tensor) -> Tensor { graph.add(ThreeWayCompare(), self, other) }
}
