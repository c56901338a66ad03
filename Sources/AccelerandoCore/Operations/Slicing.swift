// Operations that cut, pad or join: slice, pad, concatenate.

/// The elements from `starts` up to (not including) `limits`, by `strides`.
public struct Slice: Operation {
  /// The first index of each axis.
  public let starts: [Int]
  /// One past the last index of each axis.
  public let limits: [Int]
  /// The step of each axis, at least 1.
  public let strides: [Int]

  /// Makes the operation.
  public init(starts: [Int], limits: [Int], strides: [Int]) {
    self.starts = starts
    self.limits = limits
    self.strides = strides
  }

  public var name: String { "slice" }
  public var attributes: [StableHLOAttribute] {
    [
      StableHLOAttribute("start_indices", starts), StableHLOAttribute("limit_indices", limits),
      StableHLOAttribute("strides", strides),
    ]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    let shape = operands[0].shape
    guard starts.count == shape.count, limits.count == shape.count, strides.count == shape.count,
      shape.indices.allSatisfy({
        starts[$0] >= 0 && starts[$0] <= limits[$0] && limits[$0] <= shape[$0] && 1...Int.max >> 1 ~= strides[$0]
      })
    else {
      throw GraphError("cannot cut \(starts) ..< \(limits) by \(strides) out of \(operands[0]).")
    }
    return [
      operands[0].with(
        shape.indices.map { limits[$0] == starts[$0] ? 0 : (limits[$0] - starts[$0] - 1) / strides[$0] + 1 })
    ]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let source = context.operand.shape
    let result = context.result.shape
    let high = source.indices.map { axis in
      let covered = result[axis] == 0 ? 0 : (result[axis] - 1) * strides[axis] + 1
      return source[axis] - starts[axis] - covered
    }
    return [context.gradient.padded(low: starts, high: high, interior: strides.map { $0 - 1 })]
  }
}

/// Pads a tensor with a value at the edges and between elements. Negative amounts crop.
public struct Pad: Operation {
  /// Elements to add before the first, for each axis; may be negative.
  public let low: [Int]
  /// Elements to add after the last, for each axis; may be negative.
  public let high: [Int]
  /// Elements to add between two neighbours, for each axis; at least 0.
  public let interior: [Int]

  /// Makes the operation.
  public init(low: [Int], high: [Int], interior: [Int]) {
    self.low = low
    self.high = high
    self.interior = interior
  }

  public var name: String { "pad" }
  public var attributes: [StableHLOAttribute] {
    [
      StableHLOAttribute("edge_padding_low", low), StableHLOAttribute("edge_padding_high", high),
      StableHLOAttribute("interior_padding", interior),
    ]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let shape = operands[0].shape
    guard low.count == shape.count, high.count == shape.count, interior.count == shape.count,
      interior.allSatisfy({ $0 >= 0 }), operands[1] == TensorType(operands[0].dtype, [])
    else {
      throw GraphError(
        "needs a padding for each axis of \(operands[0]) and a scalar of its element type; "
          + "received low \(low), high \(high), interior \(interior) and \(operands[1]).")
    }
    // Half of what there is leaves room for an amount's negative and for one more.
    try require(low + high + interior, in: -(Int.max >> 1)...Int.max >> 1, "paddings")
    var padded: [Int] = []
    for axis in shape.indices {
      padded.append(
        try summedSize([low[axis], try spannedSize(shape[axis], step: interior[axis] + 1), high[axis]]))
    }
    guard padded.allSatisfy({ $0 >= 0 }) else {
      throw GraphError("low \(low), high \(high), interior \(interior) cut more from \(operands[0]) than there is.")
    }
    return [operands[0].with(padded)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, g) = (context.operand, context.gradient)
    // What was added is cropped and what was cropped is added as zeros: a pad by the negative amounts.
    let trimmed = g.padded(low: low.map { -$0 }, high: high.map { -$0 }, interior: low.map { _ in 0 })
    let dx = trimmed.sliced(
      starts: low.map { _ in 0 }, limits: trimmed.shape, strides: interior.map { $0 + 1 })
    return [x.type.elementCount == 0 ? x.zerosLike() : dx, g.sum() - dx.sum()]
  }
}

/// Joins tensors along one axis.
public struct Concatenate: Operation {
  /// The axis.
  public let axis: Int

  /// Makes the operation.
  public init(axis: Int) { self.axis = axis }

  public var name: String { "concatenate" }
  public var attributes: [StableHLOAttribute] { [StableHLOAttribute("dimension", axis)] }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    guard let first = operands.first else { throw GraphError("needs at least one tensor; received none.") }
    guard first.shape.indices.contains(axis) else {
      throw GraphError("needs tensors with an axis \(axis); received \(first).")
    }
    var shape = first.shape
    shape[axis] = 0
    for operand in operands {
      var others = operand.shape
      guard operand.dtype == first.dtype, operand.rank == first.rank else {
        throw GraphError("needs tensors of one rank and element type; received \(first) and \(operand).")
      }
      others[axis] = first.shape[axis]
      guard others == first.shape else {
        throw GraphError("needs shapes that agree but for axis \(axis); received \(first.shape) and \(operand.shape).")
      }
      shape[axis] = try summedSize([shape[axis], operand.shape[axis]])
    }
    return [first.with(shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    var start = 0
    return context.operands.map { operand in
      let range = start..<start + operand.shape[axis]
      start = range.upperBound
      return context.gradient.sliced(axis: axis, range)
    }
  }
}

extension Tensor {
  /// The elements from `starts` up to (not including) `limits`, by `strides`.
  public func sliced(starts: [Int], limits: [Int], strides: [Int]? = nil) -> Tensor {
    let strides = strides ?? [Int](repeating: 1, count: starts.count)
    if starts.allSatisfy({ $0 == 0 }), limits == shape, strides.allSatisfy({ $0 == 1 }) { return self }
    return graph.add(Slice(starts: starts, limits: limits, strides: strides), self)
  }

  /// The elements `range` along one axis.
  public func sliced(axis: Int, _ range: Range<Int>) -> Tensor {
    let axis = normalized(axis)
    guard shape.indices.contains(axis) else { return self }
    var starts = [Int](repeating: 0, count: rank)
    var limits = shape
    starts[axis] = range.lowerBound
    limits[axis] = range.upperBound
    return sliced(starts: starts, limits: limits)
  }

  /// The tensor padded with `value`; see `Pad`.
  public func padded(low: [Int], high: [Int], interior: [Int]? = nil, with value: Double = 0) -> Tensor {
    let interior = interior ?? [Int](repeating: 0, count: low.count)
    if (low + high + interior).allSatisfy({ $0 == 0 }) { return self }
    return graph.add(Pad(low: low, high: high, interior: interior), self, scalar(value))
  }

  /// Joins tensors along an axis. Needs at least one.
  public static func concatenating(_ tensors: [Tensor], axis: Int) -> Tensor {
    if tensors.count == 1 { return tensors[0] }
    let axis = axis < 0 ? axis + tensors[0].rank : axis
    return tensors[0].graph.add(Concatenate(axis: axis), tensors)[0]
  }
}
