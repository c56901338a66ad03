// Sixteen-bit floats on a processor whose arithmetic has thirty-two. Products, convolutions, reductions and windows read
// float32 and give float32, so that they run as fast as in a float32 program; what a sixteen-bit value must lose is lost by
// rounding, which a fused loop does in passing. Elementwise operations run in fused loops anyway, and round in registers.
//
// A bias, a relu and a pooling behind a product or a convolution come before the rounding, not after it, so that what a
// kernel does in its epilogue in float32 stays there.

import AccelerandoCore

extension Program {
  /// An equal program, up to rounding, that computes what is costly on sixteen-bit floats in float32.
  /// - Throws: never for a program that was traced without error.
  func widened() throws(GraphError) -> Program {
    guard types.contains(where: { $0.dtype.isHalf }) else { return self }
    var widening = Widening()
    return try rewriting(sharesEqualNodes: true) { instruction, operands, graph in
      widening.rewrite(instruction, operands, graph)
    }
  }
}

extension DType {
  /// Whether it is a float of sixteen bits.
  var isHalf: Bool { self == .float16 || self == .bfloat16 }
}

/// The rewriting of one program.
private struct Widening {
  /// A sixteen-bit value in float32.
  struct Wide {
    let tensor: Tensor
    /// Whether it has been rounded to sixteen bits.
    let isRounded: Bool
  }

  /// What is known in float32, by the number of the sixteen-bit value that it stands for.
  private var wide: [Int: Wide] = [:]

  /// What stands for an instruction.
  mutating func rewrite(_ instruction: Program.Instruction, _ operands: [Tensor], _ graph: Graph) -> [Tensor] {
    let operation = instruction.operation
    let numbers = instruction.operands
    guard operands.contains(where: { $0.dtype.isHalf }) else { return graph.add(operation, operands) }
    if let convert = operation as? Convert, convert.dtype == .float32 {
      return [rounded(operands[0], numbers[0]).tensor]
    }
    let known = zip(operands, numbers).compactMap { $0.dtype.isHalf ? wide[$1] : nil }
    let loose = zip(operands, numbers).map { self.loose($0, $1) }
    switch Self.treatment(of: operation) {
    case .product:
      return compute(instruction, zip(operands, numbers).map { rounded($0, $1) }, operands, graph, isRounded: false)
    case .sum: return compute(instruction, loose, operands, graph, isRounded: nil)
    case .choice: return compute(instruction, loose, operands, graph, isRounded: loose.allSatisfy(\.isRounded))
    case .scatter:
      // What is only moved is cheaper to round before, where there is less of it.
      let parts = [loose[0], rounded(operands[1], numbers[1])]
      return compute(instruction, parts, operands, graph, isRounded: Self.movesOnly(operation) ? true : nil)
    case .movement:
      if known.isEmpty { return graph.add(operation, operands) }
      return compute(instruction, loose, operands, graph, isRounded: loose.allSatisfy(\.isRounded))
    case .bias:
      if known.allSatisfy(\.isRounded) { return graph.add(operation, operands) }
      return compute(instruction, loose, operands, graph, isRounded: false)
    case .comparison(let asksForEquality):
      // An unrounded number never equals a rounded one.
      if known.isEmpty || asksForEquality && loose.contains(where: \.isRounded) {
        return graph.add(operation, operands)
      }
      return graph.add(operation, loose.map(\.tensor))
    case .index:
      return graph.add(operation, zip(operands, numbers).map { rounded($0, $1).tensor })
    case .other: return graph.add(operation, operands)
    }
  }

  private enum Treatment {
    /// Of rounded operands in float32; the result is rounded later.
    case product
    /// In float32, and rounded at once.
    case sum
    /// In float32; its results are some of its operands' elements.
    case choice
    /// Adds what the second operand has at places that the first one says.
    case scatter
    /// Elements of operands that are known in float32, moved, chosen or with another sign.
    case movement
    /// What is added to a product before it is rounded.
    case bias
    /// Predicates about operands that are known in float32.
    case comparison(asksForEquality: Bool)
    /// Of rounded operands in float32; the result is an index.
    case index
    /// Left in sixteen bits.
    case other
  }

  private static func treatment(of operation: any Operation) -> Treatment {
    switch operation {
    case is DotGeneral, is Convolution: .product
    case let operation as Reduce: operation.function == .max || operation.function == .min ? .choice : .sum
    case let operation as ReduceWindow: operation.function == .max || operation.function == .min ? .choice : .sum
    case is SelectAndScatter: .scatter
    case is ArgMax: .index
    case is Reshape, is Transpose, is BroadcastInDim, is Slice, is Reverse, is Relu, is Select, is Clamp: .movement
    case let operation as Compare:
      .comparison(asksForEquality: operation.direction == .equal || operation.direction == .notEqual)
    case let operation as Binary:
      switch operation.function {
      case .add: .bias
      case .maximum, .minimum: .movement
      default: .other
      }
    case let operation as Unary: operation.function == .negate || operation.function == .abs ? .movement : .other
    default: .other
    }
  }

  /// Whether no two windows share an element, so that nothing is added up.
  private static func movesOnly(_ operation: any Operation) -> Bool {
    guard let scatter = operation as? SelectAndScatter else { return false }
    return zip(scatter.window.size, scatter.window.strides).allSatisfy { $0 <= $1 }
  }

  /// The instruction in float32, and its result in sixteen bits for those that read it so.
  /// - Parameter isRounded: whether the result in float32 is rounded already; nil if it must be.
  private mutating func compute(
    _ instruction: Program.Instruction, _ parts: [Wide], _ operands: [Tensor], _ graph: Graph, isRounded: Bool?
  ) -> [Tensor] {
    guard let half = operands.first(where: { $0.dtype.isHalf })?.dtype else {
      return graph.add(instruction.operation, operands)
    }
    let result = graph.add(instruction.operation, parts.map(\.tensor))[0]
    if let isRounded {
      wide[instruction.results.lowerBound] = Wide(tensor: result, isRounded: isRounded)
    }
    return [result.converted(to: half)]
  }

  /// A value in float32, rounded to sixteen bits; others as they are.
  private func rounded(_ value: Tensor, _ number: Int) -> Wide {
    if !value.dtype.isHalf { return Wide(tensor: value, isRounded: true) }
    if let known = wide[number], known.isRounded { return known }
    return Wide(tensor: value.converted(to: .float32), isRounded: true)
  }

  /// A value in float32, unrounded where it is known so.
  private func loose(_ value: Tensor, _ number: Int) -> Wide { wide[number] ?? rounded(value, number) }
}
