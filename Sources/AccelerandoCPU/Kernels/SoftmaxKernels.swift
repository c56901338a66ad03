// Softmax, its gradient and the cross-entropy of class indices, row by row.

import AccelerandoCore
import CKernels

/// A function of float32 rows: of one tensor, or of a result and its gradient.
struct RowKernel: Kernel {
  enum Function: String {
    case softmax, logSoftmax = "log softmax"
    case softmaxGradient = "softmax gradient", logSoftmaxGradient = "log softmax gradient"
  }

  let function: Function
  let sources: [Int]
  let result: Int
  let rows: Int
  let columns: Int
  let isa: InstructionSet

  var label: String { "\(function.rawValue) [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 20 * Double(rows * columns), bytes: 8 * Double(rows * columns), work: .functions) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 4_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: rows, operands: sources)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    func at(_ value: Int) -> UnsafeMutablePointer<Float> {
      memory.elements(value, Float.self) + part.lowerBound * columns
    }
    let (x, y, kernels) = (at(sources[0]), at(result), isa.kernels)
    switch function {
    case .softmax: kernels.softmax_f32?(x, y, part.count, columns)
    case .logSoftmax: kernels.log_softmax_f32?(x, y, part.count, columns)
    case .softmaxGradient: kernels.softmax_backward_f32?(x, at(sources[1]), y, part.count, columns)
    case .logSoftmaxGradient: kernels.log_softmax_backward_f32?(x, at(sources[1]), y, part.count, columns)
    }
  }
}

/// The cross-entropy of class indices with float32 logits, and log Σ eˣ of each row.
struct CrossEntropyKernel: Kernel {
  let logits: Int
  let labels: Int
  let loss: Int
  let logSum: Int
  let rows: Int
  let columns: Int
  let isa: InstructionSet

  var label: String { "cross-entropy [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 20 * Double(rows * columns), bytes: 4 * Double(rows * columns), work: .functions) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 4_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: rows, operands: [logits, labels])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let row = part.lowerBound
    isa.kernels.sparse_cross_entropy_f32?(
      memory.elements(logits, Float.self) + row * columns, memory.elements(labels, Int32.self) + row,
      memory.elements(loss, Float.self) + row, memory.elements(logSum, Float.self) + row, part.count, columns)
  }
}

/// Its gradient with respect to the logits.
struct CrossEntropyGradientKernel: Kernel {
  let logits: Int
  let labels: Int
  let logSum: Int
  /// One number for each row, or one for all rows.
  let gradient: Int
  let isShared: Bool
  let result: Int
  let rows: Int
  let columns: Int
  let isa: InstructionSet

  var label: String { "cross-entropy gradient [\(rows), \(columns)]" }

  var cost: Cost { Cost(flops: 20 * Double(rows * columns), bytes: 8 * Double(rows * columns), work: .functions) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows * columns, threads: threads, minimumPerTask: 4_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(
      units, elementCount: rows, operands: [logits, labels, logSum] + (isShared ? [] : [gradient]),
      whole: isShared ? [gradient] : [])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let row = part.lowerBound
    isa.kernels.sparse_cross_entropy_backward_f32?(
      memory.elements(logits, Float.self) + row * columns, memory.elements(logSum, Float.self) + row,
      memory.elements(labels, Int32.self) + row,
      memory.elements(gradient, Float.self) + (isShared ? 0 : row), isShared ? 0 : 1,
      memory.elements(result, Float.self) + row * columns, part.count, columns)
  }
}

extension Lowering {
  /// Lowers a function of the rows of its operands.
  func lowerRows(_ function: RowKernel.Function, _ instruction: Program.Instruction) {
    let sources = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    let (rows, columns) = rowsAndColumns(type(result))
    add(
      RowKernel(function: function, sources: sources, result: result, rows: rows, columns: columns, isa: isa),
      reads: sources, writes: [result], inPlace: Set(sources))
  }

  func lowerCrossEntropy(_ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    let (rows, columns) = rowsAndColumns(type(instruction.operands[0]))
    add(
      CrossEntropyKernel(
        logits: operands[0], labels: operands[1], loss: results[0], logSum: results[1], rows: rows, columns: columns,
        isa: isa), reads: operands, writes: results)
  }

  func lowerCrossEntropyGradient(_ instruction: Program.Instruction) {
    let operands = instruction.operands.dropLast().map { contiguous($0) }
    let result = instruction.results.lowerBound
    let (rows, columns) = rowsAndColumns(type(result))
    // The mean of a loss has the same gradient for each row: it need not be broadcast in memory.
    let spread = view(instruction.operands[3])
    let isShared = spread.offset == 0 && spread.collapsed().allSatisfy { $0.stride == 0 }
    if isShared { finishLoop(computing: spread.root) }
    let gradient = isShared ? spread.root : contiguous(spread)
    add(
      CrossEntropyGradientKernel(
        logits: operands[0], labels: operands[1], logSum: operands[2], gradient: gradient, isShared: isShared,
        result: result,
        rows: rows, columns: columns, isa: isa), reads: operands + [gradient], writes: [result],
      inPlace: [operands[0]])
  }

  private func rowsAndColumns(_ type: TensorType) -> (rows: Int, columns: Int) {
    (Array(type.shape.dropLast()).elementCount, type.shape.last ?? 1)
  }
}
