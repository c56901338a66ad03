// Whole rows at computed positions: gathering a batch's samples from a data set, the vectors of an embedding, its
// gradient.

import AccelerandoCore
import CKernels

/// Rows of a tensor, selected by integers.
struct IndexedRows: Sendable {
  let indices: IndexReader
  /// The number of rows to read or write.
  let count: Int
  /// The rows of the tensor.
  let extent: Int
  /// Elements of a row.
  let width: Int
  let dtype: DType

  var rowBytes: Int { width * dtype.byteCount }
  /// The row that index `row` selects; the nearest one, if it is out of range.
  func place(_ row: Int, _ memory: Memory) -> Int { min(max(indices.read(memory, row), 0), extent - 1) }
}

/// Copies rows, one for each index; an index out of range is clamped.
struct GatherRowsKernel: Kernel {
  let rows: IndexedRows
  let source: Int
  let result: Int

  var label: String { "gather \(rows.count) of \(rows.extent) rows, \(rows.width) \(rows.dtype.rawValue)" }

  var cost: Cost { Cost(bytes: 2 * Double(rows.count * rows.rowBytes)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: rows.count * rows.rowBytes, threads: threads, minimumPerTask: 16_384)
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard rows.count % units.count == 0 else { return [] }
    var slicings = sliced(units, operands: [(source, false), (rows.indices.value, true)])
    // A row is read once, by the unit that it belongs to.
    for index in slicings.indices { slicings[index].reread = [] }
    return slicings
  }

  /// How many rows ahead to prefetch: their positions are random, and memory is slow.
  private static let ahead = 8

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows.count)
    let bytes = rows.rowBytes
    for row in part {
      if row + Self.ahead < rows.count {
        acc_prefetch(memory[source] + rows.place(row + Self.ahead, memory) * bytes, bytes)
      }
      (memory[result] + row * bytes).copyMemory(
        from: memory[source] + rows.place(row, memory) * bytes, byteCount: bytes)
    }
  }
}

/// Adds rows to the rows that indices select, in the order of the indices; indices out of range are skipped.
struct ScatterAddRowsKernel: Kernel {
  let rows: IndexedRows
  let updates: Int
  let result: Int
  let isa: InstructionSet

  var label: String { "scatter add of \(rows.count) rows into \(rows.extent), \(rows.width)" }

  var cost: Cost { Cost(flops: Double(rows.count * rows.width), bytes: 12 * Double(rows.count * rows.width)) }

  /// A row may be selected twice, so threads split the columns.
  func taskCount(threads: Int) -> Int {
    min(
      max(rows.width / 16, 1),
      AccelerandoCPU.taskCount(work: rows.count * rows.width, threads: threads, minimumPerTask: 16_384, perThread: 1))
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let columns = portion(range, of: tasks, extent: rows.width, grain: 16)
    if columns.isEmpty { return }
    let (out, updates) = (memory.elements(result, Float.self), memory.elements(updates, Float.self))
    if rows.indices.dtype == .int64 {
      isa.kernels.scatter_add_rows_i64?(
        out, rows.extent, rows.width, memory.elements(rows.indices.value), rows.count, updates, columns.lowerBound,
        columns.upperBound)
    } else {
      isa.kernels.scatter_add_rows_i32?(
        out, rows.extent, rows.width, memory.elements(rows.indices.value), rows.count, updates, columns.lowerBound,
        columns.upperBound)
    }
  }
}

extension Lowering {
  /// The rows that a gather reads, or a scatter writes, if that is what it does: indices in any shape, each the index
  /// of a whole row.
  func rows(_ dimensions: Gather.Dimensions, of tensor: TensorType, _ indices: Int, _ type: TensorType) -> IndexedRows?
  {
    let isVector = dimensions.indexVector < type.rank
    guard tensor.rank >= 1, tensor.shape[0] > 0, dimensions.collapsed == [0], dimensions.startIndexMap == [0],
      dimensions.operandBatching.isEmpty, !isVector || dimensions.indexVector == type.rank - 1,
      type.dtype == .int32 || type.dtype == .int64
    else { return nil }
    let batchRank = type.rank - (isVector ? 1 : 0)
    guard dimensions.offset == Array(batchRank..<batchRank + tensor.rank - 1) else { return nil }
    return IndexedRows(
      indices: IndexReader(value: indices, dtype: type.dtype), count: type.elementCount, extent: tensor.shape[0],
      width: tensor.shape.dropFirst().reduce(1, *), dtype: tensor.dtype)
  }
}
