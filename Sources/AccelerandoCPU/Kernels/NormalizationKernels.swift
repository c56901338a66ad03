// Layer normalization, row by row, and its gradient: with respect to x row by row too, with respect to scale and offset
// as sums over the rows.

import AccelerandoCore
import CKernels

/// Layer normalization of float32 rows.
struct LayerNormalizationKernel: Kernel {
  let source: Int
  let scale: Int
  let offset: Int
  let result: Int
  let rows: Int
  let columns: Int
  let epsilon: Float
  let isa: InstructionSet

  var label: String { "layer normalization [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 8 * Double(rows * columns), bytes: 8 * Double(rows * columns)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 8_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: rows, operands: [source], whole: [scale, offset])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let start = part.lowerBound * columns
    isa.kernels.layer_norm_f32?(
      memory.elements(source, Float.self) + start, memory.elements(scale, Float.self),
      memory.elements(offset, Float.self), memory.elements(result, Float.self) + start, part.count, columns, epsilon)
  }
}

/// The gradient of layer normalization with respect to x; and the mean and 1/√(variance + ε) of each row, which the
/// gradient with respect to the scale needs.
struct LayerNormalizationGradientKernel: Kernel {
  let source: Int
  let scale: Int
  let gradient: Int
  let result: Int
  /// `[rows, 2]`.
  let moments: Int
  let rows: Int
  let columns: Int
  let epsilon: Float
  let isa: InstructionSet

  var label: String { "layer normalization gradient [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 18 * Double(rows * columns), bytes: 12 * Double(rows * columns)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 8_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: rows, operands: [source, gradient], whole: [scale])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let start = part.lowerBound * columns
    isa.kernels.layer_norm_backward_f32?(
      memory.elements(source, Float.self) + start, memory.elements(scale, Float.self),
      memory.elements(gradient, Float.self) + start, memory.elements(result, Float.self) + start,
      memory.elements(moments, Float.self) + 2 * part.lowerBound, part.count, columns, epsilon)
  }
}

/// The gradient of layer normalization with respect to the scale: the sum over the rows of gradient times normalized x.
struct LayerNormalizationScaleKernel: Kernel {
  let source: Int
  let gradient: Int
  let moments: Int
  let result: Int
  let rows: Int
  let columns: Int
  let isa: InstructionSet

  var label: String { "layer normalization scale gradient [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 4 * Double(rows * columns), bytes: 8 * Double(rows * columns)) }

  func taskCount(threads: Int) -> Int {
    min(
      AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 16_000, perThread: 1),
      max(columns / 16, 1))
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard units.divide(rows) else { return [] }
    let operands = [source, gradient, moments].map { (value: $0, isAligned: true) }
    if units.count == 1 { return sliced(units, operands: operands) }
    return [
      Slicing(
        LayerNormalizationScaleSlices(base: self, units: units.count), operands: operands,
        partial: Slicing.Partial(function: .sum, value: result, elementCount: columns))
    ]
  }

  /// Split along the columns: each sum goes over the rows in order.
  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: columns, grain: 16)
    if !part.isEmpty { run(rows: 0..<rows, columns: part, continuing: false, memory) }
  }

  func run(rows part: Range<Int>, columns cut: Range<Int>, continuing: Bool, _ memory: Memory) {
    let start = part.lowerBound * columns
    isa.kernels.layer_norm_scale_backward_f32?(
      memory.elements(source, Float.self) + start, memory.elements(gradient, Float.self) + start,
      memory.elements(moments, Float.self) + 2 * part.lowerBound, memory.elements(result), part.count, columns,
      cut.lowerBound, cut.upperBound, continuing)
  }
}

/// The same sum over the units, a few at a time.
struct LayerNormalizationScaleSlices: SlicedKernel {
  let base: LayerNormalizationScaleKernel
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { 0 }

  func run(_ part: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let rows = portion(part, of: units, extent: base.rows)
    base.run(rows: rows, columns: 0..<base.columns, continuing: continuing, memory)
  }
}

extension Lowering {
  func lowerLayerNormalization(_ operation: LayerNormalization, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    let (rows, columns) = normalizedRows(type(result), operation.axisCount)
    add(
      LayerNormalizationKernel(
        source: operands[0], scale: operands[1], offset: operands[2], result: result, rows: rows, columns: columns,
        epsilon: Float(operation.epsilon), isa: isa), reads: operands, writes: [result], inPlace: [operands[0]])
  }

  func lowerLayerNormalizationGradient(_ operation: LayerNormalizationGradient, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let (source, scale, gradient) = (operands[0], operands[1], operands[2])
    let results = Array(instruction.results)
    let (rows, columns) = normalizedRows(type(results[0]), operation.axisCount)
    let moments = temporary(rows * 8)
    add(
      LayerNormalizationGradientKernel(
        source: source, scale: scale, gradient: gradient, result: results[0], moments: moments, rows: rows,
        columns: columns, epsilon: Float(operation.epsilon), isa: isa), reads: operands,
      writes: [results[0], moments])
    add(
      LayerNormalizationScaleKernel(
        source: source, gradient: gradient, moments: moments, result: results[1], rows: rows, columns: columns,
        isa: isa), reads: [source, gradient, moments], writes: [results[1]])
    add(
      ReduceKernel(
        function: .sum, source: gradient, result: results[2], outer: 1, reduce: rows, inner: columns, isa: isa),
      reads: [gradient], writes: [results[2]])
  }

  private func normalizedRows(_ type: TensorType, _ axisCount: Int) -> (rows: Int, columns: Int) {
    let columns = Array(type.shape.suffix(axisCount)).elementCount
    return (Array(type.shape.dropLast(axisCount)).elementCount, columns)
  }
}
