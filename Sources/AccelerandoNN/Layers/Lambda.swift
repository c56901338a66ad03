// A formula as a layer, where a type of its own would be too much.

import AccelerandoCore

/// A layer without parameters whose formula is a closure. It cannot be written to files: where a model is saved as a recipe,
/// give the formula a type of its own that conforms to `ConfigurableLayer`.
public struct Lambda: Layer {
  public let name: String?
  private let formula: @Sendable (Tensor) -> Tensor

  /// Makes the layer.
  public init(name: String? = nil, _ formula: @escaping @Sendable (Tensor) -> Tensor) {
    self.name = name
    self.formula = formula
  }

  public func forward(_ x: Tensor) -> Tensor { formula(x) }
}
