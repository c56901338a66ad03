// How the workers of a data-parallel program combine values.

/// Combines a tensor, elementwise, over the workers of each group; every worker of a group gets the result. On one
/// device it returns the tensor itself.
public struct AllReduce: Operation {
  /// The function that combines two elements.
  public let function: Reduce.Function
  /// The workers of each group; all workers in one group if empty.
  public let groups: [[Int]]

  /// Makes the operation.
  public init(_ function: Reduce.Function, groups: [[Int]] = []) {
    self.function = function
    self.groups = groups
  }

  public var name: String { "all_reduce" }
  public var attributes: [StableHLOAttribute] {
    let width = groups.map(\.count).max() ?? 0
    // Smaller groups are padded with -1.
    let rows = groups.map { group in "\(group + [Int](repeating: -1, count: width - group.count))" }
    let value = rows.isEmpty ? "dense<>" : "dense<[\(rows.joined(separator: ", "))]>"
    return [StableHLOAttribute("replica_groups", "\(value) : tensor<\(groups.count)x\(width)xi64>")]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard function.dtypes.contains(operands[0].dtype) else {
      throw GraphError("'\(function.rawValue)' is not defined for \(operands[0]).")
    }
    let members = groups.flatMap { $0 }
    guard members.allSatisfy({ $0 >= 0 }), Set(members).count == members.count else {
      throw GraphError("needs groups in which each worker is once; received \(groups).")
    }
    return operands
  }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    call.regions = [try .combiner(function, call.operandTypes[0].dtype)]
  }

  /// Each worker's result depends on every worker's operand, so the gradients of all results are summed.
  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, y) = (context.operand, context.result)
    guard x.dtype.isFloating else { return [nil] }
    func summed(_ t: Tensor) -> Tensor { t.graph.add(AllReduce(.sum, groups: groups), t) }
    let g = summed(context.gradient)
    switch function {
    case .sum: return [g]
    case .max, .min:
      let hit = x.equal(to: y).converted(to: x.dtype)
      return [hit * g / summed(hit)]
    case .product:
      // The product of the others, without dividing by a zero.
      let isZero = x.equal(to: x.zerosLike())
      let zeros = summed(isZero.converted(to: x.dtype))
      let safe = select(isZero, x.onesLike(), x)
      let others = x.graph.add(self, safe) / safe
      let isFactor = zeros.equal(to: zeros.zerosLike()).or(isZero.and(zeros.equal(to: zeros.onesLike())))
      return [select(isFactor, g * others, x.zerosLike())]
    case .and, .or: return [nil]
    }
  }
}

extension Tensor {
  /// The tensor combined over the workers of each group.
  public func allReduced(_ function: Reduce.Function = .sum, groups: [[Int]] = []) -> Tensor {
    graph.add(AllReduce(function, groups: groups), self)
  }
}
