// Which operation becomes what: a view, part of a fused loop, or a kernel.

import AccelerandoCore

extension Lowering {
  /// Whether a composite has a kernel here; the others run as their formulas.
  static func hasKernel(_ composite: any Composite, _ types: [TensorType]) -> Bool {
    guard let first = types.first else { return false }
    switch composite {
    case is Relu, is Erf, is ThreeWayCompare, is Threefry: return LoopCode.supports(composite, [first.dtype])
    case let composite as Softmax: return first.dtype == .float32 && composite.axis == first.rank - 1
    case let composite as LogSoftmax: return first.dtype == .float32 && composite.axis == first.rank - 1
    case let composite as SoftmaxGradient: return first.dtype == .float32 && composite.axis == first.rank - 1
    case let composite as LogSoftmaxGradient: return first.dtype == .float32 && composite.axis == first.rank - 1
    case is SparseCrossEntropy, is SparseCrossEntropyGradient: return first.dtype == .float32
    case is LayerNormalization, is LayerNormalizationGradient: return first.dtype == .float32
    case is ScaledDotProductAttention, is ScaledDotProductAttentionGradient:
      return first.dtype == .float32 || first.dtype.isHalf
    // Rows of channels: the other axes are one.
    case let composite as Moments: return sumsChannels(first, composite.axis)
    case let composite as CenteredSums: return sumsChannels(first, composite.axis)
    case is AdamUpdate: return first.dtype == .float32
    case let composite as MomentumUpdate: return first.dtype == .float32 && !composite.decays
    default: return false
    }
  }

  private static func sumsChannels(_ type: TensorType, _ axis: Int) -> Bool {
    type.dtype == .float32 && axis == type.rank - 1 && type.rank > 1 && type.elementCount > 0
  }

  /// Lowers one instruction.
  func lower(_ instruction: Program.Instruction, at index: Int) throws {
    let result = instruction.results.lowerBound
    switch instruction.operation {
    case let operation as Constant: define(result, constant: operation.value)
    case let operation as Reshape:
      let source = view(instruction.operands[0])
      if let view = source.reshaped(operation.shape) {
        define(result, as: view)
      } else {
        define(result, as: View(root: contiguous(source), type: type(result)))
      }
    case let operation as Transpose:
      define(result, as: view(instruction.operands[0]).transposed(operation.permutation))
    case let operation as BroadcastInDim:
      define(result, as: view(instruction.operands[0]).broadcast(to: operation.shape, axes: operation.axes))
    case let operation as Slice:
      define(result, as: view(instruction.operands[0]).sliced(operation, shape: type(result).shape))
    case let operation as Reverse:
      define(result, as: view(instruction.operands[0]).reversed(operation.axes))
    case let operation as Pad: lowerPad(operation, instruction)
    case let operation as Concatenate: lowerConcatenate(operation, instruction)
    case let operation as DotGeneral: lowerDot(operation, instruction, at: index)
    case let operation as Convolution: lowerConvolution(operation, instruction, at: index)
    case let operation as Reduce: lowerReduce(operation, instruction)
    case let operation as ArgMax: lowerArgMax(operation, instruction)
    case let operation as ReduceWindow: lowerWindow(operation, instruction)
    case let operation as SelectAndScatter: lowerSelectAndScatter(operation, instruction)
    case is Softmax: lowerRows(.softmax, instruction)
    case is LogSoftmax: lowerRows(.logSoftmax, instruction)
    case is SoftmaxGradient: lowerRows(.softmaxGradient, instruction)
    case is LogSoftmaxGradient: lowerRows(.logSoftmaxGradient, instruction)
    case is SparseCrossEntropy: lowerCrossEntropy(instruction)
    case is SparseCrossEntropyGradient: lowerCrossEntropyGradient(instruction)
    case let operation as LayerNormalization: lowerLayerNormalization(operation, instruction)
    case let operation as LayerNormalizationGradient: lowerLayerNormalizationGradient(operation, instruction)
    case let operation as ScaledDotProductAttention: lowerAttention(operation, instruction)
    case let operation as ScaledDotProductAttentionGradient: lowerAttentionGradient(operation, instruction)
    case is Moments: lowerMoments(instruction)
    case is CenteredSums: lowerCenteredSums(instruction)
    case is AdamUpdate, is MomentumUpdate: lowerUpdate(instruction)
    case let operation as DynamicSlice: lowerDynamicSlice(operation, instruction)
    case is DynamicUpdateSlice: lowerDynamicUpdateSlice(instruction)
    case let operation as Gather: lowerGather(operation, instruction)
    case let operation as Scatter: lowerScatter(operation, instruction)
    case let operation as Sort: lowerSort(operation, instruction)
    case let operation as While: try lowerWhile(operation, instruction)
    case let operation as Case: try lowerCase(operation, instruction)
    // A program for one worker needs no exchange: the sum over all workers is its own value.
    case is AllReduce: define(result, as: view(instruction.operands[0]))
    default: try lowerElementwise(instruction)
    }
  }

