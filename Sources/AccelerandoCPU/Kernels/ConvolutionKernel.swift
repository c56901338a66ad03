// Convolutions. The attributes say whether it is a forward pass, the gradient of an input or the gradient of a kernel;
// each has a microkernel. Others, and other element types, run element by element.

import AccelerandoCore
import CKernels

/// A float32 convolution over two spatial axes, channels last.
struct ConvolutionKernel: Kernel {
  enum Direction: String, Sendable { case forward, backwardData, backwardWeights }

  let direction: Direction
  let geometry: AccConv
  /// The operands: x and packed weights, dy and packed weights, or x and dy.
  let first: Int
  let second: Int
  let result: Int
  let epilogue: Epilogue
  let isa: InstructionSet
  /// How threads share it.
  private let split: ConvolutionSplit

  init(
    direction: Direction, geometry: AccConv, first: Int, second: Int, result: Int, epilogue: Epilogue,
    isa: InstructionSet
  ) {
    self.direction = direction
    self.geometry = geometry
    self.first = first
    self.second = second
    self.result = result
    self.epilogue = epilogue
    self.isa = isa
    split = ConvolutionSplit(geometry, isa)
  }

  var label: String {
    let c = geometry
    return "convolution \(direction.rawValue) [\(c.N), \(c.H), \(c.W), \(c.C)] · "
      + "[\(c.KH), \(c.KW), \(c.C / max(c.groups, 1)), \(c.O)]\(epilogue.label)"
  }

  var scratchBytes: Int { withUnsafePointer(to: geometry) { isa.kernels.conv_scratch_bytes?($0) ?? 0 } }

  /// Whether a forward pass is better shared in a phase of its own than sample by sample.
  var wantsOwnPhase: Bool { direction == .forward && split.gainsAlone }

  func taskCount(threads: Int) -> Int {
    if direction == .forward { return split.taskCount(threads: threads) }
    // The samples' contributions to a kernel's gradient are summed: sharing that work takes a region.
    let units = direction == .backwardWeights ? 1 : geometry.N
    return min(max(units, 1), AccelerandoCPU.taskCount(work: multiplications, threads: threads, minimumPerTask: 30_000))
  }

  private var multiplications: Int {
    let c = geometry
    return [c.N, c.OH, c.OW, c.O, c.KH, c.KW, c.C / max(c.groups, 1)].elementCount
  }

  var cost: Cost {
    let c = geometry
    let elements = c.N * (c.H * c.W * c.C + c.OH * c.OW * c.O) + weightCount
    return Cost(flops: 2 * Double(multiplications), bytes: 4 * Double(elements), work: work)
  }

  /// What it is limited by, for predictions: see `CKernels` for the algorithms.
  var work: Work {
    let c = geometry
    let channels = c.C / max(c.groups, 1)
    if channels == 1, c.groups > 1 { return .depthwise }
    let isPlain = c.KH == 3 && c.KW == 3 && c.stride_h == 1 && c.stride_w == 1 && c.dil_h == 1 && c.dil_w == 1
    if isPlain, c.groups == 1, min(c.C, c.O) >= 16, min(c.OH, c.OW) > 2 { return .transformed }
    switch direction {
    case .forward: return .product(depth: c.KH * c.KW * channels)
    case .backwardData: return .product(depth: c.KH * c.KW * c.O / max(c.groups, 1))
    case .backwardWeights: return .product(depth: c.O / max(c.groups, 1))
    }
  }

