// A worker's part of a batch. When several workers compute one step, each traces the same program for its own samples,
// and sums over the batch are completed where they are needed: gradients, the loss, the statistics of a normalization.

import AccelerandoCore

/// The part of a batch that one of several workers computes.
public struct BatchShare {
  /// The number of samples in the whole batch.
  public let globalCount: Int
  /// The number of rows of this worker's part. It is the same for all workers, so those with fewer samples repeat some.
  public let count: Int
  /// The index of the part's first sample in the batch, a scalar `int32`.
  public let offset: Tensor
  /// The number of samples in the part, a scalar `float32`.
  public let sampleCount: Tensor
  /// 1 for samples and 0 for rows that are repeated, `float32[count]`; nil where no worker repeats any.
  public let mask: Tensor?
  /// Parts with fewer samples say too little of a mean and a variance: statistics are then taken over the whole batch.
  public let leastSamples: Int

  /// Describes a part.
  public init(
    globalCount: Int, count: Int, offset: Tensor, sampleCount: Tensor, mask: Tensor?, leastSamples: Int = 2
  ) {
    self.leastSamples = leastSamples
    self.globalCount = globalCount
    self.count = count
    self.offset = offset
    self.sampleCount = sampleCount
    self.mask = mask
  }

  /// Whether some part has so few samples that statistics are taken over the whole batch.
  var isTooSmallForStatistics: Bool { count - (mask == nil ? 0 : 1) < leastSamples }

  /// The sum of a tensor over the workers.
  public func summed(_ partial: Tensor) -> Tensor { partial.allReduced(.sum) }

  /// The mean of a floating-point tensor over the workers, weighted by their numbers of samples.
  public func averaged(_ value: Tensor) -> Tensor {
    let weight = (sampleCount / Double(max(globalCount, 1))).converted(to: value.dtype)
    return summed(value * weight)
  }

  /// The tensor with repeated rows set to zero.
  /// - Parameter rows: a tensor whose first axis is the batch.
  public func masked(_ rows: Tensor) -> Tensor {
    guard let mask, rows.shape.first == count else { return rows }
    return rows * mask.converted(to: rows.dtype).broadcast(to: rows.shape, axes: [0])
  }

  /// The samples of all workers, in their order.
  /// - Parameter rows: a tensor whose first axis is the batch.
  func gathered(_ rows: Tensor) -> Tensor {
    let all = rows.type.with([globalCount] + rows.shape.dropFirst())
    let places = rows.iota(TensorType(.int32, [count]), axis: 0) + offset.broadcast(to: [count])
    // A row that only fills up adds nothing, to a sample that is there.
    let inside = places.minimum(places.filled(Double(max(globalCount - 1, 0))))
    return summed(rows.constant(NDArray(zeros: all)).scattering(masked(rows), at: inside))
  }

  /// The position of the part's random bits among those of the whole batch; nil for a tensor whose first axis is not
  /// the batch.
  func randomPosition(ofShape shape: [Int]) -> Tensor? {
    guard shape.first == count else { return nil }
    let elements = shape.dropFirst().reduce(1, *)
    return (offset * Double(elements)).converted(to: .uint32)
  }
}
