// 16-bit floats on a processor with 32-bit arithmetic. Products, convolutions, reductions and windows read and write
// float32, so that they run as fast as in a float32 program; rounding to 16 bits happens in fused loops. Elementwise
// operations run in fused loops anyway, and round in registers.
//
// A bias, a relu and a pooling after a product or a convolution come before the rounding, not after it, so that they
// stay in the kernel's epilogue, in float32.

import AccelerandoCore

extension Program {
  /// An equal program, up to rounding, that computes expensive operations on 16-bit floats in float32.
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
  /// Whether it is a 16-bit float.
  var isHalf: Bool { self == .float16 || self == .bfloat16 }
}

/// The rewriting of one program.
private struct Widening {
  /// A 16-bit value in float32.
  struct Wide {
    let tensor: Tensor
    /// Whether it has been rounded to sixteen bits.
    let isRounded: Bool
  }

  /// Values known in float32, by the index of the 16-bit value that they represent.
  private var wide: [Int: Wide] = [:]

  /// The replacement of an instruction.
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
    case .composite: return computeAll(instruction, loose, operands, graph)
    case .sum: return compute(instruction, loose, operands, graph, isRounded: nil)
    case .choice: return compute(instruction, loose, operands, graph, isRounded: loose.allSatisfy(\.isRounded))
    case .scatter:
      // Operations that only move elements come after the rounding, where there are fewer elements.
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
    /// On rounded operands in float32; the result is rounded later.
    case product
    /// Several results, from operands that need not be rounded; rounded later.
    case composite
    /// In float32, and rounded at once.
    case sum
    /// In float32; its results are some of its operands' elements.
    case choice
    /// Adds the second operand's elements at positions given by the first one.
    case scatter
    /// Elements of operands that are known in float32, moved, selected or negated.
    case movement
    /// Added to a product before it is rounded.
    case bias
    /// Predicates about operands that are known in float32.
    case comparison(asksForEquality: Bool)
    /// Of rounded operands in float32; the result is an index.
    case index
    /// Left in 16 bits.
    case other
  }

  private static func treatment(of operation: any Operation) -> Treatment {
    switch operation {
    case is DotGeneral, is Convolution: .product
    case is ScaledDotProductAttention, is ScaledDotProductAttentionGradient: .composite
    case let operation as Reduce: operation.function == .max || operation.function == .min ? .choice : .sum
    case let operation as ReduceWindow: operation.function == .max || operation.function == .min ? .choice : .sum
    case is SelectAndScatter: .scatter
    case is ArgMax: .index
    case is Reshape, is Transpose, is BroadcastInDim, is Slice, is Reverse, is Select, is Clamp: .movement
    // Small whole numbers are the same in all types.
    case let relu as Relu: relu.limit.map { $0 != $0.rounded() || abs($0) > 128 } ?? false ? .other : .movement
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

  /// Whether no two windows share an element, so that nothing is summed.
  private static func movesOnly(_ operation: any Operation) -> Bool {
    guard let scatter = operation as? SelectAndScatter else { return false }
    return zip(scatter.window.size, scatter.window.strides).allSatisfy { $0 <= $1 }
  }

  /// The instruction in float32, and its result in 16 bits for instructions that read it so.
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

  private mutating func computeAll(
    _ instruction: Program.Instruction, _ parts: [Wide], _ operands: [Tensor], _ graph: Graph
  ) -> [Tensor] {
    let half = operands.first { $0.dtype.isHalf }?.dtype
    let results = graph.add(instruction.operation, parts.map(\.tensor))
    return zip(instruction.results, results).map { number, result in
      guard let half, result.dtype == .float32 else { return result }
      wide[number] = Wide(tensor: result, isRounded: false)
      return result.converted(to: half)
    }
  }

  /// A value in float32, rounded to 16 bits; others unchanged.
  private func rounded(_ value: Tensor, _ number: Int) -> Wide {
    if !value.dtype.isHalf { return Wide(tensor: value, isRounded: true) }
    if let known = wide[number], known.isRounded { return known }
    return Wide(tensor: value.converted(to: .float32), isRounded: true)
  }

  /// A value in float32, unrounded where it is known so.
  private func loose(_ value: Tensor, _ number: Int) -> Wide { wide[number] ?? rounded(value, number) }
}
