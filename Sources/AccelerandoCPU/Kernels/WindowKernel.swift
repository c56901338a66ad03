// Pooling and its gradient.

import AccelerandoCore
import CKernels

/// Pooling of float32 images, channels last.
struct PoolKernel: Kernel {
  enum Kind: String, Sendable { case max, sum, maxGradient, sumGradient }

  let kind: Kind
  let geometry: AccPool
  /// The operand; for the gradient of max pooling the input, for that of sum pooling the gradient.
  let source: Int
  /// The gradient, for the gradient of max pooling.
  let gradient: Int
  let result: Int
  /// The argmax indices: written by max pooling, read by its gradient, which then reads no input.
  var index: Int?
  let isa: InstructionSet

  var label: String {
    let p = geometry
    return "pool \(kind.rawValue) \(p.window_h)×\(p.window_w) of [\(p.N), \(p.H), \(p.W), \(p.C)]"
  }

  private var work: Int {
    [geometry.N, geometry.OH, geometry.OW, geometry.C, geometry.window_h, geometry.window_w].elementCount
  }

  var cost: Cost {
    let p = geometry
    return Cost(flops: Double(work), bytes: 4 * Double(p.N * p.C * (p.H * p.W + 2 * p.OH * p.OW)))
  }

  func taskCount(threads: Int) -> Int {
    let rows = kind == .max || kind == .sum ? geometry.OH : 1
    return AccelerandoCPU.taskCount(
      samples: geometry.N, rows: rows, work: work, threads: threads, minimumPerTask: 16_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    let winners = kind == .maxGradient ? index.map { [$0] } : nil
    return elementwiseSlicing(units, elementCount: geometry.N, operands: (winners ?? [source]) + [gradient])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    if kind == .max || kind == .sum {
      forEachPart(range, of: tasks, samples: geometry.N, rows: geometry.OH) { pool($0, rows: $1, memory) }
      return
    }
    let samples = portion(range, of: tasks, extent: geometry.N)
    let x = memory.elements(source, Float.self)
    let out = memory.elements(result, Float.self)
    withUnsafePointer(to: geometry) { geometry in
      switch kind {
      case .max, .sum: break
      case .maxGradient:
        let g = memory.elements(gradient, Float.self)
        if let index {
          isa.kernels.maxpool_backward_index?(
            geometry, memory.elements(index, UInt8.self), g, out, samples.lowerBound, samples.upperBound)
          return
        }
        isa.kernels.maxpool_backward?(geometry, x, g, out, samples.lowerBound, samples.upperBound)
      case .sumGradient: isa.kernels.sumpool_backward?(geometry, x, out, samples.lowerBound, samples.upperBound)
      }
    }
  }

  /// Pools some rows of some samples: one sample, or all rows.
  private func pool(_ samples: Range<Int>, rows: Range<Int>, _ memory: Memory) {
    // What remains of the image below the rows above is an image too.
    var part = geometry
    let top = rows.lowerBound * geometry.stride_h - geometry.pad_top
    let skipped = min(max(top, 0), max(geometry.H - 1, 0))
    (part.H, part.OH, part.pad_top) = (geometry.H - skipped, rows.count, skipped - top)
    let x = memory.elements(source, Float.self) + (samples.lowerBound * geometry.H + skipped) * geometry.W * geometry.C
    let start = (samples.lowerBound * geometry.OH + rows.lowerBound) * geometry.OW * geometry.C
    let out = memory.elements(result, Float.self) + start
    withUnsafePointer(to: part) { part in
      if kind == .sum {
        isa.kernels.sumpool_forward?(part, x, out, 0, samples.count)
      } else {
        isa.kernels.maxpool_forward_index?(
          part, x, out, index.map { memory.elements($0, UInt8.self) + start }, 0, samples.count)
      }
    }
  }

  /// The geometry of pooling from `large` to `small`, if the window slides over the two middle axes only. A sequence is an
  /// image of one row.
  static func geometry(
    _ window: WindowGeometry, large: [Int], small: [Int], strides: [Int], padding: [Int]
  ) -> AccPool? {
    if large.count == 3 {
      func row(_ numbers: [Int], _ height: Int) -> [Int] { [numbers[0], height] + numbers.dropFirst() }
      let flat = WindowGeometry(
        size: row(window.size, 1), strides: row(window.strides, 1), paddingLow: row(window.paddingLow, 0),
        paddingHigh: row(window.paddingHigh, 0), inputDilation: row(window.inputDilation, 1),
        windowDilation: row(window.windowDilation, 1))
      return geometry(
        flat, large: row(large, 1), small: row(small, 1), strides: row(strides, 1), padding: row(padding, 0))
    }
    guard large.count == 4, window.size[0] == 1, window.size[3] == 1, strides[0] == 1, strides[3] == 1,
      padding.allSatisfy({ $0 >= 0 }), padding[0] == 0, padding[3] == 0, large[0] == small[0], large[3] == small[3],
      window.windowDilation.allSatisfy({ $0 == 1 }), (large + small).allSatisfy({ $0 > 0 })
    else { return nil }
    return AccPool(
      N: large[0], H: large[1], W: large[2], C: large[3], window_h: window.size[1], window_w: window.size[2],
      stride_h: strides[1], stride_w: strides[2], pad_top: padding[1], pad_left: padding[2], OH: small[1],
      OW: small[2])
  }
}

/// A sliding window in any element type and geometry, element by element.
struct GenericWindowKernel: Kernel {
  let function: Reduce.Function
  let window: WindowGeometry
  let source: Int
  let sourceShape: [Int]
  let result: Int
  let type: TensorType
  let identity: Scalar64
  private let strides: [Int]
  private let sourceStrides: [Int]
  private let tapStrides: [Int]