  private var weightCount: Int { geometry.KH * geometry.KW * geometry.C / max(geometry.groups, 1) * geometry.O }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(geometry.N) else { return [] }
    let bias = epilogue.bias.map { [(value: $0, isAligned: false)] } ?? []
    if direction == .backwardWeights {
      return [
        Slicing(
          SlicedConvolutionGradient(base: self, units: units.count), operands: [(first, true), (second, true)],
          partial: Slicing.Partial(function: .sum, value: result, elementCount: weightCount))
      ]
    }
    if direction == .backwardData { return sliced(units, operands: [(first, true), (second, false)]) }
    let residual = epilogue.residual.map { [(value: $0, isAligned: true)] } ?? []
    return [
      Slicing(
        SlicedConvolution(base: self, units: units.count),
        operands: [(first, true), (second, false)] + bias + residual)
    ]
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    switch direction {
    case .forward: split.forEachPart(range, of: tasks) { compute($0, memory, scratch) }
    case .backwardData:
      let samples = portion(range, of: tasks, extent: geometry.N)
      withUnsafePointer(to: geometry) { geometry in
        isa.kernels.conv_backward_data_packed?(
          geometry, memory.elements(first, Float.self), memory[second], memory.elements(result, Float.self),
          samples.lowerBound, samples.upperBound, scratch)
      }
    case .backwardWeights: addGradient(0..<geometry.N, continuing: false, memory, scratch)
    }
  }

  /// Computes a part of a forward pass.
  func compute(_ part: AccConvPart, _ memory: Memory, _ scratch: UnsafeMutableRawPointer) {
    withUnsafePointer(to: geometry) { geometry in
      withUnsafePointer(to: part) { part in
        epilogue.withPointer(memory) {
          isa.kernels.conv_forward_part?(
            geometry, memory.elements(first, Float.self), memory[second], memory.elements(result, Float.self), part, $0,
            scratch)
        }
      }
    }
  }

  /// Sums the samples' contributions to the kernel's gradient.
  func addGradient(
    _ samples: Range<Int>, continuing: Bool, _ memory: Memory, _ scratch: UnsafeMutableRawPointer
  ) {
    withUnsafePointer(to: geometry) { geometry in
      isa.kernels.conv_backward_weights?(
        geometry, memory.elements(first, Float.self), memory.elements(second, Float.self),
        memory.elements(result, Float.self), samples.lowerBound, samples.upperBound, continuing, scratch)
    }
  }
}

/// A forward convolution, sample by sample.
struct SlicedConvolution: SlicedKernel {
  let base: ConvolutionKernel
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let (c, samples) = (base.geometry, portion(part, of: units, extent: base.geometry.N))
    base.compute(
      AccConvPart(n0: samples.lowerBound, n1: samples.upperBound, row0: 0, row1: c.OH, out0: 0, out1: c.O), memory,
      scratch)
  }
}

/// Copies a convolution's weights into the order in which its microkernel reads them.
struct PackKernel: Kernel {
  let direction: ConvolutionKernel.Direction
  let geometry: AccConv
  let source: Int
  /// A vector by which the weights of each output are multiplied; only for forward passes.
  var scale: Int?
  var result = -1
  let isa: InstructionSet

  func writing(to result: Int) -> PackKernel {
    var kernel = self
    kernel.result = result
    return kernel
  }

  private var packedFor: Int32 {
    Int32((direction == .forward ? accConvForward : accConvBackwardData).rawValue)
  }

  var packedBytes: Int {
    withUnsafePointer(to: geometry) { isa.kernels.conv_packed_bytes?($0, packedFor) ?? 0 }
  }

  var label: String {
    let c = geometry
    return "pack [\(c.KH), \(c.KW), \(c.C / max(c.groups, 1)), \(c.O)] for \(direction.rawValue)"
  }

  var cost: Cost { Cost(bytes: 2 * Double(packedBytes), work: .packing) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: packedBytes, threads: threads, minimumPerTask: 32_768)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    withUnsafePointer(to: geometry) { geometry in
      for part in range {
        isa.kernels.conv_pack?(
          geometry, packedFor, memory.elements(source, Float.self), scale.map { memory.elements($0, Float.self) },
          memory[result], part, tasks)
      }
    }
  }
}

/// The gradient of a convolution's kernel, a few samples at a time.
struct SlicedConvolutionGradient: SlicedKernel {
  let base: ConvolutionKernel
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    base.addGradient(
      portion(part, of: units, extent: base.geometry.N), continuing: continuing, memory, scratch)
  }
}

