// Composites. In 16-bit types a formula may be rounded at every operation or once at its end, so the distance allowed is
// larger than for one operation.

import AccelerandoCore

extension OperationCatalog {
  static let composites: [CatalogEntry] = functions + random + normalizations + updates + classes + attention

  private static let functions: [CatalogEntry] =
    [
      simple("relu", Relu(), DType.numbers), simple("relu with a limit", Relu(limit: 0.75)),
      simple("gelu", Gelu(approximate: false)),
      simple("gelu, approximate", Gelu(approximate: true)), simple("silu", Silu()), simple("erf", Erf()),
      CatalogEntry("erf_inv", ErfInverse.self, DType.floating) { maker in
        Example(
          ErfInverse(),
          [maker.tensor(maker.shape(), maker.isForGradient ? .range(-0.95...0.95) : .range(-0.999...0.999))],
          ulps: 64, terms: 1)
      },
      alongAxis("softmax", Softmax.self) { Softmax(axis: $0) },
      alongAxis("log_softmax", LogSoftmax.self) { LogSoftmax(axis: $0) },
      alongAxis("log_sum_exp", LogSumExp.self) { LogSumExp(axis: $0) },
      CatalogEntry("cumulative_sum", CumulativeSum.self, DType.numbers) { maker in
        let shape = maker.shape(1...3)
        let operation = CumulativeSum(
          axis: maker.random.integer(0...shape.count - 1), reverse: maker.random.chance(0.5),
          exclusive: maker.random.chance(0.5))
        // Rounded at every step, so what 16 bits lose grows with the sums.
        guard shape.elementCount < 5000 else { return nil }
        return Example(operation, [maker.tensor(shape, .moderate)], ulps: 32, terms: 512)
      },
    ]
    + [
      CatalogEntry("three_way_compare", ThreeWayCompare.self) { maker in
        let shape = maker.shape(0...3)
        let a = maker.tensor(shape)
        return Example(ThreeWayCompare(), [a, maker.random.chance(0.3) ? a : maker.tensor(shape)])
      }
    ]

  private static let random: [CatalogEntry] = [
    CatalogEntry("threefry", Threefry.self, [.uint32]) { maker in
      let shape = maker.shape()
      return Example(Threefry(maker.random.pick(Threefry.Word.allCases)), (0..<3).map { _ in maker.tensor(shape) })
    },
    CatalogEntry("rng_bit_generator", RngBitGenerator.self, [.uint32]) { maker in
      let position = maker.random.chance(0.5) ? [maker.tensor([])] : []
      return Example(RngBitGenerator(maker.shape()), [maker.tensor([2])] + position)
    },
    CatalogEntry("rng_split", RngSplit.self, [.uint32]) { maker in
      Example(RngSplit(count: maker.random.integer(0...5)), [maker.tensor([2])])
    },
    CatalogEntry("rng_fold_in", RngFoldIn.self, [.uint32]) { maker in
      Example(RngFoldIn(), [maker.tensor([2]), maker.tensor([])])
    },
    CatalogEntry("dropout", Dropout.self, DType.floating) { maker in
      let x = maker.tensor(maker.shape(), .moderate)
      let position = maker.random.chance(0.5) ? [maker.tensor([], dtype: .uint32)] : []
      return Example(
        Dropout(rate: maker.random.pick([0, 0.1, 0.5, 1])), [x, maker.tensor([2], dtype: .uint32)] + position)
    },
  ]

