// Sliding windows: pooling, and its gradient.

/// The geometry of a sliding window, one number for each axis.
public struct WindowGeometry: Hashable, Sendable {
  /// The window's sizes.
  public var size: [Int]
  /// The steps.
  public var strides: [Int]
  /// Elements (of the identity) before the first; may be negative.
  public var paddingLow: [Int]
  /// Elements after the last; may be negative.
  public var paddingHigh: [Int]
  /// Distance between neighbours of the input.
  public var inputDilation: [Int]
  /// Distance between neighbours of the window.
  public var windowDilation: [Int]

  /// Makes a geometry.
  public init(
    size: [Int], strides: [Int], paddingLow: [Int]? = nil, paddingHigh: [Int]? = nil, inputDilation: [Int]? = nil,
    windowDilation: [Int]? = nil
  ) {
    self.size = size
    self.strides = strides
    self.paddingLow = paddingLow ?? size.map { _ in 0 }
    self.paddingHigh = paddingHigh ?? size.map { _ in 0 }
    self.inputDilation = inputDilation ?? size.map { _ in 1 }
    self.windowDilation = windowDilation ?? size.map { _ in 1 }
  }

  /// The shape of a result for an input of `shape`.
  func resultShape(_ type: TensorType) throws(GraphError) -> [Int] {
    let rank = type.rank
    guard [size, strides, paddingLow, paddingHigh, inputDilation, windowDilation].allSatisfy({ $0.count == rank })
    else {
      throw GraphError("needs a window size, stride, padding and dilation for each axis of \(type).")
    }
    try require(size, in: 1...largestAttribute, "window sizes")
    try require(strides, in: 1...largestAttribute, "strides")
    try require(inputDilation + windowDilation, in: 1...largestAttribute, "dilations")
    try require(paddingLow + paddingHigh, in: -largestAttribute...largestAttribute, "paddings")
    var shape: [Int] = []
    for axis in 0..<rank {
      let input = try spannedSize(type.shape[axis], step: inputDilation[axis])
      let dilated = try summedSize([input, paddingLow[axis], paddingHigh[axis]])
      let extent = try spannedSize(size[axis], step: windowDilation[axis])
      guard dilated >= 0 else { throw GraphError("the padding cuts more from \(type) than there is.") }
      shape.append(dilated < extent ? 0 : (dilated - extent) / strides[axis] + 1)
    }
    return shape
  }

  /// Whether a formula may have a term for each place in the window; otherwise reports why not.
  func allowsOffsets(_ x: Tensor) -> Bool {
    let limit = 1 << 12
    if size.elementCount <= limit { return true }
    x.graph.report(
      GraphError(
        "a window \(size) has more places than the \(limit) that this gradient is computed for.", path: x.graph.path))
    return false
  }

  var attributes: [StableHLOAttribute] {
    let padding = zip(paddingLow, paddingHigh).map { "[\($0), \($1)]" }.joined(separator: ", ")
    return [
      StableHLOAttribute("base_dilations", inputDilation),
      StableHLOAttribute("padding", "dense<\(padding.isEmpty ? "" : "[\(padding)]")> : tensor<\(size.count)x2xi64>"),
      StableHLOAttribute("window_dilations", windowDilation),
      StableHLOAttribute("window_dimensions", size),
      StableHLOAttribute("window_strides", strides),
    ]
  }
}

/// Reduces every window of a tensor to one element.
public struct ReduceWindow: Operation {
  /// The function that combines two elements.
  public let function: Reduce.Function
  /// The window.
  public let window: WindowGeometry

  /// Makes the operation.
  public init(_ function: Reduce.Function, _ window: WindowGeometry) {
    self.function = function
    self.window = window
  }