  init(
    function: Reduce.Function, window: WindowGeometry, source: Int, sourceShape: [Int], result: Int, type: TensorType
  ) {
    self.function = function
    self.window = window
    self.source = source
    self.sourceShape = sourceShape
    self.result = result
    self.type = type
    identity = function.scalarIdentity(type.dtype)
    strides = type.shape.rowMajorStrides
    sourceStrides = sourceShape.rowMajorStrides
    tapStrides = window.size.rowMajorStrides
  }

  var label: String { "\(type.dtype.rawValue) window \(function.rawValue) \(window.size) of \(sourceShape)" }

  var cost: Cost { Cost(flops: 60 * Double(type.elementCount) * Double(window.size.elementCount)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(
      work: (type.shape + window.size).elementCount, threads: threads, minimumPerTask: 8_000)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    type.dtype.visit(
      Visitor(kernel: self, elements: portion(range, of: tasks, extent: type.elementCount), memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: GenericWindowKernel
    let elements: Range<Int>
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let window = kernel.window
      let x = memory.elements(kernel.source, E.self)
      let out = memory.elements(kernel.result, E.self)
      let identity = E.Compute(kernel.identity)
      let shape = kernel.type.shape
      let (strides, inStrides, tapStrides) = (kernel.strides, kernel.sourceStrides, kernel.tapStrides)
      let taps = window.size.elementCount
      for element in elements {
        var total = identity
        tap: for tap in 0..<taps {
          var at = 0
          for axis in shape.indices {
            let place = element / strides[axis] % shape[axis] * window.strides[axis] - window.paddingLow[axis]
            let position = place + tap / tapStrides[axis] % window.size[axis] * window.windowDilation[axis]
            guard position >= 0, position % window.inputDilation[axis] == 0,
              position / window.inputDilation[axis] < kernel.sourceShape[axis]
            else { continue tap }
            at += position / window.inputDilation[axis] * inStrides[axis]
          }
          total = kernel.function.combine(total, x[at].compute)
        }
        out[element] = E(compute: total)
      }
    }
  }
}

/// Select-and-scatter in any element type and geometry, one window after another on one thread: windows may overlap.
struct GenericScatterWindowKernel: Kernel {
  let operation: SelectAndScatter
  let source: Int
  let gradient: Int
  let result: Int
  let type: TensorType
  let gradientShape: [Int]
  private let strides: [Int]
  private let gradientStrides: [Int]
  private let tapStrides: [Int]

  init(
    operation: SelectAndScatter, source: Int, gradient: Int, result: Int, type: TensorType, gradientShape: [Int]
  ) {
    self.operation = operation
    self.source = source
    self.gradient = gradient
    self.result = result
    self.type = type
    self.gradientShape = gradientShape
    strides = type.shape.rowMajorStrides
    gradientStrides = gradientShape.rowMajorStrides
    tapStrides = operation.window.size.rowMajorStrides
  }

  var label: String { "\(type.dtype.rawValue) select and scatter \(operation.window.size) of \(type.shape)" }

  var cost: Cost {
    Cost(flops: 60 * Double(gradientShape.elementCount) * Double(operation.window.size.elementCount))
  }

  func taskCount(threads: Int) -> Int { 1 }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    type.dtype.visit(Visitor(kernel: self, memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: GenericScatterWindowKernel
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let window = kernel.operation.window
      let x = memory.elements(kernel.source, E.self)
      let g = memory.elements(kernel.gradient, E.self)
      let out = memory.elements(kernel.result, E.self)
      let shape = kernel.type.shape
      out.update(repeating: E(compute: .zero), count: shape.elementCount)
      let (strides, gStrides, tapStrides) = (kernel.strides, kernel.gradientStrides, kernel.tapStrides)
      for element in 0..<kernel.gradientShape.elementCount {
        var best = -1
        tap: for tap in 0..<window.size.elementCount {
          var at = 0
          for axis in shape.indices {
            let start = element / gStrides[axis] % kernel.gradientShape[axis] * window.strides[axis]
            let position = start - window.paddingLow[axis] + tap / tapStrides[axis] % window.size[axis]
            guard position >= 0, position < shape[axis] else { continue tap }
            at += position * strides[axis]
          }
          let value = x[at].compute
          if best < 0 {
            best = at
          } else {
            let current = x[best].compute
            // The selected one stays while it is at least as large (or small): the first of equal elements is selected.
            let stays = kernel.operation.selectsMax ? current >= value : current <= value
            if !stays { best = at }
          }
        }
        if best >= 0 { out[best] = E(compute: out[best].compute.plus(g[element].compute)) }
      }
    }
  }
}

extension Lowering {
  func lowerWindow(_ operation: ReduceWindow, _ instruction: Program.Instruction) {
    let source = contiguous(instruction.operands[0])
    let shape = type(instruction.operands[0]).shape
    let result = instruction.results.lowerBound
    let window = operation.window
    let resultType = type(result)
    if resultType.dtype == .float32, operation.function == .max || operation.function == .sum {
      var kind: PoolKernel.Kind = operation.function == .max ? .max : .sum
      var geometry: AccPool?
      if window.inputDilation.allSatisfy({ $0 == 1 }) {
        geometry = PoolKernel.geometry(
          window, large: shape, small: resultType.shape, strides: window.strides, padding: window.paddingLow)
      } else if operation.function == .sum, window.strides.allSatisfy({ $0 == 1 }) {
        kind = .sumGradient
        geometry = PoolKernel.geometry(
          window, large: resultType.shape, small: shape, strides: window.inputDilation,
          padding: zip(window.size, window.paddingLow).map { $0 - 1 - $1 })
      }
      if let geometry {
        let index = kind == .max ? poolIndex(of: instruction.operands[0], operation, geometry) : nil
        add(
          PoolKernel(
            kind: kind, geometry: geometry, source: source, gradient: source, result: result, index: index, isa: isa),
          reads: [source], writes: [result] + (index.map { [$0] } ?? []))
        return
      }
    }
    add(
      GenericWindowKernel(
        function: operation.function, window: window, source: source, sourceShape: shape, result: result,
        type: resultType), reads: [source], writes: [result])
  }

  func lowerSelectAndScatter(_ operation: SelectAndScatter, _ instruction: Program.Instruction) {
    let gradient = contiguous(instruction.operands[1])
    let result = instruction.results.lowerBound
    let gradientShape = type(instruction.operands[1]).shape
    if operation.selectsMax, type(result).dtype == .float32,
      let geometry = PoolKernel.geometry(
        operation.window, large: type(result).shape, small: gradientShape, strides: operation.window.strides,
        padding: operation.window.paddingLow)
    {
      if let index = poolIndices[PoolSource(value: instruction.operands[0], window: operation.window)] {
        if takeWeightGradient(of: result, geometry, index: index, gradient: gradient) { return }
        add(
          PoolKernel(
            kind: .maxGradient, geometry: geometry, source: index, gradient: gradient, result: result, index: index,
            isa: isa),
          reads: [index, gradient], writes: [result])
        return
      }
      let source = contiguous(instruction.operands[0])
      add(
        PoolKernel(
          kind: .maxGradient, geometry: geometry, source: source, gradient: gradient, result: result, isa: isa),
        reads: [source, gradient], writes: [result])
      return
    }
    let source = contiguous(instruction.operands[0])
    add(
      GenericScatterWindowKernel(
        operation: operation, source: source, gradient: gradient, result: result, type: type(result),
        gradientShape: gradientShape), reads: [source, gradient], writes: [result])
  }
}