extension Lowering {
  /// Lowers a convolution, with the bias and the relu that follow a forward pass, if there are any.
  func lowerConvolution(_ operation: Convolution, _ instruction: Program.Instruction, at index: Int) {
    let x = view(instruction.operands[0])
    let w = view(instruction.operands[1])
    let resultType = type(instruction.results.lowerBound)
    if resultType.dtype == .float32, [x.type, w.type, resultType].allSatisfy({ $0.elementCount > 0 }),
      let geometry = FastConvolution(operation, x.type.shape, w.type.shape, resultType.shape)
    {
      return lower(geometry, x, w, instruction, at: index)
    }
    finishLoop(computing: x.root)
    finishLoop(computing: w.root)
    add(
      GenericConvolutionKernel(
        operation: operation, input: x, kernel: w, result: instruction.results.lowerBound, type: resultType),
      reads: [x.root, w.root], writes: [instruction.results.lowerBound])
  }

  private func lower(
    _ convolution: FastConvolution, _ x: View, _ w: View, _ instruction: Program.Instruction, at index: Int
  ) {
    var result = instruction.results.lowerBound
    let first = contiguous(x)
    // Frozen weights are packed only once.
    if convolution.direction != .backwardWeights, frozenInputs.isEmpty,
      UnpackedConvolutionKernel.pays(convolution.direction, convolution.geometry, isa)
    {
      let second = contiguous(w)
      let epilogue = convolution.direction == .forward ? takeEpilogue(of: &result, at: index) : Epilogue()
      add(
        UnpackedConvolutionKernel(
          direction: convolution.direction, geometry: convolution.geometry, input: first, weights: second,
          result: result, epilogue: epilogue, isa: isa),
        reads: [first, second] + (epilogue.bias.map { [$0] } ?? []), writes: [result])
      return
    }
    switch convolution.direction {
    case .forward:
      let second = pack(w, of: instruction.operands[1], for: convolution)
      let epilogue = takeEpilogue(of: &result, at: index, addsResidual: true)
      let others = [epilogue.bias, epilogue.residual].compactMap { $0 }
      if epilogue.residual == nil, let pool = takePool(of: result) {
        add(
          ConvolutionPoolKernel(
            geometry: convolution.geometry, pool: pool.geometry, source: first, weights: second, result: pool.result,
            index: pool.index, epilogue: epilogue, isa: isa),
          reads: [first, second] + others, writes: [pool.result] + (pool.index.map { [$0] } ?? []))
        return
      }
      add(
        ConvolutionKernel(
          direction: .forward, geometry: convolution.geometry, first: first, second: second, result: result,
          epilogue: epilogue, isa: isa),
        reads: [first, second] + others, writes: [result])
    case .backwardData:
      let second = pack(ungrouped(w, groups: convolution.geometry.groups), for: convolution)
      add(
        ConvolutionKernel(
          direction: .backwardData, geometry: convolution.geometry, first: first, second: second, result: result,
          epilogue: Epilogue(), isa: isa),
        reads: [first, second], writes: [result])
    case .backwardWeights:
      let second = contiguous(w)
      if ConvolutionGradientKernel.pays(convolution.geometry, isa) {
        add(
          ConvolutionGradientKernel(
            geometry: convolution.geometry, input: first, gradient: second, result: result, isa: isa),
          reads: [first, second], writes: [result])
        return
      }
      add(
        ConvolutionKernel(
          direction: .backwardWeights, geometry: convolution.geometry, first: first, second: second,
          result: result, epilogue: Epilogue(), isa: isa),
        reads: [first, second], writes: [result])
    }
  }