  public var name: String { "reduce_window" }
  public var attributes: [StableHLOAttribute] { window.attributes }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    guard function.dtypes.contains(operands[0].dtype) else {
      throw GraphError("'\(function.rawValue)' is not defined for \(operands[0]).")
    }
    return [operands[0].with(try window.resultShape(operands[0]))]
  }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    let dtype = call.operandTypes[0].dtype
    call.sources = [Constant(function.identity(dtype))]
    call.regions = [try .combiner(function, dtype)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, g) = (context.operand, context.gradient)
    guard x.dtype.isFloating else { return [nil] }
    if function == .sum { return [sumGradient(g, x.shape)] }
    let plain = (window.inputDilation + window.windowDilation).allSatisfy { $0 == 1 }
    if plain, function == .max || function == .min {
      return [x.graph.add(SelectAndScatter(selectsMax: function == .max, window), x, g)]
    }
    return [gradientByOffsets(x, context.result, g)]
  }

  /// Each element of the gradient goes to every element of its window: the window slides backwards.
  private func sumGradient(_ g: Tensor, _ shape: [Int]) -> Tensor {
    var low: [Int] = []
    var high: [Int] = []
    for axis in shape.indices {
      let extent = (window.size[axis] - 1) * window.windowDilation[axis] + 1
      let dilated = (shape[axis] - 1) * window.inputDilation[axis] + 1
      let spread = (g.shape[axis] - 1) * window.strides[axis] + 1
      low.append(extent - 1 - window.paddingLow[axis])
      high.append(dilated + extent - 1 - spread - low[axis])
    }
    if g.type.elementCount == 0 || shape.elementCount == 0 { return g.scalar(0).broadcast(to: shape) }
    return g.graph.add(
      ReduceWindow(
        .sum,
        WindowGeometry(
          size: window.size, strides: window.inputDilation, paddingLow: low, paddingHigh: high,
          inputDilation: window.strides, windowDilation: window.windowDilation)), g)
  }

  /// The general case, one strided slice for each position in the window. Slow for large windows, and always right.
  private func gradientByOffsets(_ x: Tensor, _ y: Tensor, _ g: Tensor) -> Tensor {
    guard y.type.elementCount > 0, x.type.elementCount > 0, window.allowsOffsets(x) else { return x.zerosLike() }
    let identity = x.constant(function.identity(x.dtype))
    let pad = Pad(low: window.paddingLow, high: window.paddingHigh, interior: window.inputDilation.map { $0 - 1 })
    let padded = x.graph.add(pad, x, identity)
    let offsets = (0..<window.size.elementCount).map { index in
      zip(window.size.rowMajorStrides, window.size).map { index / $0 % $1 }
    }
    let places = offsets.map { offset -> Slice in
      let starts = zip(offset, window.windowDilation).map { $0 * $1 }
      let limits = starts.indices.map { starts[$0] + (y.shape[$0] - 1) * window.strides[$0] + 1 }
      return Slice(starts: starts, limits: limits, strides: window.strides)
    }
    let elements = places.map { x.graph.add($0, padded) }
    var gradients: [Tensor]
    if function == .product {
      gradients = elements.indices.map { index in
        elements.indices.filter { $0 != index }.reduce(g) { $0 * elements[$1] }
      }
    } else {
      // By its index, as the gradient of a reduction; of equals the first.
      let index = Tensor.concatenating(elements.map { $0.expandingDims(-1) }, axis: -1)
        .argExtreme(y.rank, function == .min)
      gradients = elements.indices.map { select(index.equal(to: index.filled(Double($0))), g, g.zerosLike()) }
    }
    for (index, place) in places.enumerated() {
      let high = padded.shape.indices.map { padded.shape[$0] - place.limits[$0] }
      gradients[index] = gradients[index].padded(
        low: place.starts, high: high, interior: place.strides.map { $0 - 1 })
    }
    let total = gradients.dropFirst().reduce(gradients[0], +)
    return pad.pullback(PullbackContext(operands: [x, identity], results: [padded], gradients: [total]))[0] ?? total
  }
}

/// For each window of the first operand, adds the matching element of the second at the position of the window's first
/// largest (or smallest) element; zero elsewhere.
public struct SelectAndScatter: Operation {
  /// Whether to select the largest element, not the smallest.
  public let selectsMax: Bool
  /// The window; its dilations are 1.
  public let window: WindowGeometry

  /// Makes the operation.
  public init(selectsMax: Bool, _ window: WindowGeometry) {
    self.selectsMax = selectsMax
    self.window = window
  }

  public var name: String { "select_and_scatter" }
  public var attributes: [StableHLOAttribute] {
    window.attributes.filter { !$0.name.hasSuffix("dilations") }
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let shape = try window.resultShape(operands[0])
    guard (window.inputDilation + window.windowDilation).allSatisfy({ $0 == 1 }) else {
      throw GraphError("needs a window without dilation.")
    }
    guard operands[1] == operands[0].with(shape), operands[0].dtype != .bool else {
      throw GraphError("needs a source \(operands[0].with(shape)) for \(operands[0]); received \(operands[1]).")
    }
    return [operands[0]]
  }

  public func lower(_ call: inout StableHLOCall) throws(GraphError) {
    let dtype = call.operandTypes[0].dtype
    // A scalar's only window is itself; XLA ends the process over it.
    if call.operandTypes[0].rank == 0 { call.forwardedOperand = 1 }
    call.sources = [Constant(Reduce.Function.sum.identity(dtype))]
    call.regions = [
      try StableHLOCall.scalarFunction(dtype, 2) { pair in
        [pair[0].graph.add(Compare(selectsMax ? .greaterOrEqual : .lessOrEqual), pair[0], pair[1])]
      },
      try .combiner(.sum, dtype),
    ]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (x, g) = (context.operand, context.gradient)
    guard x.dtype.isFloating else { return [nil, nil] }
    // The source's gradient is read back at the places that were selected; these move with no element of x.
    let source = context.operands[1]
    guard source.type.elementCount > 0, window.allowsOffsets(x) else { return [x.zerosLike(), source.zerosLike()] }
    return [x.zerosLike(), gatherSelected(x, g, source.shape)]
  }

  private func gatherSelected(_ x: Tensor, _ g: Tensor, _ shape: [Int]) -> Tensor {
    let zeros = shape.map { _ in 0 }
    let edge = x.constant((selectsMax ? Reduce.Function.max : .min).identity(x.dtype))
    let pad = Pad(low: window.paddingLow, high: window.paddingHigh, interior: zeros)
    let paddedX = x.graph.add(pad, x, edge)
    let paddedG = g.graph.add(pad, g, g.scalar(0))
    var best: (value: Tensor, gradient: Tensor)?
    for index in 0..<window.size.elementCount {
      let offset = zip(window.size.rowMajorStrides, window.size).map { index / $0 % $1 }
      let limits = offset.indices.map { offset[$0] + (shape[$0] - 1) * window.strides[$0] + 1 }
      let place = Slice(starts: offset, limits: limits, strides: window.strides)
      let (value, gradient) = (x.graph.add(place, paddedX), x.graph.add(place, paddedG))
      if let current = best {
        let better = selectsMax ? value.greater(than: current.value) : value.less(than: current.value)
        best = (select(better, value, current.value), select(better, gradient, current.gradient))
      } else {
        best = (value, gradient)
      }
    }
    return best?.gradient ?? g
  }
}
