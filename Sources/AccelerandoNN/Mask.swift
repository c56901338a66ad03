// Masks say which elements of sequences count. They belong to a trace and travel beside the tensors: a layer that makes
// sequences of different lengths attaches one, layers that keep positions pass it on, and those that combine positions
// use it.

import AccelerandoCore

extension Tensor {
  /// Which positions of the sequences count: `bool` `[N, T]`; nil if all do, or outside a trace of a model.
  public var mask: Tensor? { Scope.current?.mask(of: self) }

  /// The same tensor with a mask for layers that use it: `bool`, with the tensor's first axes, `[N, T]`. Another shape or
  /// type is an error of the trace.
  public func masked(by mask: Tensor?) -> Tensor {
    guard let mask, self.mask == nil, let scope = Scope.current else { return self }
    guard mask.dtype == .bool, mask.rank > 0, shape.starts(with: mask.shape) else {
      return rejected("needs a mask bool of its first axes, like \(Array(shape.prefix(2))); received \(mask.type).")
    }
    scope.setMask(mask, of: self)
    return self
  }
}

extension Layer {
  public var passesMask: Bool { false }

  /// The input's mask, if the layer passes it on; for several inputs, positions that count in one of them, if all have
  /// masks.
  public func outputMask(of inputs: [Tensor]) -> Tensor? {
    guard passesMask else { return nil }
    let masks = inputs.compactMap(\.mask)
    guard masks.count == inputs.count, let first = masks.first else { return nil }
    return masks.dropFirst().reduce(first) { $0.type == $1.type ? $0.or($1) : $0 }
  }
}