  /// Weights in the order in which the microkernel reads them, packed once for all samples. For a forward pass, `value`
  /// is what the weights are in the program: a product with a vector of outputs is computed while packing.
  private func pack(_ w: View, of value: Int? = nil, for convolution: FastConvolution) -> Int {
    let (weights, scale) = value.flatMap(scaledWeights) ?? (w, nil)
    let source = contiguous(weights)
    let kernel = PackKernel(
      direction: convolution.direction, geometry: convolution.geometry, source: source, scale: scale, isa: isa)
    let packed = temporary(kernel.packedBytes)
    add(kernel.writing(to: packed), reads: [source] + (scale.map { [$0] } ?? []), writes: [packed])
    return packed
  }

  /// Weights and the vector that multiplies them, if a value is their product and nothing else reads it.
  private func scaledWeights(_ value: Int) -> (View, Int?)? {
    guard onlyUser(of: value) != nil, let producer = producers[value],
      let multiply = program.instructions[producer].operation as? Binary, multiply.function == .multiply
    else { return nil }
    let operands = program.instructions[producer].operands
    for (weights, vector) in [(operands[0], operands[1]), (operands[1], operands[0])] where weights != vector {
      if let scale = biasVector(vector, along: type(value)) { return (view(weights), scale) }
    }
    return nil
  }

  /// A kernel [kh, kw, groups·i, o] with the groups among the inputs, seen as [kh, kw, i, groups·o].
  private func ungrouped(_ w: View, groups: Int) -> View {
    guard groups > 1 else { return w }
    let window = w.type.shape.dropLast(2)
    let (inputs, outputs) = (w.type.shape[window.count], w.type.shape[window.count + 1])
    let dense = View(root: contiguous(w), type: w.type)
    let split = Array(window) + [groups, inputs / groups, outputs]
    guard let view = dense.reshaped(split) else { return w }
    let last = window.count
    let ordered = view.transposed(Array(0..<last) + [last + 1, last, last + 2])
    let type = w.type.with(Array(window) + [inputs / groups, groups * outputs])
    return View(root: contiguous(ordered), type: type)
  }
}

/// Finds the microkernel for a convolution by its attributes, if there is one.
struct FastConvolution {
  let direction: ConvolutionKernel.Direction
  let geometry: AccConv

  init?(_ op: Convolution, _ x: [Int], _ w: [Int], _ y: [Int]) {
    // A sequence is an image of one row.
    let (flat, shapes) = op.strides.count == 1 ? op.asRows(x, w, y) : (op, [x, w, y])
    guard let found = Self.match(flat, shapes[0], shapes[1], shapes[2]) else { return nil }
    (direction, geometry) = found
  }