  private func lowerElementwise(_ instruction: Program.Instruction) throws {
    let result = instruction.results.lowerBound
    let dtypes = (instruction.operands + [result]).map { type($0).dtype }
    if LoopCode.supports(instruction.operation, dtypes) {
      fuse(instruction)
      return
    }
    switch instruction.operation {
    case is Unary, is Binary, is Compare, is Select, is Clamp, is Convert, is Iota, is Relu:
      let operands = instruction.operands.map { contiguous($0) }
      add(
        WideElementwise(
          operation: instruction.operation, operands: operands, types: instruction.operands.map(type),
          result: result, resultType: type(result)), reads: operands, writes: [result],
        inPlace: Set(
          instruction.operands.indices.filter { type(instruction.operands[$0]).byteCount == type(result).byteCount }
            .map { operands[$0] }))
    default:
      throw GraphError("the CPU engine has no rule for '\(instruction.operation.name)'.")
    }
  }

  private func lowerUpdate(_ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let count = type(results[0]).elementCount
    let kernel: any Kernel
    switch instruction.operation {
    case let update as AdamUpdate:
      kernel = AdamKernel(update: update, operands: operands, results: results, count: count, isa: isa)
    case let update as MomentumUpdate:
      kernel = MomentumKernel(update: update, operands: operands, results: results, count: count, isa: isa)
    default: return
    }
    add(kernel, reads: operands, writes: results, inPlace: Set(operands))
  }

  private func lowerPad(_ pad: Pad, _ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    let target = type(result)
    let fill = contiguous(instruction.operands[1])
    var source = view(instruction.operands[0])
    finishLoop(computing: source.root)
    add(FillKernel(scalar: fill, destination: result, type: target), reads: [fill], writes: [result])
    // Element i is written at low + i·(interior + 1); elements out of range are dropped.
    var offset = 0
    var strides = target.shape.rowMajorStrides
    var starts: [Int] = []
    var limits: [Int] = []
    for axis in target.shape.indices {
      let step = pad.interior[axis] + 1
      let first = pad.low[axis] >= 0 ? 0 : (-pad.low[axis] + step - 1) / step
      let room = target.shape[axis] - 1 - pad.low[axis]
      let last = room < 0 ? -1 : min(room / step, source.type.shape[axis] - 1)
      starts.append(min(first, source.type.shape[axis]))
      limits.append(max(last + 1, starts[axis]))
      // Where nothing or one element is left along the axis, the step is not taken and may be too large.
      offset &+= (pad.low[axis] &+ starts[axis] &* step) &* strides[axis]
      strides[axis] &*= step
    }
    let shape = zip(starts, limits).map { $1 - $0 }
    if shape.elementCount == 0 { return }
    source = source.sliced(Slice(starts: starts, limits: limits, strides: shape.map { _ in 1 }), shape: shape)
    add(
      CopyKernel(view: source, to: result, offset: offset, strides: strides), reads: [source.root, result],
      writes: [result])
  }

  private func lowerConcatenate(_ operation: Concatenate, _ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    let strides = type(result).shape.rowMajorStrides
    var start = 0
    for operand in instruction.operands {
      let source = view(operand)
      finishLoop(computing: source.root)
      add(
        CopyKernel(view: source, to: result, offset: start * strides[operation.axis], strides: strides),
        reads: [source.root], writes: [result])
      start += source.type.shape[operation.axis]
    }
  }
}
