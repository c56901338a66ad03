// Operations that make, move, cut or join elements without changing them.

import AccelerandoCore

extension OperationCatalog {
  static let movement: [CatalogEntry] = [
    CatalogEntry("constant", Constant.self) { maker in Example(Constant(maker.tensor(maker.shape())), []) },
    CatalogEntry("iota", Iota.self, DType.numbers) { maker in
      let shape = maker.shape(1...4)
      return Example(Iota(TensorType(maker.dtype, shape), axis: maker.random.integer(0...shape.count - 1)), [])
    },
    CatalogEntry("reshape", Reshape.self) { maker in
      let shape = maker.shape()
      let count = shape.elementCount
      let divisor = (1...9).filter { count % $0 == 0 }.randomElement(using: &maker.random) ?? 1
      let target = [[count], [count / divisor, divisor], [1, divisor, count / divisor, 1], shape.reversed()]
      return Example(Reshape(maker.random.pick(target)), [maker.tensor(shape)])
    },
    CatalogEntry("transpose", Transpose.self) { maker in
      let shape = maker.shape()
      return Example(Transpose(Array(shape.indices).shuffled(using: &maker.random)), [maker.tensor(shape)])
    },
    CatalogEntry("transpose of large matrices", Transpose.self, [.bool, .float32, .bfloat16, .float64]) { maker in
      guard !maker.isForGradient else { return nil }
      let shape = [maker.random.integer(1...3), maker.random.integer(30...140), maker.random.integer(30...140)]
      return Example(Transpose(Array(0..<3).shuffled(using: &maker.random)), [maker.tensor(shape)])
    },
    CatalogEntry("broadcast_in_dim", BroadcastInDim.self) { maker in
      let target = maker.shape()
      let kept = target.indices.filter { _ in maker.random.chance(0.6) }.shuffled(using: &maker.random)
      let source = kept.map { maker.random.chance(0.3) ? 1 : target[$0] }
      return Example(BroadcastInDim(target, axes: kept), [maker.tensor(source)])
    },
    CatalogEntry("reverse", Reverse.self) { maker in
      let shape = maker.shape()
      return Example(Reverse(axes: shape.indices.filter { _ in maker.random.chance(0.5) }), [maker.tensor(shape)])
    },
    CatalogEntry("slice", Slice.self) { maker in
      let shape = maker.shape()
      let starts = shape.map { maker.random.integer(0...$0) }
      let limits = zip(starts, shape).map { maker.random.integer($0...$1) }
      let strides = shape.map { _ in maker.random.integer(1...3) }
      return Example(Slice(starts: starts, limits: limits, strides: strides), [maker.tensor(shape)])
    },
    CatalogEntry("pad", Pad.self) { maker in
      let shape = maker.shape()
      let low = shape.map { _ in maker.random.integer(-2...3) }
      let high = shape.map { _ in maker.random.integer(-2...3) }
      let interior = shape.map { _ in max(0, maker.random.integer(-2...2)) }
      return Example(Pad(low: low, high: high, interior: interior), [maker.tensor(shape), maker.tensor([])], terms: 9)
    },
    CatalogEntry("concatenate", Concatenate.self) { maker in
      let shape = maker.shape(1...4)
      let axis = maker.random.integer(0...shape.count - 1)
      let parts = (0...maker.random.integer(0...3)).map { _ in
        var part = shape
        part[axis] = maker.size()
        return maker.tensor(part)
      }
      return Example(Concatenate(axis: axis), parts)
    },
  ]
}
