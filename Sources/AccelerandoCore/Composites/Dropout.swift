// Dropout. Its mask is a function of the key, so the backward pass applies the same operation to the gradient and
// nothing has to be kept: where a backend expands the composite, both masks are the same computation and are shared.

/// Sets each element to zero with probability `rate` and divides the others by 1 − `rate`.
///
/// Operands: the tensor; a random key, `uint32[2]`; and, optionally, a scalar `uint32` position as in
/// `RngBitGenerator`.
public struct Dropout: Composite {
  /// The probability of zero, 0 to 1.
  public let rate: Double

  /// Makes the operation.
  public init(rate: Double) { self.rate = rate }

  public var name: String { "dropout" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard operands.count == 2 || operands.count == 3 else {
      throw GraphError("takes 2 or 3 operands; received \(operands.count).")
    }
    try requireFloating(operands[0])
    _ = try RngBitGenerator(operands[0].shape).infer(Array(operands.dropFirst()))
    guard rate >= 0, rate <= 1 else { throw GraphError("needs a rate in 0...1; received \(rate).") }
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    guard let last = keptBits else { return [x.zerosLike()] }
    let bits = x.graph.add(RngBitGenerator(x.shape), Array(operands.dropFirst()))[0]
    return [select(bits.lessOrEqual(to: bits.filled(Double(last))), x * (1 / (1 - rate)), x.zerosLike())]
  }

  /// An element is kept if its random bits are at most this; nil if none is kept. It is an event of probability 1 − rate:
  /// the upper 23 bits, as a number in 0 ..< 1, are less than that, as a `float32`.
  public var keptBits: UInt32? {
    let kept = UInt64((Double(Float(1 - rate)) * 0x1p23).rounded(.up))
    return kept == 0 ? nil : UInt32(kept << 9 - 1)
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let rest = Array(context.operands.dropFirst())
    return [context.gradient.graph.add(self, [context.gradient] + rest)[0]] + rest.map { _ in nil }
  }
}

extension Tensor {
  /// The tensor with elements set to zero with probability `rate` and the others divided by 1 − `rate`.
  /// - Parameters:
  ///   - rate: the probability of zero.
  ///   - key: a random key, `uint32[2]`.
  ///   - position: a scalar `uint32` that is added to the positions of the random bits, for a part of a larger tensor.
  public func dropout(rate: Double, key: Tensor, position: Tensor? = nil) -> Tensor {
    graph.add(Dropout(rate: rate), [self, key] + (position.map { [$0] } ?? []))[0]
  }
}
