// Operations whose places or order are computed, and those that choose what to compute.

import AccelerandoCore

extension OperationCatalog {
  static let indexing: [CatalogEntry] =
    [
      CatalogEntry("dynamic_slice", DynamicSlice.self) { maker in
        let shape = maker.shape()
        let sizes = shape.map { maker.random.integer(0...$0) }
        return Example(DynamicSlice(sizes: sizes), [maker.tensor(shape)] + starts(&maker, shape))
      },
      CatalogEntry("dynamic_update_slice", DynamicUpdateSlice.self) { maker in
        let shape = maker.shape()
        let part = shape.map { maker.random.integer(0...$0) }
        return Example(DynamicUpdateSlice(), [maker.tensor(shape), maker.tensor(part)] + starts(&maker, shape))
      },
      CatalogEntry("gather", Gather.self) { maker in
        guard let plan = IndexedAccess(&maker) else { return nil }
        return Example(
          Gather(plan.dimensions, sliceSizes: plan.sliceSizes), [maker.tensor(plan.shape), plan.indices])
      },
      CatalogEntry("gather of rows", Gather.self) { maker in
        let (rows, width) = (maker.random.integer(1...9), maker.random.integer(1...33))
        let dimensions = Gather.Dimensions(offset: [1], collapsed: [0], startIndexMap: [0], indexVector: 1)
        let indices = maker.indices([maker.size()], limit: rows, dtype: .int32)
        return Example(
          Gather(dimensions, sliceSizes: [1, width]), [maker.tensor([rows, maker.isForGradient ? 3 : width]), indices])
      },
      CatalogEntry("gather of rows by indices of any shape", Gather.self) { maker in
        let (dimensions, shape, indices) = rows(&maker)
        return Example(
          Gather(dimensions, sliceSizes: [1] + shape.dropFirst()), [maker.tensor(shape), indices])
      },
      CatalogEntry("scatter add of rows", Scatter.self, DType.floating) { maker in
        let (dimensions, shape, indices) = rows(&maker)
        return Example(
          Scatter(.add, Scatter.Dimensions(dimensions)),
          [
            maker.tensor(shape, .moderate), indices,
            maker.tensor(indices.shape + Array(shape.dropFirst()), .moderate),
          ], ulps: 32, terms: Double(indices.elementCount))
      },
    ]
    + Scatter.Function.allCases.map { function in
      CatalogEntry("scatter \(function)", Scatter.self) { maker in
        guard let plan = IndexedAccess(&maker) else { return nil }
        let d = Scatter.Dimensions(plan.dimensions)
        let domain: Domain =
          switch function {
          case .set: .any
          case .add, .multiply: .moderate
          case .min, .max: .distinct
          }
        // A product has a gradient only where every element is met once.
        let isUnique = function == .multiply && maker.isForGradient
        if isUnique, plan.windows > 1 { return nil }
        return Example(
          Scatter(function, d, indicesAreUnique: isUnique),
          [maker.tensor(plan.shape, domain), plan.indices, maker.tensor(plan.windowsShape, domain)], ulps: 32,
          terms: Double(plan.windows))
      }
    }
    + [false, true].map { descending in
      CatalogEntry("sort \(descending ? "descending" : "ascending")", Sort.self) { maker in
        let shape = maker.shape(1...3)
        guard shape.elementCount < 3000 else { return nil }
        var operands = [maker.tensor(shape, maker.isForGradient ? .distinct : .any)]
        for _ in 0..<maker.random.integer(0...2) {
          operands.append(
            maker.tensor(shape, dtype: maker.isForGradient ? .float64 : maker.random.pick(DType.allCases)))
        }
        return Example(Sort(axis: maker.random.integer(0...shape.count - 1), descending: descending), operands)
      }
    }

  /// Numbers of whole rows, some beyond the last.
  private static func rows(_ maker: inout ExampleMaker) -> (Gather.Dimensions, shape: [Int], indices: NDArray) {
    let most = maker.isForGradient ? 3 : 40
    let shape =
      [maker.random.integer(1...9)] + (0..<maker.random.integer(0...1)).map { _ in maker.random.integer(1...most) }
    let batch = (0..<maker.random.integer(1...2)).map { _ in maker.random.integer(1...6) }
    let dimensions = Gather.Dimensions(
      offset: Array(batch.count..<batch.count + shape.count - 1), collapsed: [0], startIndexMap: [0],
      indexVector: batch.count)
    let dtype = maker.random.pick([DType.int32, .int64])
    return (dimensions, shape, maker.indices(batch, limit: shape[0], dtype: dtype))
  }

  private static func starts(_ maker: inout ExampleMaker, _ shape: [Int]) -> [NDArray] {
    let dtype = maker.random.pick([DType.int32, .int64, .int8, .uint32])
    return shape.map { maker.indices([], limit: $0, dtype: dtype) }
  }

