// Operations on classes and on sequences: softmax gradients, cross-entropy and attention. Rows go past a vector and a
// group of vectors, sequences past a block of queries and of keys.

import AccelerandoCore

extension OperationCatalog {
  static let classes: [CatalogEntry] = [
    ofResult("softmax_gradient", SoftmaxGradient.self, .range(0...1)) { SoftmaxGradient(axis: $0) },
    ofResult("log_softmax_gradient", LogSoftmaxGradient.self, .range(-6...0)) { LogSoftmaxGradient(axis: $0) },
    CatalogEntry("sparse_cross_entropy", SparseCrossEntropy.self, DType.floating) { maker in
      let (logits, labels) = logitsAndLabels(&maker)
      return Example(SparseCrossEntropy(), [logits, labels], ulps: 32, terms: 32)
    },
    CatalogEntry("sparse_cross_entropy_gradient", SparseCrossEntropyGradient.self, DType.floating) { maker in
      let (logits, labels) = logitsAndLabels(&maker)
      let row = labels.shape
      return Example(
        SparseCrossEntropyGradient(),
        [logits, labels, maker.tensor(row, .range(1...4)), maker.tensor(row, .moderate)], ulps: 64, terms: 64)
    },
  ]

  /// Rows on the last axis more often than not, of lengths around the vectors of every instruction set.
  private static func ofResult(
    _ name: String, _ type: any Operation.Type, _ domain: Domain,
    _ operation: @escaping @Sendable (Int) -> any Operation
  ) -> CatalogEntry {
    CatalogEntry(name, type, DType.floating) { maker in
      var shape = maker.shape(0...2)
      shape.append(maker.isForGradient ? maker.random.integer(1...5) : maker.random.pick([1, 3, 10, 16, 17, 40, 300]))
      guard shape.elementCount < 5000 else { return nil }
      let axis = maker.random.chance(0.7) ? shape.count - 1 : maker.random.integer(0...shape.count - 1)
      return Example(
        operation(axis), [maker.tensor(shape, domain), maker.tensor(shape, .moderate)], ulps: 64, terms: 256)
    }
  }

  private static func logitsAndLabels(_ maker: inout ExampleMaker) -> (NDArray, NDArray) {
    let rows = maker.isForGradient ? maker.random.integer(1...4) : maker.random.pick([0, 1, 5, 16, 33])
    let classes = maker.isForGradient ? maker.random.integer(1...5) : maker.random.pick([1, 2, 10, 17, 100, 300])
    // Now and then a label that is no class; a gradient has no slope there.
    let known = maker.isForGradient ? 0...classes - 1 : -1...classes
    let labels = (0..<rows).map { _ in Double(maker.random.integer(known)) }
    return (maker.tensor([rows, classes], .range(-8...8)), NDArray(labels, TensorType(.int32, [rows])))
  }

  static let attention: [CatalogEntry] = [false, true].flatMap { isCausal in
    [
      CatalogEntry(
        isCausal ? "causal attention" : "attention", ScaledDotProductAttention.self, DType.floating
      ) { maker in
        let dropout = rate(&maker)
        let operation = ScaledDotProductAttention(scale: 0.3, isCausal: isCausal, dropout: dropout)
        return Example(operation, sequences(&maker) + randomness(&maker, dropout), ulps: 64, terms: 256)
      },
      CatalogEntry(
        isCausal ? "causal attention gradient" : "attention gradient", ScaledDotProductAttentionGradient.self,
        DType.floating
      ) { maker in
        let dropout = rate(&maker)
        let inputs = sequences(&maker) + randomness(&maker, dropout)
        let operation = ScaledDotProductAttention(scale: 0.3, isCausal: isCausal, dropout: dropout)
        guard let results = try? operation.infer(inputs.map(\.type)) else { return nil }
        let logSums = maker.tensor(results[1].shape, .range(3...5))
        var operands = inputs + [maker.tensor(results[0].shape, .moderate), logSums]
        operands.append(maker.tensor(results[0].shape, .moderate))
        if maker.random.chance(0.5) { operands.append(maker.tensor(results[1].shape, .moderate)) }
        let gradient = ScaledDotProductAttentionGradient(scale: 0.3, isCausal: isCausal, dropout: dropout)
        return Example(gradient, operands, ulps: 512, terms: 4096)
      },
    ]
  }

  private static func rate(_ maker: inout ExampleMaker) -> Double { maker.random.pick([0, 0, 0.1, 0.5, 1]) }

  /// For dropout, a random key and sometimes a position.
  private static func randomness(_ maker: inout ExampleMaker, _ dropout: Double) -> [NDArray] {
    guard dropout > 0 else { return [] }
    let position = maker.random.chance(0.5) ? [maker.tensor([], dtype: .uint32)] : []
    return [maker.tensor([2], dtype: .uint32)] + position
  }

  /// A query, a key and a value.
  private static func sequences(_ maker: inout ExampleMaker) -> [NDArray] {
    let small = maker.isForGradient || maker.dtype != .float32
    let lengths = small ? [1, 2, 3, 5] : [1, 2, 17, 63, 64, 65, 130, 200]
    let sizes = small ? [1, 2, 3] : [1, 3, 8, 16, 20, 33]
    let (samples, heads) = (maker.random.integer(1...2), maker.random.integer(1...(small ? 2 : 3)))
    let queries = maker.random.pick(lengths)
    let keys = maker.random.chance(0.5) ? queries : maker.random.pick(lengths)
    let (keySize, valueSize) = (maker.random.pick(sizes), maker.random.pick(sizes))
    return [
      [samples, queries, heads, keySize], [samples, keys, heads, keySize], [samples, keys, heads, valueSize],
    ].map { maker.tensor($0, .moderate) }
  }
}
