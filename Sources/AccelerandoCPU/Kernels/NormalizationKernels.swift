// Layer normalization, row by row.

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

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 8_000)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let start = part.lowerBound * columns
    isa.kernels.layer_norm_f32?(
      memory.elements(source, Float.self) + start, memory.elements(scale, Float.self),
      memory.elements(offset, Float.self), memory.elements(result, Float.self) + start, part.count, columns, epsilon)
  }
}

/// The gradients of layer normalization: by x, and sums of those by scale and offset over parts of the rows that the
/// shape alone decides.
struct LayerNormalizationGradientKernel: Kernel {
  let source: Int
  let scale: Int
  let gradient: Int
  let result: Int
  /// `[parts, columns]` each.
  var scaleParts: Int
  var offsetParts: Int
  let rows: Int
  let columns: Int
  let rowsPerPart: Int
  let epsilon: Float
  let isa: InstructionSet

  var label: String { "layer normalization gradient [\(rows), \(columns)]" }

  var parts: Int { (rows + rowsPerPart - 1) / rowsPerPart }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 8_000)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    for part in portion(range, of: tasks, extent: parts) {
      let first = part * rowsPerPart
      let start = first * columns
      isa.kernels.layer_norm_backward_f32?(
        memory.elements(source, Float.self) + start, memory.elements(scale, Float.self),
        memory.elements(gradient, Float.self) + start, memory.elements(result, Float.self) + start,
        memory.elements(scaleParts, Float.self) + part * columns,
        memory.elements(offsetParts, Float.self) + part * columns, min(rowsPerPart, rows - first), columns, epsilon)
    }
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
    let results = Array(instruction.results)
    let (rows, columns) = normalizedRows(type(results[0]), operation.axisCount)
    var kernel = LayerNormalizationGradientKernel(
      source: operands[0], scale: operands[1], gradient: operands[2], result: results[0], scaleParts: results[1],
      offsetParts: results[2], rows: rows, columns: columns, rowsPerPart: 64, epsilon: Float(operation.epsilon),
      isa: isa)
    if kernel.parts == 1 {
      add(kernel, reads: operands, writes: results, inPlace: [operands[0], operands[2]])
      return
    }
    let parts = kernel.parts
    let partial = (0..<2).map { _ in temporary(parts * columns * 4) }
    (kernel.scaleParts, kernel.offsetParts) = (partial[0], partial[1])
    add(kernel, reads: operands, writes: [results[0]] + partial, inPlace: [operands[0], operands[2]])
    for (source, result) in zip(partial, results.dropFirst()) {
      add(
        ReduceKernel(
          function: .sum, source: source, result: result, outer: 1, reduce: parts, inner: columns, isa: isa),
        reads: [source], writes: [result])
    }
  }

  private func normalizedRows(_ type: TensorType, _ axisCount: Int) -> (rows: Int, columns: Int) {
    let columns = Array(type.shape.suffix(axisCount)).elementCount
    return (Array(type.shape.dropLast(axisCount)).elementCount, columns)
  }
}
