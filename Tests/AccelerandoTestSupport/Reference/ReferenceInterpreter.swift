// Runs a program one instruction after the other. The one switch over all operations stands here; an operation that it
// does not know is an error, which the walk over the list of operations turns into a failing test.

import AccelerandoCore

/// Computes programs by the definition of each operation.
struct ReferenceInterpreter: Sendable {
  /// Whether floating-point values are rounded to their type after every operation.
  let rounds: Bool

  /// The outputs of a program for the given inputs.
  func run(_ program: Program, _ inputs: [ReferenceArray]) throws -> [ReferenceArray] {
    guard inputs.map(\.type) == program.inputs.map(\.type) else {
      throw GraphError("the program takes \(program.inputs.map(\.type)); received \(inputs.map(\.type)).")
    }
    var values = [Int: ReferenceArray]()
    for (value, input) in inputs.enumerated() { values[value] = input }
    func value(_ number: Int) throws -> ReferenceArray {
      guard let value = values[number] else { throw GraphError("value %\(number) is used before it is computed.") }
      return value
    }
    for instruction in program.instructions {
      let results = try evaluate(instruction.operation, instruction.operands.map(value))
      let types = instruction.results.map { program.types[$0] }
      guard results.map(\.type) == types else {
        throw GraphError(
          "'\(instruction.operation.name)' promises \(types) and gave \(results.map(\.type)).", path: instruction.path)
      }
      for (number, result) in zip(instruction.results, results) {
        values[number] = rounds ? result.rounded() : result
      }
    }
    return try program.outputs.map(value)
  }

  /// The results of one operation.
  func evaluate(_ operation: any Operation, _ operands: [ReferenceArray]) throws -> [ReferenceArray] {
    let types = try operation.infer(operands.map(\.type))
    func result(_ element: ([Int]) throws -> ReferenceScalar) rethrows -> [ReferenceArray] {
      [try ReferenceArray(types[0], element: element)]
    }
    switch operation {
    case let composite as any Composite:
      let formula = try Program.trace(operands.map(\.type)) { composite.expand($0) }
      return try run(formula, operands)

    case let operation as Unary:
      return result { operation.function.apply(operands[0][$0], operands[0].dtype) }
    case let operation as Binary:
      return result { operation.function.apply(operands[0][$0], operands[1][$0], operands[0].dtype) }
    case let operation as Compare:
      return result {
        .integer(operation.direction.holds(operands[0][$0], operands[1][$0], operands[0].dtype) ? 1 : 0)
      }
    case is Select:
      return result { operands[0][$0].isTrue ? operands[1][$0] : operands[2][$0] }
    case is Clamp:
      let dtype = types[0].dtype
      return result { index in
        let raised = Binary.Function.maximum.apply(operands[1][index], operands[0][index], dtype)
        return Binary.Function.minimum.apply(raised, operands[2][index], dtype)
      }
    case let operation as Convert:
      return result { convert(operands[0][$0], from: operands[0].dtype, to: operation.dtype) }

    case let operation as Constant:
      return [ReferenceArray(operation.value)]
    case let operation as Iota:
      return result { convert(.integer(Int64($0[operation.axis])), from: .int64, to: operation.type.dtype) }

    case is Reshape:
      return [ReferenceArray(types[0], operands[0].elements)]
    case let operation as Transpose:
      return result { index in
        var source = index
        for (axis, from) in operation.permutation.enumerated() { source[from] = index[axis] }
        return operands[0][source]
      }
    case let operation as BroadcastInDim:
      return result { index in
        operands[0][operation.axes.enumerated().map { operands[0].shape[$0.offset] == 1 ? 0 : index[$0.element] }]
      }
    case let operation as Reverse:
      return result { index in
        operands[0][
          index.enumerated().map { axis, position in
            operation.axes.contains(axis) ? types[0].shape[axis] - 1 - position : position
          }]
      }
    case let operation as Slice:
      return result { index in
        operands[0][index.indices.map { operation.starts[$0] + index[$0] * operation.strides[$0] }]
      }
    case let operation as Pad:
      return result { index in
        let source = index.indices.map { axis in
          dilatedPosition(index[axis] - operation.low[axis], by: operation.interior[axis] + 1)
        }
        return operands[0].element(ifInside: source) ?? operands[1].elements[0]
      }
    case let operation as Concatenate:
      return result { index in
        var source = index
        var part = 0
        while source[operation.axis] >= operands[part].shape[operation.axis] {
          source[operation.axis] -= operands[part].shape[operation.axis]
          part += 1
        }
        return operands[part][source]
      }

    case let operation as DotGeneral:
      return [dotGeneral(operation, operands[0], operands[1], types[0])]
    case let operation as Convolution:
      return [convolution(operation, operands[0], operands[1], types[0])]
    case let operation as ArgMax:
      return [argMax(operation, operands[0], types[0])]
    case let operation as Reduce:
      return [reduce(operation, operands[0], types[0])]
    case let operation as ReduceWindow:
      return [reduceWindow(operation, operands[0], types[0])]
    case let operation as SelectAndScatter:
      return [selectAndScatter(operation, operands[0], operands[1])]

    case is DynamicSlice:
      return [dynamicSlice(operands[0], Array(operands.dropFirst()), types[0])]
    case is DynamicUpdateSlice:
      return [dynamicUpdateSlice(operands[0], operands[1], Array(operands.dropFirst(2)))]
    case let operation as Gather:
      return [gather(operation, operands[0], operands[1], types[0])]
    case let operation as Scatter:
      return [scatter(operation, operands[0], operands[1], operands[2])]
    case let operation as Sort:
      return sort(operation, operands)

    case let operation as While:
      var carried = operands
      while try run(operation.condition, carried)[0].elements[0].isTrue { carried = try run(operation.body, carried) }
      return carried
    case let operation as Case:
      let index = operands[0].elements[0].integer
      let last = operation.branches.count - 1
      let branch = index >= 0 && index < last ? Int(index) : last
      return try run(operation.branches[branch], Array(operands.dropFirst()))
    case is AllReduce:
      // One device: the only member of its group.
      return operands

    default:
      throw GraphError("the reference backend has no rule for '\(operation.name)'.")
    }
  }
}

/// Where position `position` of an axis whose elements stand `dilation` apart comes from; −1 for a gap.
func dilatedPosition(_ position: Int, by dilation: Int) -> Int {
  position >= 0 && position % dilation == 0 ? position / dilation : -1
}