  /// The direction and geometry of a convolution over two axes.
  private static func match(
    _ op: Convolution, _ x: [Int], _ w: [Int], _ y: [Int]
  ) -> (ConvolutionKernel.Direction, AccConv)? {
    guard op.strides.count == 2 else { return nil }
    let direction: ConvolutionKernel.Direction
    let d = op.dimensions
    let forward = Convolution.Dimensions.channelsLast(spatial: 2)
    var c = AccConv()
    if d == forward, op.inputDilation == [1, 1], op.reversal == [false, false], op.batchGroups == 1,
      op.paddingLow.allSatisfy({ $0 >= 0 })
    {
      direction = .forward
      (c.N, c.H, c.W, c.C) = (x[0], x[1], x[2], x[3])
      (c.KH, c.KW, c.O) = (w[0], w[1], w[3])
      (c.OH, c.OW) = (y[1], y[2])
      (c.stride_h, c.stride_w) = (op.strides[0], op.strides[1])
      (c.dil_h, c.dil_w) = (op.kernelDilation[0], op.kernelDilation[1])
      (c.pad_top, c.pad_left) = (op.paddingLow[0], op.paddingLow[1])
      c.groups = op.featureGroups
    } else if d.inputBatch == 0, d.inputFeature == 3, d.inputSpatial == [1, 2], d.kernelSpatial == [0, 1],
      d.kernelInput == 3, d.kernelOutput == 2, d.outputBatch == 0, d.outputFeature == 3, d.outputSpatial == [1, 2],
      op.reversal == [true, true], op.strides == [1, 1], op.batchGroups == 1
    {
      direction = .backwardData
      let top = (w[0] - 1) * op.kernelDilation[0] - op.paddingLow[0]
      let left = (w[1] - 1) * op.kernelDilation[1] - op.paddingLow[1]
      guard top >= 0, left >= 0 else { return nil }
      (c.N, c.H, c.W, c.C) = (y[0], y[1], y[2], y[3])
      (c.KH, c.KW, c.O) = (w[0], w[1], x[3])
      (c.OH, c.OW) = (x[1], x[2])
      (c.stride_h, c.stride_w) = (op.inputDilation[0], op.inputDilation[1])
      (c.dil_h, c.dil_w) = (op.kernelDilation[0], op.kernelDilation[1])
      (c.pad_top, c.pad_left) = (top, left)
      c.groups = op.featureGroups
    } else if d.inputBatch == 3, d.inputFeature == 0, d.inputSpatial == [1, 2], d.kernelInput == 0,
      d.kernelOutput == 3, d.kernelSpatial == [1, 2], d.outputBatch == 2, d.outputFeature == 3,
      d.outputSpatial == [0, 1], op.inputDilation == [1, 1], op.reversal == [false, false], op.featureGroups == 1,
      op.paddingLow.allSatisfy({ $0 >= 0 })
    {
      direction = .backwardWeights
      (c.N, c.H, c.W, c.C) = (x[0], x[1], x[2], x[3])
      (c.KH, c.KW, c.O) = (y[0], y[1], w[3])
      (c.OH, c.OW) = (w[1], w[2])
      (c.stride_h, c.stride_w) = (op.kernelDilation[0], op.kernelDilation[1])
      (c.dil_h, c.dil_w) = (op.strides[0], op.strides[1])
      (c.pad_top, c.pad_left) = (op.paddingLow[0], op.paddingLow[1])
      c.groups = op.batchGroups
    } else {
      return nil
    }
    // A stride or dilation that is never used may have any size; kernels should not prepare for it.
    if c.OH == 1 { c.stride_h = 1 }
    if c.OW == 1 { c.stride_w = 1 }
    if c.KH == 1 { c.dil_h = 1 }
    if c.KW == 1 { c.dil_w = 1 }
    return (direction, c)
  }
}

extension Convolution {
  /// A convolution over one axis as one over two, the first of size 1, and the shapes with that axis.
  fileprivate func asRows(_ x: [Int], _ w: [Int], _ y: [Int]) -> (Convolution, [[Int]]) {
    let d = dimensions
    func moved(_ axis: Int, behind spatial: [Int]) -> Int { axis >= spatial[0] ? axis + 1 : axis }
    func both(_ spatial: [Int]) -> [Int] { [spatial[0], spatial[0] + 1] }
    func row(_ shape: [Int], _ spatial: [Int]) -> [Int] {
      Array(shape[..<spatial[0]]) + [1] + Array(shape[spatial[0]...])
    }
    let rows = Convolution(
      dimensions: Dimensions(
        inputBatch: moved(d.inputBatch, behind: d.inputSpatial),
        inputFeature: moved(d.inputFeature, behind: d.inputSpatial),
        inputSpatial: both(d.inputSpatial), kernelInput: moved(d.kernelInput, behind: d.kernelSpatial),
        kernelOutput: moved(d.kernelOutput, behind: d.kernelSpatial), kernelSpatial: both(d.kernelSpatial),
        outputBatch: moved(d.outputBatch, behind: d.outputSpatial),
        outputFeature: moved(d.outputFeature, behind: d.outputSpatial), outputSpatial: both(d.outputSpatial)),
      strides: [1] + strides, paddingLow: [0] + paddingLow, paddingHigh: [0] + paddingHigh,
      inputDilation: [1] + inputDilation, kernelDilation: [1] + kernelDilation, reversal: reversal + reversal,
      featureGroups: featureGroups, batchGroups: batchGroups)
    return (rows, [row(x, d.inputSpatial), row(w, d.kernelSpatial), row(y, d.outputSpatial)])
  }
}
