// The block cipher behind all random bits, as an operation of its own, so that a backend can compute it in registers: its
// formula has more than a hundred operations on each element.

/// Threefry-2×32 with 20 rounds, for each element: the block of the 64-bit number 0 ‖ number with its own key.
///
/// Operands: the key's first word, its second word and the number, `uint32` of one shape. Result: `uint32` of that shape.
public struct Threefry: Composite {
  /// What is kept of a block.
  public enum Word: Hashable, Sendable, CaseIterable {
    /// The first word.
    case first
    /// The second word.
    case second
    /// The XOR of both.
    case xor
  }

  /// What is kept of a block.
  public let word: Word

  /// Makes the operation.
  public init(_ word: Word) { self.word = word }

  public var name: String { "threefry" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 3)
    guard operands[0].dtype == .uint32, operands.allSatisfy({ $0 == operands[0] }) else {
      throw GraphError(
        "needs three uint32 of one shape; received \(operands.map(\.description).joined(separator: ", ")).")
    }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let (first, second) = (operands[0], operands[1])
    let parity = first.xor(second).xor(first.filled(Double(0x1BD1_1BDA as UInt32)))
    let schedule = [first, second, parity]
    var x = first
    var y = operands[2] + second
    for group in 0..<5 {
      for rotation in group % 2 == 0 ? [13, 15, 26, 6] : [17, 29, 16, 24] {
        x = x + y
        let up = y.shiftLeft(y.filled(Double(rotation)))
        let down = y.shiftRightLogical(y.filled(Double(32 - rotation)))
        y = up.or(down).xor(x)
      }
      x = x + schedule[(group + 1) % 3]
      y = y + (schedule[(group + 2) % 3] + Double(group + 1))
    }
    switch word {
    case .first: return [x]
    case .second: return [y]
    case .xor: return [x.xor(y)]
    }
  }
}
