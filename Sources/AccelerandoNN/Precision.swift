// Mixed precision: layers compute in 16 bits, where devices are several times as fast, while weights, optimizer,
// statistics and losses stay in 32.

import AccelerandoCore

/// The element types that a model computes in.
public enum Precision: String, Hashable, Sendable, CaseIterable {
  /// Everything in 32 bits.
  case float32
  /// Layers compute in bfloat16, which has the range of 32 bits.
  case mixedBFloat16 = "mixed_bfloat16"
  /// Layers compute in float16. Its range is small: the loss is scaled so that gradients do not vanish.
  case mixedFloat16 = "mixed_float16"

  /// The element type that layers compute in; nil for that of their inputs and parameters.
  public var computeType: DType? {
    switch self {
    case .float32: nil
    case .mixedBFloat16: .bfloat16
    case .mixedFloat16: .float16
    }
  }

  /// Whether gradients underflow in the type without scaling.
  public var scalesLoss: Bool { self == .mixedFloat16 }
}

extension Tensor {
  /// A model's result in 32 bits. A final softmax or sigmoid is recomputed in 32 bits: in 16 bits, close probabilities
  /// would become equal.
  public func widenedPrediction() -> Tensor {
    guard dtype == .bfloat16 || dtype == .float16 else { return self }
    if let definition, definition.operands.count == 1, let operand = definition.operands.first,
      definition.operation is AccelerandoCore.Softmax || (definition.operation as? Unary)?.function == .logistic
    {
      return graph.add(definition.operation, operand.converted(to: .float32))
    }
    return converted(to: .float32)
  }
}