  private static let normalizations: [CatalogEntry] = [
    layerNormalizationGradient,
    CatalogEntry("moments", Moments.self, DType.floating) { maker in
      let (shape, axis) = features(&maker)
      return Example(Moments(axis: axis), [maker.tensor(shape, .moderate)], ulps: 256, terms: 256)
    },
    CatalogEntry("centered_sums", CenteredSums.self, DType.floating) { maker in
      let (shape, axis) = features(&maker)
      return Example(
        CenteredSums(axis: axis), [shape, shape, [shape[axis]]].map { maker.tensor($0, .moderate) }, ulps: 256,
        terms: 256)
    },
    CatalogEntry("batch_norm_training", BatchNormTraining.self, DType.floating) { maker in
      let (shape, axis) = features(&maker)
      let vectors = (0..<2).map { _ in maker.tensor([shape[axis]], .moderate) }
      return Example(
        BatchNormTraining(axis: axis, epsilon: 1e-2), [maker.tensor(shape, .moderate)] + vectors, ulps: 256, terms: 256)
    },
    CatalogEntry("batch_norm_inference", BatchNormInference.self, DType.floating) { maker in
      let (shape, axis) = features(&maker)
      let vectors = [Domain.moderate, .moderate, .moderate, .range(0.5...2)].map { maker.tensor([shape[axis]], $0) }
      return Example(
        BatchNormInference(axis: axis, epsilon: 1e-3), [maker.tensor(shape, .moderate)] + vectors, ulps: 64, terms: 32)
    },
    CatalogEntry("layer_normalization", LayerNormalization.self, DType.floating) { maker in
      let shape = maker.shape(1...4, atLeast: 1)
      guard shape.elementCount < 5000 else { return nil }
      let count = maker.random.integer(1...shape.count)
      let vectors = (0..<2).map { _ in maker.tensor(Array(shape.suffix(count)), .moderate) }
      return Example(
        LayerNormalization(axisCount: count, epsilon: 1e-2), [maker.tensor(shape, .moderate)] + vectors, ulps: 256,
        terms: 256)
    },
  ]

  private static let layerNormalizationGradient = CatalogEntry(
    "layer_normalization_gradient", LayerNormalizationGradient.self, DType.floating
  ) { maker in
    let shape = maker.shape(1...4, atLeast: 1)
    guard shape.elementCount < (maker.isForGradient ? 300 : 5000) else { return nil }
    let count = maker.random.integer(1...shape.count)
    return Example(
      LayerNormalizationGradient(axisCount: count, epsilon: 1e-1),
      [shape, Array(shape.suffix(count)), shape].map { maker.tensor($0, .moderate) }, ulps: 512, terms: 512)
  }

  /// A shape and the axis of its features.
  private static func features(_ maker: inout ExampleMaker) -> (shape: [Int], axis: Int) {
    var shape = maker.shape(1...4, atLeast: 1)
    while shape.elementCount > 5000 { shape[0] = (shape[0] + 1) / 2 }
    return (shape, maker.random.integer(0...shape.count - 1))
  }

  private static let updates: [CatalogEntry] = [
    CatalogEntry("adam_update", AdamUpdate.self, DType.floating) { maker in
      let shape = maker.shape()
      let decays = maker.random.chance(0.5)
      let tensors = [Domain.moderate, .moderate, .range(0.1...2), .moderate].map { maker.tensor(shape, $0) }
      let rates = (0..<(decays ? 2 : 1)).map { _ in maker.tensor([], .range(0.01...0.1)) }
      return Example(
        AdamUpdate(beta1: 0.9, beta2: 0.99, epsilon: 1e-3, decays: decays), tensors + rates, ulps: 32, terms: 8)
    },
    CatalogEntry("momentum_update", MomentumUpdate.self, DType.floating) { maker in
      let shape = maker.shape()
      let decays = maker.random.chance(0.5)
      let tensors = (0..<3).map { _ in maker.tensor(shape, .moderate) }
      let rates = (0..<(decays ? 2 : 1)).map { _ in maker.tensor([], .range(0.01...0.1)) }
      return Example(
        MomentumUpdate(momentum: 0.9, nesterov: maker.random.chance(0.5), decays: decays), tensors + rates, ulps: 32,
        terms: 8)
    },
  ]

  private static func simple(
    _ name: String, _ operation: some Composite, _ dtypes: [DType] = DType.floating
  ) -> CatalogEntry {
    CatalogEntry(name, type(of: operation), dtypes) { maker in
      let domain: Domain = maker.isForGradient ? .any : .moderate
      return Example(operation, [maker.tensor(maker.shape(), domain)], ulps: 16, terms: 4)
    }
  }

  private static func alongAxis(
    _ name: String, _ type: any Operation.Type, _ operation: @escaping @Sendable (Int) -> any Operation
  ) -> CatalogEntry {
    CatalogEntry(name, type, DType.floating) { maker in
      let shape = maker.shape(1...4, atLeast: 1)
      guard shape.elementCount < 5000 else { return nil }
      let axis = maker.random.integer(0...shape.count - 1)
      return Example(operation(axis), [maker.tensor(shape, .range(-8...8))], ulps: 32, terms: 16)
    }
  }
}
