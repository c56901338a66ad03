// The operations whose places are computed: dynamic slices, gather, scatter, sort.

import AccelerandoCore

func dynamicSlice(_ x: ReferenceArray, _ starts: [ReferenceArray], _ type: TensorType) -> ReferenceArray {
  let start = clampedStart(starts, of: type.shape, in: x.shape)
  return ReferenceArray(type) { index in x[zip(start, index).map(+)] }
}

func dynamicUpdateSlice(_ x: ReferenceArray, _ update: ReferenceArray, _ starts: [ReferenceArray]) -> ReferenceArray {
  let start = clampedStart(starts, of: update.shape, in: x.shape)
  var result = x
  forEachIndex(update.shape) { index in result[zip(start, index).map(+)] = update[index] }
  return result
}

private func clampedStart(_ starts: [ReferenceArray], of part: [Int], in whole: [Int]) -> [Int] {
  starts.indices.map { axis in clamp(starts[axis].elements[0].integer, 0, whole[axis] - part[axis]) }
}

private func clamp(_ value: Int64, _ low: Int, _ high: Int) -> Int {
  Int(max(Int64(low), min(value, Int64(high))))
}

func gather(_ operation: Gather, _ x: ReferenceArray, _ indices: ReferenceArray, _ type: TensorType) -> ReferenceArray {
  let d = operation.dimensions
  let batchAxes = type.shape.indices.filter { !d.offset.contains($0) }
  return ReferenceArray(type) { index in
    let place = IndexedPlace(d, indices, batchAxes.map { index[$0] }, rank: x.type.rank)
    let window = d.offset.map { index[$0] }
    return x[
      x.shape.indices.map { axis in
        // A batching coordinate lies inside by itself; a start is moved until the window does.
        clamp(place.start[axis], 0, x.shape[axis] - operation.sliceSizes[axis]) + place.offset(axis, window)
      }]
  }
}

func scatter(
  _ operation: Scatter, _ x: ReferenceArray, _ indices: ReferenceArray, _ updates: ReferenceArray
) -> ReferenceArray {
  let d = operation.dimensions
  let sizes = operation.sliceSizes(x.type, updates.type)
  let batchAxes = updates.shape.indices.filter { !d.updateWindow.contains($0) }
  var result = x
  forEachIndex(updates.shape) { index in
    let place = IndexedPlace(d.gather, indices, batchAxes.map { index[$0] }, rank: x.type.rank)
    let window = d.updateWindow.map { index[$0] }
    for axis in x.shape.indices where place.start[axis] < 0 || place.start[axis] > Int64(x.shape[axis] - sizes[axis]) {
      return
    }
    let target = x.shape.indices.map { Int(place.start[$0]) + place.offset($0, window) }
    result[target] =
      operation.function.combiner?.function.apply(result[target], updates[index], x.dtype) ?? updates[index]
  }
  return result
}

/// Where one window of a gather or scatter lies in the tensor.
private struct IndexedPlace {
  /// The first index of the window along each axis, before any clamping.
  let start: [Int64]
  private let windowAxes: [Int]

  init(_ d: Gather.Dimensions, _ indices: ReferenceArray, _ batch: [Int], rank: Int) {
    /// The place in `indices` of component `component` of the index vector that belongs to `batch`.
    func index(_ component: Int) -> [Int] {
      var index = batch
      if d.indexVector < indices.type.rank { index.insert(component, at: d.indexVector) }
      return index
    }
    var start = [Int64](repeating: 0, count: rank)
    for (component, axis) in d.startIndexMap.enumerated() { start[axis] = indices[index(component)].integer }
    for (axis, source) in zip(d.operandBatching, d.indicesBatching) { start[axis] = Int64(index(0)[source]) }
    self.start = start
    windowAxes = (0..<rank).filter { !d.collapsed.contains($0) && !d.operandBatching.contains($0) }
  }

  /// How far element `window` of the window lies from its first, along one axis of the tensor.
  func offset(_ axis: Int, _ window: [Int]) -> Int {
    windowAxes.firstIndex(of: axis).map { window[$0] } ?? 0
  }
}

func sort(_ operation: Sort, _ operands: [ReferenceArray]) -> [ReferenceArray] {
  let keys = operands[0]
  var results = operands
  var lines = keys.shape
  let length = lines[operation.axis]
  lines[operation.axis] = min(length, 1)
  forEachIndex(lines) { line in
    func place(_ position: Int) -> [Int] {
      var index = line
      index[operation.axis] = position
      return index
    }
    // Insertion by "strictly before" keeps equals in their order.
    var order: [Int] = []
    for position in 0..<length {
      let target = order.firstIndex { isBefore(keys[place(position)], keys[place($0)], operation, keys.dtype) }
      order.insert(position, at: target ?? order.count)
    }
    for (target, source) in order.enumerated() {
      for number in operands.indices { results[number][place(target)] = operands[number][place(source)] }
    }
  }
  return results
}

/// Whether `a` comes before `b`: NaN is larger than every number.
private func isBefore(_ a: ReferenceScalar, _ b: ReferenceScalar, _ operation: Sort, _ dtype: DType) -> Bool {
  let (low, high) = operation.descending ? (b, a) : (a, b)
  if dtype.isFloating, low.real.isNaN || high.real.isNaN { return !low.real.isNaN && high.real.isNaN }
  return Compare.Direction.less.holds(low, high, dtype)
}
