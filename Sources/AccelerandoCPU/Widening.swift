// Sixteen-bit floats on a processor whose arithmetic has thirty-two. Products, convolutions, reductions, windows and the
// composites that have kernels read float32 and give float32, so that they run as fast as in a float32 program; what a
// sixteen-bit value must lose is lost by rounding, which a fused loop does in passing.
//
// A result is rounded where it enters the next product, leaves the program or is converted, not after each of the
// elementwise operations in between (XLA does the same): what is fused behind a product in float32 stays fused.

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

extension TensorType {
  /// The type in which the engine computes on such a tensor.
  var widened: TensorType { dtype.isHalf ? TensorType(.float32, shape) : self }
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
    let known = zip(operands, numbers).contains { $0.dtype.isHalf && wide[$1] != nil }
    switch Self.treatment(of: operation) {
    case .rounding:
      return compute(instruction, zip(operands, numbers).map { rounded($0, $1) }, operands, graph, staysRounded: false)
    case .computing:
      return compute(instruction, zip(operands, numbers).map { loose($0, $1) }, operands, graph, staysRounded: false)
    case .choosing:
      return compute(instruction, zip(operands, numbers).map { loose($0, $1) }, operands, graph, staysRounded: true)
    case .scattering:
      // Elements that are only moved are cheaper to round before, where there are fewer of them.
      let parts = [loose(operands[0], numbers[0]), rounded(operands[1], numbers[1])]
      return compute(
        instruction, parts, operands, graph, staysRounded: Self.movesOnly(operation), asIf: parts[1].isRounded)
    case .following(let staysRounded):
      guard known else { return graph.add(operation, operands) }
      return compute(
        instruction, zip(operands, numbers).map { loose($0, $1) }, operands, graph, staysRounded: staysRounded)
    case .comparing(let needsEquals):
      let parts = zip(operands, numbers).map { loose($0, $1) }
      // An unrounded number never equals a rounded one.
      guard known, !needsEquals || parts.allSatisfy({ !$0.isRounded }) else {
        return graph.add(operation, operands)
      }
      return graph.add(operation, parts.map(\.tensor))
    case .none: return graph.add(operation, operands)
    }
  }

  private enum Treatment {
    /// Reads rounded operands, as a product of sixteen-bit numbers does.
    case rounding
    /// Always in float32.
    case computing
    /// As above; its results are some of its operands' elements.
    case choosing
    /// Adds what the second operand has at places that the first one says.
    case scattering
    /// In float32 where an operand is known there; whether rounded operands give rounded results.
    case following(staysRounded: Bool)
    /// As above, with predicates for results; whether it asks for equality.
    case comparing(needsEquals: Bool)
    /// Left in sixteen bits.
    case none
  }

  private static func treatment(of operation: any Operation) -> Treatment {
    switch operation {
    case is DotGeneral, is Convolution: .rounding
    case let operation as Reduce: operation.function == .max || operation.function == .min ? .choosing : .computing
    case let operation as ReduceWindow:
      operation.function == .max || operation.function == .min ? .choosing : .computing
    case is SelectAndScatter: .scattering
    case is Reshape, is Transpose, is BroadcastInDim, is Slice, is Reverse: .following(staysRounded: true)
    case is Relu, is Select, is Clamp: .following(staysRounded: true)
    case let operation as Compare:
      .comparing(needsEquals: operation.direction == .equal || operation.direction == .notEqual)
    case let operation as Binary:
      .following(staysRounded: operation.function == .maximum || operation.function == .minimum)
    case let operation as Unary:
      switch operation.function {
      case .negate, .abs: .following(staysRounded: true)
      // What jumps is asked of the rounded number.
      case .isFinite, .floor, .ceil, .roundNearestEven, .roundNearestAfz: .none
      default: .following(staysRounded: false)
      }
    case is any Composite: .computing
    default: .none
    }
  }

  /// Whether no two windows share an element, so that nothing is added up.
  private static func movesOnly(_ operation: any Operation) -> Bool {
    guard let scatter = operation as? SelectAndScatter else { return false }
    return zip(scatter.window.size, scatter.window.strides).allSatisfy { $0 <= $1 }
  }

  /// The instruction in float32, and its results rounded for those that read them so.
  private mutating func compute(
    _ instruction: Program.Instruction, _ parts: [Wide], _ operands: [Tensor], _ graph: Graph, staysRounded: Bool,
    asIf isRounded: Bool? = nil
  ) -> [Tensor] {
    guard let types = try? instruction.operation.infer(operands.map(\.type)) else {
      return graph.add(instruction.operation, operands)
    }
    let results = graph.add(instruction.operation, parts.map(\.tensor))
    let isRounded = staysRounded && (isRounded ?? parts.allSatisfy(\.isRounded))
    return results.indices.map { index in
      guard types.indices.contains(index), types[index].dtype.isHalf, results[index].dtype == .float32 else {
        return results[index]
      }
      wide[instruction.results.lowerBound + index] = Wide(tensor: results[index], isRounded: isRounded)
      return results[index].converted(to: types[index].dtype)
    }
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
