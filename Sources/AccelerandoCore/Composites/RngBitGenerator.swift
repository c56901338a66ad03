// Random bits as a pure function of a key and a position (the Threefry-2×32 block cipher with 20 rounds). There is no
// hidden state: a key is a tensor that is passed and split, a layer's dropout does not depend on the order of tracing,
// and a worker that computes rows 100 to 200 draws the same bits for them as a single worker.

/// Random bits: element i is the XOR of the two words of threefry(key, i).
///
/// Operands: the key, `uint32[2]`; and, optionally, a scalar `uint32` that is added to every position, so that a part
/// of a larger tensor draws its own bits. Result: `uint32` of the given shape.
public struct RngBitGenerator: Composite {
  /// The shape of the result; fewer than 2³² elements.
  public let shape: [Int]

  /// Makes the operation.
  public init(_ shape: [Int]) { self.shape = shape }

  public var name: String { "rng_bit_generator" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard operands.count == 1 || operands.count == 2 else { throw GraphError("takes 1 or 2 operands.") }
    try requireKey(operands[0])
    if operands.count == 2, operands[1] != TensorType(.uint32, []) {
      throw GraphError("needs a position uint32[]; received \(operands[1]).")
    }
    guard shape.allSatisfy({ $0 >= 0 }), shape.elementCount <= Int(UInt32.max) else {
      throw GraphError("draws fewer than 2³² elements at once; received shape \(shape).")
    }
    return [TensorType(.uint32, shape)]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let key = operands[0]
    var low = key.iota(TensorType(.uint32, [shape.elementCount]), axis: 0)
    if operands.count == 2 { low = low + operands[1] }
    return [threefry(key, low, .xor).reshaped(shape)]
  }
}

/// Practically independent keys derived from one: key i is threefry(key, i).
///
/// Operand: the key, `uint32[2]`. Result: `uint32[count, 2]`.
public struct RngSplit: Composite {
  /// The number of keys.
  public let count: Int

  /// Makes the operation.
  public init(count: Int) { self.count = count }

  public var name: String { "rng_split" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireKey(operands[0])
    guard count >= 0, count <= Int(Int32.max) else { throw GraphError("cannot make \(count) keys.") }
    return [TensorType(.uint32, [count, 2])]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let low = operands[0].iota(TensorType(.uint32, [count]), axis: 0)
    let words = [Threefry.Word.first, .second].map { threefry(operands[0], low, $0).expandingDims(1) }
    return [Tensor.concatenating(words, axis: 1)]
  }
}

/// A key derived from a key and a number, such as the index of a step or a layer: threefry(key, number).
///
/// Operands: the key, `uint32[2]`, and the number, a scalar `uint32`. Result: `uint32[2]`.
public struct RngFoldIn: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "rng_fold_in" }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    try requireKey(operands[0])
    guard operands[1] == TensorType(.uint32, []) else {
      throw GraphError("needs a number uint32[]; received \(operands[1]).")
    }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let low = operands[1].reshaped([1])
    return [Tensor.concatenating([Threefry.Word.first, .second].map { threefry(operands[0], low, $0) }, axis: 0)]
  }
}

extension NDArray {
  /// The key of a seed: its upper and its lower 32 bits, as `uint32[2]`.
  public static func randomKey(seed: UInt64) -> NDArray {
    NDArray([UInt32(truncatingIfNeeded: seed >> 32), UInt32(truncatingIfNeeded: seed)])
  }
}

extension Tensor {
  /// The key of a seed, as a constant in the same graph.
  public func randomKey(seed: UInt64) -> Tensor { constant(.randomKey(seed: seed)) }

  /// Random `uint32` of a shape, drawn with this key.
  public func randomBits(_ shape: [Int]) -> Tensor { graph.add(RngBitGenerator(shape), self) }

  /// `count` keys derived from this one, which should not be used any more.
  public func splitKey(_ count: Int = 2) -> [Tensor] {
    let keys = graph.add(RngSplit(count: count), self)
    return (0..<count).map { keys.sliced(axis: 0, $0..<$0 + 1).reshaped([2]) }
  }

  /// A key derived from this one and a number.
  public func foldingIn(_ number: UInt32) -> Tensor { foldingIn(constant(NDArray(scalar: number))) }

  /// A key derived from this one and a computed number: a scalar, converted to `uint32`.
  public func foldingIn(_ number: Tensor) -> Tensor {
    graph.add(RngFoldIn(), self, number.converted(to: .uint32))
  }
}

func requireKey(_ operand: TensorType) throws(GraphError) {
  guard operand == TensorType(.uint32, [2]) else {
    throw GraphError("needs a random key, uint32[2]; received \(operand).")
  }
}

/// The cipher's words for each number of a vector, all with one key, `uint32[2]`.
private func threefry(_ key: Tensor, _ number: Tensor, _ word: Threefry.Word) -> Tensor {
  let words = [0, 1].map { key.sliced(axis: 0, $0..<$0 + 1).reshaped([]).broadcast(to: number.shape) }
  return key.graph.add(Threefry(word), words + [number])[0]
}
