// Convolution in StableHLO's full generality. Its two gradients are convolutions again, with other dimension numbers,
// dilations and padding; a backend that reads these attributes finds fast kernels for all three without pattern
// matching.

/// Slides a kernel over the spatial axes of a tensor (cross-correlation) and sums products over windows and features.
public struct Convolution: Operation {
  /// The role of each axis of an operand or result.
  public struct Dimensions: Hashable, Sendable {
    /// The input's axes.
    public var inputBatch: Int, inputFeature: Int, inputSpatial: [Int]
    /// The kernel's axes.
    public var kernelInput: Int, kernelOutput: Int, kernelSpatial: [Int]
    /// The result's axes.
    public var outputBatch: Int, outputFeature: Int, outputSpatial: [Int]

    /// Assigns the roles.
    public init(
      inputBatch: Int, inputFeature: Int, inputSpatial: [Int], kernelInput: Int, kernelOutput: Int,
      kernelSpatial: [Int], outputBatch: Int, outputFeature: Int, outputSpatial: [Int]
    ) {
      self.inputBatch = inputBatch
      self.inputFeature = inputFeature
      self.inputSpatial = inputSpatial
      self.kernelInput = kernelInput
      self.kernelOutput = kernelOutput
      self.kernelSpatial = kernelSpatial
      self.outputBatch = outputBatch
      self.outputFeature = outputFeature
      self.outputSpatial = outputSpatial
    }

    /// Channels last, as in Keras: input [N, spatial…, C], kernel [spatial…, C, O], result [N, spatial…, O].
    public static func channelsLast(spatial: Int) -> Dimensions {
      let axes = Array(1...max(spatial, 1)).prefix(max(spatial, 0))
      return Dimensions(
        inputBatch: 0, inputFeature: spatial + 1, inputSpatial: Array(axes),
        kernelInput: spatial, kernelOutput: spatial + 1, kernelSpatial: Array(0..<max(spatial, 0)),
        outputBatch: 0, outputFeature: spatial + 1, outputSpatial: Array(axes))
    }
  }

  /// The roles of the axes.
  public let dimensions: Dimensions
  /// The step of the window, for each spatial axis.
  public let strides: [Int]
  /// Zeros before the first element, for each spatial axis; may be negative.
  public let paddingLow: [Int]
  /// Zeros after the last element, for each spatial axis; may be negative.
  public let paddingHigh: [Int]
  /// Distance between neighbours of the input, for each spatial axis; 1 is dense.
  public let inputDilation: [Int]
  /// Distance between neighbours of the kernel, for each spatial axis; 1 is dense.
  public let kernelDilation: [Int]
  /// Whether the kernel is flipped, for each spatial axis.
  public let reversal: [Bool]
  /// Groups that input features and output features are split into.
  public let featureGroups: Int
  /// Groups that the input's batch and the output features are split into.
  public let batchGroups: Int

  /// Makes the operation.
  public init(
    dimensions: Dimensions, strides: [Int], paddingLow: [Int], paddingHigh: [Int], inputDilation: [Int]? = nil,
    kernelDilation: [Int]? = nil, reversal: [Bool]? = nil, featureGroups: Int = 1, batchGroups: Int = 1
  ) {
    self.dimensions = dimensions
    self.strides = strides
    self.paddingLow = paddingLow
    self.paddingHigh = paddingHigh
    self.inputDilation = inputDilation ?? strides.map { _ in 1 }
    self.kernelDilation = kernelDilation ?? strides.map { _ in 1 }
    self.reversal = reversal ?? strides.map { _ in false }
    self.featureGroups = featureGroups
    self.batchGroups = batchGroups
  }

  public var name: String { "convolution" }