  static let control: [CatalogEntry] =
    [
      CatalogEntry("while", While.self, DType.floating) { maker in
        let type = TensorType(maker.dtype, maker.shape(0...2))
        let rounds = maker.random.integer(0...4)
        let types = [TensorType(.int32, []), type, type]
        // A loop of unknown length has no gradient.
        guard type.elementCount < 1000, !maker.isForGradient,
          let condition = try? Program.trace(types, { [$0[0].less(than: $0[0].scalar(Double(rounds)))] }),
          let body = try? Program.trace(
            types,
            { carried in
              let next = (carried[1] * carried[2]).tanh() + carried[2] * 0.5
              return [carried[0] + 1, next, carried[2]]
            })
        else { return nil }
        return Example(
          While(condition: condition, body: body),
          [NDArray(scalar: Int32(0)), maker.tensor(type.shape, .moderate), maker.tensor(type.shape, .moderate)],
          ulps: 64, terms: 16)
      }
    ]
    + [false, true].map { isReversed in
      CatalogEntry("scan\(isReversed ? " in reverse" : "")", Scan.self, DType.floating) { maker in
        // A carried matrix and counter, a sequence of rows, a constant that every round reads.
        let (samples, width, length) = (
          maker.random.integer(1...5), maker.random.integer(1...4), maker.random.integer(0...5)
        )
        let (row, square) = (
          TensorType(maker.dtype, [samples, width]), TensorType(maker.dtype, [width, width])
        )
        let counter = TensorType(.int32, [])
        let types = [counter, row, counter, row, square]
        guard
          let body = try? Program.trace(
            types,
            { x in
              let next = (x[1].matmul(x[4]) * 0.5 + x[3] * (x[0].converted(to: x[3].dtype) + 1)).tanh()
              return [next, x[2] + 2, next * x[1], x[1], x[2] + x[0]]
            })
        else { return nil }
        return Example(
          Scan(body: body, carryCount: 2, sequenceCount: 1, length: length, isReversed: isReversed),
          [
            maker.tensor(row.shape, .moderate), NDArray(scalar: Int32(3)),
            maker.tensor([length] + row.shape, .moderate), maker.tensor(square.shape, .moderate),
          ], ulps: 256, terms: 64)
      }
    }
    + [
      CatalogEntry("stop_gradient", StopGradient.self) { maker in
        maker.isForGradient ? nil : Example(StopGradient(), [maker.tensor(maker.shape())])
      },
      CatalogEntry("case", Case.self, DType.floating) { maker in
        let type = TensorType(maker.dtype, maker.shape(0...2))
        let formulas: [@Sendable (Tensor, Tensor) -> Tensor] = [{ $0 * $1 }, { x, _ in x.tanh() }, { $0 - $1 * 2 }]
        let branches = formulas.compactMap { formula in
          try? Program.trace([type, type]) { [formula($0[0], $0[1]), $0[1]] }
        }
        let index = maker.indices([], limit: branches.count, dtype: .int32)
        return Example(
          Case(branches: branches),
          [index, maker.tensor(type.shape, .moderate), maker.tensor(type.shape, .moderate)], ulps: 16, terms: 2)
      },
    ]
    + Reduce.Function.allCases.map { function in
      CatalogEntry("all_reduce \(function)", AllReduce.self, function.dtypes) { maker in
        Example(AllReduce(function), [maker.tensor(maker.shape(), .moderate)])
      }
    }
}

/// A random choice of axes for a gather or scatter, in full generality.
private struct IndexedAccess {
  let shape: [Int]
  let sliceSizes: [Int]
  let dimensions: Gather.Dimensions
  let indices: NDArray
  /// The shape of all windows together: a gather's result, a scatter's updates.
  let windowsShape: [Int]
  /// The number of windows.
  let windows: Int

  init?(_ maker: inout ExampleMaker) {
    enum Role { case batching, collapsed, kept }
    let shape = maker.shape(1...4)
    guard shape.elementCount < 3000 else { return nil }
    let roles = shape.map { _ in maker.random.pick([Role.batching, .collapsed, .kept, .kept]) }
    let batching = shape.indices.filter { roles[$0] == .batching }
    let collapsed = shape.indices.filter { roles[$0] == .collapsed }
    let kept = shape.indices.filter { roles[$0] == .kept }
    let sliceSizes = shape.indices.map { roles[$0] == .kept ? maker.random.integer(min(1, shape[$0])...shape[$0]) : 1 }
    let map = shape.indices.filter { roles[$0] != .batching && maker.random.chance(0.7) }
      .shuffled(using: &maker.random)

    // The indices: batching axes and others of their own in any order, the index vector anywhere.
    let own = (0..<maker.random.integer(0...2)).map { _ in maker.random.integer(0...3) }
    let batchSizes = batching.map { shape[$0] } + own
    let order = Array(batchSizes.indices).shuffled(using: &maker.random)
    var indexShape = order.map { batchSizes[$0] }
    var places = batching.indices.map { order.firstIndex(of: $0) ?? 0 }
    var vector = indexShape.count
    if map.count != 1 || maker.random.chance(0.6) {
      vector = maker.random.integer(0...indexShape.count)
      indexShape.insert(map.count, at: vector)
      places = places.map { $0 >= vector ? $0 + 1 : $0 }
    }
    let batchShape = indexShape.indices.filter { $0 != vector }.map { indexShape[$0] }

    let rank = batchShape.count + kept.count
    let offset = Array(Array(0..<rank).shuffled(using: &maker.random).prefix(kept.count)).sorted()
    var window = kept.map { sliceSizes[$0] }[...]
    var batch = batchShape[...]
    let windowsShape = (0..<rank).compactMap { offset.contains($0) ? window.popFirst() : batch.popFirst() }
    self.shape = shape
    self.sliceSizes = sliceSizes
    self.windowsShape = windowsShape
    windows = batchShape.elementCount
    dimensions = Gather.Dimensions(
      offset: offset, collapsed: collapsed, operandBatching: batching, indicesBatching: places, startIndexMap: map,
      indexVector: vector)
    let limit = map.map { shape[$0] - sliceSizes[$0] + 1 }.max() ?? 1
    indices = maker.indices(indexShape, limit: limit, dtype: maker.random.pick([.int32, .int64]))
  }
}
