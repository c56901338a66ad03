// Makes programs smaller without changing what they compute. Gradients and composites leave waste behind (products with
// ones, sums with zeros, pairs of reshapes, the same exponential twice), which is removed here once for all backends.

extension Program {
  /// An equal program with less to do: equal instructions are computed once, known values are computed now, and
  /// operations without effect are removed. Inputs, outputs and aliases do not change.
  ///
  /// Results are the same numbers except for the sign of zeros and, where constants are combined, the last digit.
  /// - Throws: never for a program that was traced without error.
  public func simplified() throws(GraphError) -> Program {
    var current = try droppingUnusedRounds()
    // Each round works on operands that are already simplified, so two are enough for nearly all programs.
    for _ in 0..<6 {
      let next = try current.simplifiedOnce()
      if next == current { return next }
      current = next
    }
    return current
  }

  private func simplifiedOnce() throws(GraphError) -> Program {
    try rewriting(sharesEqualNodes: true) { instruction, operands, graph in
      if let constant = folded(instruction.operation, operands) { return constant }
      if let simpler = simpler(instruction.operation, operands) { return simpler }
      return graph.add(instruction.operation, operands) { region throws(GraphError) in try region.simplified() }
    }
  }
}

/// The replacement of an operation, or nil to keep it.
private func simpler(_ operation: any Operation, _ operands: [Tensor]) -> [Tensor]? {
  let single: Tensor? =
    switch operation {
    case let operation as Unary: simplerUnary(operation, operands[0])
    case let operation as Binary: simplerBinary(operation, operands[0], operands[1])
    case is Select: simplerSelect(operands[0], operands[1], operands[2])
    case let operation as Convert: simplerConvert(operation, operands[0])
    case let operation as Reshape: simplerReshape(operation, operands[0])
    case let operation as Transpose: simplerTranspose(operation, operands[0])
    case let operation as BroadcastInDim: simplerBroadcast(operation, operands[0])
    case let operation as Reverse: simplerReverse(operation, operands[0])
    case let operation as Slice: simplerSlice(operation, operands[0])
    case let operation as Pad: simplerPad(operation, operands[0], operands[1])
    case let operation as Concatenate: simplerConcatenate(operation, operands)
    case let operation as Reduce: simplerReduce(operation, operands[0])
    case let operation as DotGeneral: simplerProduct(operation, operands[0], operands[1])
    case let operation as DynamicSlice: simplerDynamicSlice(operation, operands)
    default: nil
    }
  if let single { return [single] }
  switch operation {
  case let operation as Case: return chosenBranch(operation, operands)
  case let operation as Scan: return simplerScan(operation, operands)
  default: return nil
  }
}

private func chosenBranch(_ operation: Case, _ operands: [Tensor]) -> [Tensor]? {
  guard let index = operands[0].uniformValue, !operation.branches.isEmpty else { return nil }
  let known = operation.branches.indices.contains(Int(index)) ? Int(index) : operation.branches.count - 1
  return operation.branches[known].inlined(on: Array(operands.dropFirst()), in: operands[0].graph)
}

extension Tensor {
  /// The operation of kind `Kind` that computes the tensor, and its operands.
  func made<Kind: Operation>(by _: Kind.Type) -> (operation: Kind, operands: [Tensor])? {
    guard let (operation, operands) = definition, let kind = operation as? Kind else { return nil }
    return (kind, operands)
  }

  /// The constant that the tensor is, if it is one.
  var constantValue: NDArray? { made(by: Constant.self)?.operation.value }

  /// The one value that all elements are known to have; nil for integers that a `Double` cannot represent exactly.
  var uniformValue: Double? {
    if let broadcast = made(by: BroadcastInDim.self) { return broadcast.operands[0].uniformValue }
    guard let value = constantValue, value.elementCount > 0, value.elementCount <= foldingLimit else { return nil }
    let elements = value.elements(as: Double.self)
    guard let first = elements.first, elements.allSatisfy({ $0.bitPattern == first.bitPattern }) else { return nil }
    return dtype == .int64 && first.magnitude > 0x1p53 ? nil : first
  }

  func isUniform(_ value: Double) -> Bool { uniformValue == value }
}

/// The largest number of elements of a constant that is folded or inspected.
let foldingLimit = 1024