  public var attributes: [StableHLOAttribute] {
    func layout(_ roles: [(Int, String)], _ spatial: [Int]) -> String {
      let named = roles + spatial.enumerated().map { ($0.element, "\($0.offset)") }
      return "[" + named.sorted { $0.0 < $1.0 }.map(\.1).joined(separator: ", ") + "]"
    }
    let d = dimensions
    let numbers =
      "#stablehlo.conv<\(layout([(d.inputBatch, "b"), (d.inputFeature, "f")], d.inputSpatial))x"
      + "\(layout([(d.kernelInput, "i"), (d.kernelOutput, "o")], d.kernelSpatial))->"
      + "\(layout([(d.outputBatch, "b"), (d.outputFeature, "f")], d.outputSpatial))>"
    let padding = zip(paddingLow, paddingHigh).map { "[\($0), \($1)]" }.joined(separator: ", ")
    let reversed = reversal.map { $0 ? "true" : "false" }.joined(separator: ", ")
    return [
      StableHLOAttribute("batch_group_count", batchGroups),
      StableHLOAttribute("dimension_numbers", numbers),
      StableHLOAttribute("feature_group_count", featureGroups),
      StableHLOAttribute("lhs_dilation", inputDilation),
      StableHLOAttribute("padding", "dense<\(padding.isEmpty ? "" : "[\(padding)]")> : tensor<\(strides.count)x2xi64>"),
      StableHLOAttribute("rhs_dilation", kernelDilation),
      StableHLOAttribute("window_reversal", reversal.isEmpty ? "array<i1>" : "array<i1: \(reversed)>"),
      StableHLOAttribute("window_strides", strides),
    ]
  }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 2)
    let (input, kernel) = (operands[0], operands[1])
    let d = dimensions
    let spatial = strides.count
    guard input.rank == spatial + 2, kernel.rank == spatial + 2 else {
      throw GraphError(
        "needs an input and a kernel of rank \(spatial + 2) for \(spatial) spatial axes; "
          + "received \(input) and \(kernel).")
    }
    guard input.dtype == kernel.dtype, input.dtype != .bool else {
      throw GraphError("needs an input and a kernel of one number type; received \(input) and \(kernel).")
    }
    let layouts = [
      [d.inputBatch, d.inputFeature] + d.inputSpatial, [d.kernelInput, d.kernelOutput] + d.kernelSpatial,
      [d.outputBatch, d.outputFeature] + d.outputSpatial,
    ]
    guard layouts.allSatisfy({ $0.sorted() == Array(0..<spatial + 2) }) else {
      throw GraphError(
        "needs each of the \(spatial + 2) axes once in input, kernel and result; received \(layouts).")
    }
    guard [paddingLow, paddingHigh, inputDilation, kernelDilation].allSatisfy({ $0.count == spatial }),
      reversal.count == spatial, featureGroups >= 1, batchGroups >= 1, featureGroups == 1 || batchGroups == 1
    else {
      throw GraphError(
        "needs strides, paddings and dilations for each of \(spatial) spatial axes, and groups of the features or of the "
          + "batch, at least 1; received \(featureGroups) and \(batchGroups).")
    }
    try require(strides, in: 1...largestAttribute, "strides")
    try require(inputDilation + kernelDilation, in: 1...largestAttribute, "dilations")
    try require(paddingLow + paddingHigh, in: -largestAttribute...largestAttribute, "paddings")
    let inputFeatures = input.shape[d.inputFeature]
    let outputFeatures = kernel.shape[d.kernelOutput]
    guard inputFeatures % featureGroups == 0, inputFeatures / featureGroups == kernel.shape[d.kernelInput],
      outputFeatures % featureGroups == 0
    else {
      throw GraphError(
        "needs a kernel for \(inputFeatures) input features in \(featureGroups) groups; "
          + "received a kernel with \(kernel.shape[d.kernelInput]) per group and \(outputFeatures) output features.")
    }
    let batch = input.shape[d.inputBatch]
    guard batch % batchGroups == 0, outputFeatures % batchGroups == 0 else {
      throw GraphError("needs a batch and output features that divide into \(batchGroups) groups.")
    }
    var shape = [Int](repeating: 0, count: spatial + 2)
    shape[d.outputBatch] = batch / batchGroups
    shape[d.outputFeature] = outputFeatures
    for axis in 0..<spatial {
      let extent = try spannedSize(input.shape[d.inputSpatial[axis]], step: inputDilation[axis])
      let dilated = try summedSize([extent, paddingLow[axis], paddingHigh[axis]])
      let window = try spannedSize(kernel.shape[d.kernelSpatial[axis]], step: kernelDilation[axis])
      guard dilated >= 0 else { throw GraphError("the padding cuts more from \(input) than there is.") }
      shape[d.outputSpatial[axis]] = dilated < window ? 0 : (dilated - window) / strides[axis] + 1
    }
    return [input.with(shape)]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let (input, kernel) = (context.operands[0], context.operands[1])
    guard input.dtype.isFloating else { return [nil, nil] }
    // An empty sum; the sizes below would be those of windows that do not exist.
    let isEmpty = [input.type, kernel.type, context.gradient.type].contains { $0.elementCount == 0 }
    if isEmpty { return [input.zerosLike(), kernel.zerosLike()] }
    guard batchGroups == 1 else { return regroupedGradients(context.gradient, input, kernel) }
    return [
      inputGradient(context.gradient, input.shape, kernel), kernelGradient(context.gradient, input, kernel.shape),
    ]
  }

  /// The gradients with batch groups: the groups of the batch become groups of features, with the same result.
  private func regroupedGradients(_ g: Tensor, _ input: Tensor, _ kernel: Tensor) -> [Tensor] {
    let d = dimensions
    let same = Convolution(
      dimensions: d, strides: strides, paddingLow: paddingLow, paddingHigh: paddingHigh, inputDilation: inputDilation,
      kernelDilation: kernelDilation, reversal: reversal, featureGroups: batchGroups)
    let regrouped = Self.movingGroups(input, from: d.inputBatch, to: d.inputFeature, groups: batchGroups)
    let byInput = same.inputGradient(g, regrouped.shape, kernel)
    return [
      Self.movingGroups(byInput, from: d.inputFeature, to: d.inputBatch, groups: batchGroups),
      same.kernelGradient(g, regrouped, kernel.shape),
    ]
  }

  /// The gradient of the input: the output's gradient, dilated by the strides, convolved with the flipped kernel.
  private func inputGradient(_ g: Tensor, _ inputShape: [Int], _ kernel: Tensor) -> Tensor {
    let d = dimensions
    var low: [Int] = []
    var high: [Int] = []
    for axis in strides.indices {
      let window = (kernel.shape[d.kernelSpatial[axis]] - 1) * kernelDilation[axis] + 1
      let extent = (inputShape[d.inputSpatial[axis]] - 1) * inputDilation[axis] + 1
      let spread = (g.shape[d.outputSpatial[axis]] - 1) * strides[axis] + 1
      low.append(window - 1 - paddingLow[axis])
      high.append(extent + window - 1 - spread - low[axis])
    }
    let swapped = Dimensions(
      inputBatch: d.outputBatch, inputFeature: d.outputFeature, inputSpatial: d.outputSpatial,
      kernelInput: d.kernelOutput, kernelOutput: d.kernelInput, kernelSpatial: d.kernelSpatial,
      outputBatch: d.inputBatch, outputFeature: d.inputFeature, outputSpatial: d.inputSpatial)
    let regrouped =
      featureGroups == 1
      ? kernel
      : Self.movingGroups(
        kernel, from: d.kernelOutput, to: d.kernelInput, groups: featureGroups)
    return g.graph.add(
      Convolution(
        dimensions: swapped, strides: inputDilation, paddingLow: low, paddingHigh: high, inputDilation: strides,
        kernelDilation: kernelDilation, reversal: reversal.map { !$0 }, featureGroups: featureGroups), g, regrouped)
  }

  /// The gradient of the kernel: the input convolved with the output's gradient, with batch and features swapped.
  private func kernelGradient(_ g: Tensor, _ input: Tensor, _ kernelShape: [Int]) -> Tensor {
    if let mirrored = mirrored(kernelShape) { return mirrored.kernelGradient(input, g, kernelShape) }
    let d = dimensions
    var low: [Int] = []
    var high: [Int] = []
    for axis in strides.indices {
      let window = (kernelShape[d.kernelSpatial[axis]] - 1) * kernelDilation[axis] + 1
      let extent = (input.shape[d.inputSpatial[axis]] - 1) * inputDilation[axis] + 1
      let spread = (g.shape[d.outputSpatial[axis]] - 1) * strides[axis] + 1
      low.append(paddingLow[axis])
      high.append(window - 1 + spread - extent - paddingLow[axis])
    }
    let swapped = Dimensions(
      inputBatch: d.inputFeature, inputFeature: d.inputBatch, inputSpatial: d.inputSpatial,
      kernelInput: d.outputBatch, kernelOutput: d.outputFeature, kernelSpatial: d.outputSpatial,
      outputBatch: d.kernelInput, outputFeature: d.kernelOutput, outputSpatial: d.kernelSpatial)
    let raw = g.graph.add(
      Convolution(
        dimensions: swapped, strides: kernelDilation, paddingLow: low, paddingHigh: high,
        inputDilation: inputDilation, kernelDilation: strides, batchGroups: featureGroups), input, g)
    let turned = reversal.indices.filter { reversal[$0] }.map { d.kernelSpatial[$0] }
    return turned.isEmpty ? raw : raw.reversed(axes: turned)
  }

  /// The convolution whose input's gradient this one computes, if it is one: a transposed convolution. Its kernel meets the
  /// same pairs of elements, and backends know the gradient in this form.
  private func mirrored(_ kernelShape: [Int]) -> Convolution? {
    let d = dimensions
    guard !reversal.isEmpty, reversal.allSatisfy({ $0 }), strides.allSatisfy({ $0 == 1 }), featureGroups == 1,
      batchGroups == 1
    else { return nil }
    let low = strides.indices.map { axis in
      (kernelShape[d.kernelSpatial[axis]] - 1) * kernelDilation[axis] - paddingLow[axis]
    }
    return Convolution(
      dimensions: Dimensions(
        inputBatch: d.outputBatch, inputFeature: d.outputFeature, inputSpatial: d.outputSpatial,
        kernelInput: d.kernelOutput, kernelOutput: d.kernelInput, kernelSpatial: d.kernelSpatial,
        outputBatch: d.inputBatch, outputFeature: d.inputFeature, outputSpatial: d.inputSpatial),
      strides: inputDilation, paddingLow: low, paddingHigh: low, kernelDilation: kernelDilation)
  }

  /// Moves the group index from one feature axis to another: [.., i, .., g·o] becomes [.., g·i, .., o].
  private static func movingGroups(_ kernel: Tensor, from: Int, to: Int, groups: Int) -> Tensor {
    var split = kernel.shape
    split[from] /= groups
    split.insert(groups, at: from)
    let target = to > from ? to + 1 : to
    var order = Array(split.indices)
    order.remove(at: from)
    order.insert(from, at: order.firstIndex(of: target) ?? 0)
    var shape = kernel.shape
    shape[from] /= groups
    shape[to] *= groups
    return kernel.reshaped(split).transposed(order).reshaped(shape)
  }
}

