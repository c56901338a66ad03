// Masks as formulas over tensors: the score of each weight, block or filter, the threshold that keeps the required
// number of them, and the mask in the weights' shape. They are traced into the step, so that no weight leaves the
// device.

import AccelerandoCore

extension Pruning.Structure {
  /// The score of each unit (weight, block, filter) of a tensor.
  func scores(of weights: Tensor) -> Tensor {
    let magnitudes = weights.abs()
    switch self {
    case .weights, .nOfM: return magnitudes
    case .blocks(let height, let width, let pooling):
      return pooled(pooled(magnitudes, axis: 0, size: height, pooling), axis: 1, size: width, pooling)
    case .filters: return magnitudes.mean(axes: Array(0..<weights.rank - 1))
    }
  }

  /// The number of units of a tensor of a shape.
  func unitCount(_ shape: [Int]) -> Int {
    switch self {
    case .weights, .nOfM: shape.reduce(1, *)
    case .blocks(let height, let width, _): (shape[0] + height - 1) / height * ((shape[1] + width - 1) / width)
    case .filters: shape[shape.count - 1]
    }
  }

  /// A mask of units as a mask of weights of a shape.
  func expanded(_ mask: Tensor, to shape: [Int]) -> Tensor {
    switch self {
    case .weights, .nOfM: return mask
    case .blocks(let height, let width, _):
      let (rows, columns) = (mask.shape[0], mask.shape[1])
      return mask.broadcast(to: [rows, height, columns, width], axes: [0, 2])
        .reshaped([rows * height, columns * width])
        .sliced(starts: [0, 0], limits: shape)
    case .filters: return mask.broadcast(to: shape, axes: [shape.count - 1])
    }
  }

  /// The scores of blocks along one axis. Windows are placed as by padding "same" and positions beyond the edges do not
  /// count, while the mask's blocks begin at the first element: TensorFlow's toolkit does both, so masks agree.
  private func pooled(_ x: Tensor, axis: Int, size: Int, _ pooling: Pruning.Pooling) -> Tensor {
    guard size > 1 else { return x }
    let extent = x.shape[axis]
    let padding = (extent + size - 1) / size * size - extent
    var window = WindowGeometry(size: [1, 1], strides: [1, 1])
    window.size[axis] = size
    window.strides[axis] = size
    window.paddingLow[axis] = padding / 2
    window.paddingHigh[axis] = padding - padding / 2
    switch pooling {
    case .max: return x.graph.add(ReduceWindow(.max, window), x)
    case .mean:
      let sum = x.graph.add(ReduceWindow(.sum, window), x)
      let count = x.graph.add(ReduceWindow(.sum, window), x.onesLike())
      return sum / count
    }
  }
}

/// The mask that removes the `zeros` smallest of each group of `size` neighbours along the input axis; of equal ones
/// the first are kept.
func groupMask(_ weights: Tensor, zeros: Int, of size: Int) -> Tensor {
  let axis = weights.rank - 2
  let shape = weights.shape
  let grouped = Array(shape[..<axis]) + [shape[axis] / size, size] + shape[(axis + 1)...]
  let magnitudes = weights.abs().reshaped(grouped)
  let members = (0..<size).map { magnitudes.sliced(axis: axis + 1, $0..<$0 + 1) }
  let masks = members.indices.map { index -> Tensor in
    // The number of units that come before this one.
    let ahead = members.indices.filter { $0 != index }.map { other in
      let isAhead =
        other < index
        ? members[other].greaterOrEqual(to: members[index]) : members[other].greater(than: members[index])
      return isAhead.converted(to: .int32)
    }
    let rank = ahead.dropFirst().reduce(ahead.first ?? members[index].zerosLike().converted(to: .int32), +)
    return rank.less(than: rank.scalar(Double(size - zeros)))
  }
  return Tensor.concatenating(masks, axis: axis + 1).reshaped(shape)
}

/// The masks of tensors whose units compete, and the thresholds; a unit that reaches its threshold is kept.
/// - Parameters:
///   - kept: the number of units to keep, an `int32` scalar of at least 1.
func competitionMasks(
  _ weights: [Tensor], structure: Pruning.Structure, competition: Pruning.Competition, kept: Tensor
) -> (masks: [Tensor], thresholds: [Tensor]) {
  let scores = weights.map { structure.scores(of: $0) }
  let flat = scores.map { $0.reshaped([$0.type.elementCount]) }
  let thresholds: [Tensor]
  if competition == .lamp {
    thresholds = layerAdaptiveThresholds(flat, kept: kept)
  } else {
    let threshold = joined(flat).sorted(descending: true).dynamicElement(kept - 1)
    thresholds = weights.map { _ in threshold }
  }
  let masks = weights.indices.map { index -> Tensor in
    let (weight, score) = (weights[index], scores[index])
    let isKept = score.greaterOrEqual(to: thresholds[index].broadcast(to: score.shape))
    return structure.expanded(isKept, to: weight.shape)
  }
  return (masks, thresholds)
}

/// The threshold of each tensor that keeps as many units together as have the largest LAMP scores.
///
/// With units sorted by size, the score of each unit of a tensor is its square divided by the sum of the squares up to
/// it. Scores decrease in that order, so the number of scores above the common threshold determines the tensor's last
/// unit. The largest unit of every tensor has the score 1: no tensor loses everything.
private func layerAdaptiveThresholds(_ magnitudes: [Tensor], kept: Tensor) -> [Tensor] {
  let ordered = magnitudes.map { $0.sorted(descending: true) }
  let scores = ordered.map { units -> Tensor in
    // Relative to the largest, so that squares do not overflow or, if they matter, underflow.
    let units = units.converted(to: .float32)
    let largest = units.sliced(axis: 0, 0..<1).reshaped([])
    let parts =
      units / select(largest.greater(than: largest.zerosLike()), largest, largest.onesLike()).broadcast(to: units.shape)
    let squares = parts * parts
    let sums = squares.cumulativeSum(axis: 0)
    return squares / sums.maximum(Double(Float.leastNormalMagnitude))
  }
  let threshold = joined(scores).sorted(descending: true).dynamicElement(kept - 1)
  return zip(ordered, scores).map { units, score -> Tensor in
    let count = score.greaterOrEqual(to: threshold.broadcast(to: score.shape)).converted(to: .int32).sum()
    return units.dynamicElement(count - 1)
  }
}

private func joined(_ vectors: [Tensor]) -> Tensor {
  vectors.count == 1 ? vectors[0] : Tensor.concatenating(vectors, axis: 0)
}