/// Padding at the edges, with Keras' names.
public enum Padding: String, Hashable, Sendable, CaseIterable, Codable {
  /// Windows stay within the input.
  case valid
  /// The output has ⌈n / stride⌉ elements; the smaller half of the zeros comes first.
  case same
  /// All zeros come first, so that an output depends on its own place and earlier ones only.
  case causal

  /// Zeros before and after, for an axis of `size`.
  public func amounts(size: Int, window: Int, stride: Int, dilation: Int = 1) -> (low: Int, high: Int) {
    guard self != .valid, size > 0, stride > 0 else { return (0, 0) }
    // Windows and dilations that no integer can measure are refused by the operation that gets the padding.
    let (distance, isTooFar) = (max(window, 1) - 1).multipliedReportingOverflow(by: dilation)
    if self == .causal { return (isTooFar ? .max : distance, 0) }
    let last = (size - 1) / stride * stride
    let (end, isTooLarge) = last.addingReportingOverflow(distance)
    if isTooFar || isTooLarge { return (.max, .max) }
    let total = max(end - (size - 1), 0)
    return (total / 2, total - total / 2)
  }
}

extension Tensor {
  /// Convolution, channels last: [N, H, W, C] with a kernel [kh, kw, C / groups, O] to [N, H', W', O].
  public func convolved(
    with kernel: Tensor, strides: [Int], padding: Padding = .valid, dilation: [Int]? = nil, groups: Int = 1
  ) -> Tensor {
    let spatial = strides.count
    let dilation = dilation ?? strides.map { _ in 1 }
    guard rank == spatial + 2, kernel.rank == spatial + 2, dilation.count == spatial else {
      graph.report(
        GraphError(
          "a convolution needs tensors of rank \(spatial + 2) and \(spatial) dilations; "
            + "received \(type), \(kernel.type) and \(dilation)."))
      return self
    }
    let amounts = (0..<spatial).map {
      padding.amounts(size: shape[$0 + 1], window: kernel.shape[$0], stride: strides[$0], dilation: dilation[$0])
    }
    return graph.add(
      Convolution(
        dimensions: .channelsLast(spatial: spatial), strides: strides, paddingLow: amounts.map(\.low),
        paddingHigh: amounts.map(\.high), kernelDilation: dilation, featureGroups: groups), self, kernel)
  }

  /// Transposed convolution, channels last: `[N, spatial…, C]` with a kernel `[spatial…, O, C]` to `[N, size…, O]`. It is the
  /// gradient of the input of the convolution from `size` to this tensor's spatial axes.
  /// - Parameters:
  ///   - kernel: the kernel.
  ///   - size: the result's spatial axes.
  ///   - strides: the steps of the windows in the result.
  ///   - paddingLow: elements of the windows before the result's first.
  ///   - dilation: the distance between neighbours of the kernel.
  public func transposedConvolved(
    with kernel: Tensor, size: [Int], strides: [Int], paddingLow: [Int], dilation: [Int]? = nil
  ) -> Tensor {
    let spatial = strides.count
    let dilation = dilation ?? strides.map { _ in 1 }
    guard rank == spatial + 2, kernel.rank == spatial + 2,
      [size, paddingLow, dilation].allSatisfy({ $0.count == spatial })
    else {
      graph.report(
        GraphError(
          "a transposed convolution needs tensors of rank \(spatial + 2) and a size, a padding and a dilation for each of "
            + "\(spatial) axes; received \(type), \(kernel.type), \(size), \(paddingLow) and \(dilation)."))
      return self
    }
    var (low, high): ([Int], [Int]) = ([], [])
    for axis in 0..<spatial {
      let (reach, isFar) = (kernel.shape[axis] - 1).multipliedReportingOverflow(by: dilation[axis])
      let (spread, isWide) = (shape[axis + 1] - 1).multipliedReportingOverflow(by: strides[axis])
      guard !isFar, !isWide, let end = try? summedSize([size[axis], reach, -spread, -1]) else {
        graph.report(GraphError("a transposed convolution of \(type) to \(size) is too large."))
        return self
      }
      low.append(reach &- paddingLow[axis])
      high.append(end &- low[axis])
    }
    var dimensions = Convolution.Dimensions.channelsLast(spatial: spatial)
    (dimensions.kernelInput, dimensions.kernelOutput) = (dimensions.kernelOutput, dimensions.kernelInput)
    return graph.add(
      Convolution(
        dimensions: dimensions, strides: strides.map { _ in 1 }, paddingLow: low, paddingHigh: high,
        inputDilation: strides, kernelDilation: dilation, reversal: strides.map { _ in true }), self, kernel)
  }
}
