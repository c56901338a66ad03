// Reading and writing at computed positions: dynamic slices, gather, scatter.

import AccelerandoCore

/// Integers in memory, whatever their width.
struct IndexReader: Sendable {
  let value: Int
  let dtype: DType

  /// Element `index`, as far as `Int` can represent it.
  @inline(__always)
  func read(_ memory: Memory, _ index: Int) -> Int {
    switch dtype {
    case .int8: Int(memory.elements(value, Int8.self)[index])
    case .uint8: Int(memory.elements(value, UInt8.self)[index])
    case .int32: Int(memory.elements(value, Int32.self)[index])
    case .uint32: Int(memory.elements(value, UInt32.self)[index])
    default: Int(memory.elements(value, Int64.self)[index])
    }
  }
}

/// Copies a block between a tensor and a position, given by scalar starts, in a larger one.
struct DynamicSliceKernel: Kernel {
  /// The copy for starts of zero.
  private let copy: CopyKernel
  /// For each axis its start, the largest start, and the stride in the larger tensor.
  private let starts: [(reader: IndexReader, limit: Int, stride: Int)]
  /// Whether the block is written to the large tensor, not read from it.
  private let isUpdate: Bool
  let label: String

  init(isUpdate: Bool, large: Int, largeType: TensorType, block: Int, sizes: [Int], starts: [IndexReader]) {
    self.isUpdate = isUpdate
    let strides = largeType.shape.rowMajorStrides
    var view = View(root: isUpdate ? block : large, type: largeType.with(sizes))
    if isUpdate {
      copy = CopyKernel(view: view, to: large, offset: 0, strides: strides)
    } else {
      view.strides = strides
      copy = CopyKernel(view: view, to: block)
    }
    self.starts = starts.indices.map { (starts[$0], largeType.shape[$0] - sizes[$0], strides[$0]) }
    label = "\(isUpdate ? "write" : "read") \(sizes) \(isUpdate ? "into" : "out of") \(largeType)"
  }

  var cost: Cost { copy.cost }

  func taskCount(threads: Int) -> Int { 1 }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    var distance = 0
    for (reader, limit, stride) in starts { distance += min(max(reader.read(memory, 0), 0), limit) * stride }
    copy.run(0..<1, of: 1, memory, movedBy: isUpdate ? (0, distance) : (distance, 0))
  }
}

/// The positions that a gather reads or a scatter writes: a window of the operand for every index vector.
struct WindowPlaces: Sendable {
  let dimensions: Gather.Dimensions
  let operandShape: [Int]
  let operandStrides: [Int]
  let windowSizes: [Int]
  /// Axes of the window that the result (or the updates) keep, and their sizes.
  let kept: [Int]
  let keptSizes: [Int]
  let keptStrides: [Int]
  let batchShape: [Int]
  let batchAxes: [Int]
  let indices: IndexReader
  let indexStrides: [Int]
  let vectorLength: Int
  /// Strides, in the result or the updates, of the batch axes and of the window's axes.
  let batchStrides: [Int]
  let windowStrides: [Int]

  init(
    _ dimensions: Gather.Dimensions, operand: [Int], window: [Int], indices: Int, _ indexType: TensorType, other: [Int]
  ) {
    self.dimensions = dimensions
    operandShape = operand
    operandStrides = operand.rowMajorStrides
    windowSizes = window
    kept = operand.indices.filter { !dimensions.collapsed.contains($0) && !dimensions.operandBatching.contains($0) }
    keptSizes = kept.map { window[$0] }
    keptStrides = keptSizes.rowMajorStrides
    batchAxes = indexType.shape.indices.filter { $0 != dimensions.indexVector }
    batchShape = batchAxes.map { indexType.shape[$0] }
    self.indices = IndexReader(value: indices, dtype: indexType.dtype)
    indexStrides = indexType.shape.rowMajorStrides
    vectorLength = dimensions.indexVector < indexType.rank ? indexType.shape[dimensions.indexVector] : 1
    let strides = other.rowMajorStrides
    windowStrides = dimensions.offset.map { strides[$0] }
    batchStrides = other.indices.filter { !dimensions.offset.contains($0) }.map { strides[$0] }
  }

  var batchCount: Int { batchShape.elementCount }
  var windowCount: Int { keptSizes.elementCount }

  /// Where the window of index vector `batch` starts in the operand, axis by axis, and the offset of its elements in
  /// the result. The starts are as given: gather clamps them, scatter skips windows that are out of range.
  func start(_ batch: Int, _ memory: Memory, _ starts: UnsafeMutableBufferPointer<Int>) -> Int {
    for axis in starts.indices { starts[axis] = 0 }
    var index = 0
    var other = 0
    var rest = batch
    for position in batchShape.indices.reversed() {
      let i = rest % batchShape[position]
      rest /= batchShape[position]
      index += i * indexStrides[batchAxes[position]]
      other += i * batchStrides[position]
      if let pair = dimensions.indicesBatching.firstIndex(of: batchAxes[position]) {
        starts[dimensions.operandBatching[pair]] = i
      }
    }
    let stride = dimensions.indexVector < indexStrides.count ? indexStrides[dimensions.indexVector] : 0
    for component in 0..<vectorLength {
      starts[dimensions.startIndexMap[component]] = indices.read(memory, index + component * stride)
    }
    return other
  }
}

/// Reads windows at computed positions.
struct GatherKernel: Kernel {
  let places: WindowPlaces
  let type: TensorType
  /// The copy of a window that starts at zero to where the first lies in the result.
  private let copy: CopyKernel

  init(places: WindowPlaces, source: Int, result: Int, type: TensorType) {
    self.places = places
    self.type = type
    var view = View(root: source, type: type.with(places.keptSizes))
    view.strides = places.kept.map { places.operandStrides[$0] }
    copy = CopyKernel(view: view, to: result, offset: 0, strides: places.windowStrides)
  }

  var label: String { "gather \(type) out of \(places.operandShape)" }

  var cost: Cost { Cost(flops: 4000 * Double(places.batchCount), bytes: 2 * Double(type.byteCount)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: type.byteCount, threads: threads, minimumPerTask: 65_536)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: places.batchCount)
    withUnsafeTemporaryAllocation(of: Int.self, capacity: places.operandShape.count) { starts in
      for batch in part {
        let other = places.start(batch, memory, starts)
        var offset = 0
        for axis in starts.indices {
          let limit = places.operandShape[axis] - places.windowSizes[axis]
          offset += min(max(starts[axis], 0), limit) * places.operandStrides[axis]
        }
        copy.run(0..<1, of: 1, memory, movedBy: (offset, other))
      }
    }
  }
}

/// Writes windows at computed positions, in the order of the index vectors, into an existing copy of the operand.
struct ScatterKernel: Kernel {
  let function: Scatter.Function
  let places: WindowPlaces
  let updates: Int
  let result: Int
  let dtype: DType

  var label: String { "scatter \(function.rawValue) \(dtype.rawValue) into \(places.operandShape)" }

  var cost: Cost { Cost(flops: 60 * Double(places.batchCount * places.windowCount)) }

  /// Positions may repeat, so one thread does everything.
  func taskCount(threads: Int) -> Int { 1 }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    dtype.visit(Visitor(kernel: self, memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: ScatterKernel
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let places = kernel.places
      let out = memory.elements(kernel.result, E.self)
      let updates = memory.elements(kernel.updates, E.self)
      let window = places.windowCount
      withUnsafeTemporaryAllocation(of: Int.self, capacity: places.operandShape.count) { starts in
        for batch in 0..<places.batchCount {
          let from = places.start(batch, memory, starts)
          guard isInside(starts) else { continue }
          for element in 0..<window {
            var at = 0
            var source = from
            for axis in starts.indices { at += starts[axis] * places.operandStrides[axis] }
            for (position, axis) in places.kept.enumerated() {
              let i = element / places.keptStrides[position] % places.keptSizes[position]
              at += i * places.operandStrides[axis]
              source += i * places.windowStrides[position]
            }
            let new = updates[source].compute
            let old = out[at].compute
            let combined =
              switch kernel.function {
              case .set: new
              case .add: old.plus(new)
              case .multiply: old.times(new)
              case .min: old.smaller(new)
              case .max: old.larger(new)
              }
            out[at] = E(compute: combined)
          }
        }
      }
    }

    /// Whether a window with these starts lies wholly inside.
    private func isInside(_ starts: UnsafeMutableBufferPointer<Int>) -> Bool {
      let places = kernel.places
      for axis in starts.indices {
        let size = places.kept.firstIndex(of: axis).map { places.keptSizes[$0] } ?? 1
        // Without addition, which might overflow for a start from an index of 64 bits.
        if starts[axis] < 0 || starts[axis] > places.operandShape[axis] - size { return false }
      }
      return true
    }
  }
}

/// Sorts along one axis, by the first operand; the others follow. Stable; NaN is larger than all numbers.
struct SortKernel: Kernel {
  let operation: Sort
  let operands: [Int]
  let results: [Int]
  let types: [TensorType]
  private let lines: Int
  private let stride: Int

  init(operation: Sort, operands: [Int], results: [Int], types: [TensorType]) {
    self.operation = operation
    self.operands = operands
    self.results = results
    self.types = types
    stride = types[0].shape.rowMajorStrides[operation.axis]
    lines = types[0].shape.enumerated().filter { $0.offset != operation.axis }.map(\.element).elementCount
  }

  var label: String { "sort \(types.map(\.description).joined(separator: ", ")) along \(operation.axis)" }

  var cost: Cost { Cost(flops: 500 * Double(types[0].elementCount)) }

  func taskCount(threads: Int) -> Int {
    min(max(lines, 1), AccelerandoCPU.taskCount(work: types[0].elementCount, threads: threads, minimumPerTask: 2_000))
  }

  private var length: Int { types[0].shape[operation.axis] }
  private var isByDigits: Bool { types.count == 1 && types[0].dtype == .float32 }

  var scratchBytes: Int { isByDigits ? digitSortScratchBytes(count: length) : length * 2 * MemoryLayout<Int>.size }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let length = length
    let stride = stride
    for line in portion(range, of: tasks, extent: lines) {
      let start = line / stride * stride * length + line % stride
      if isByDigits {
        sortByDigits(
          memory.elements(operands[0], Float.self) + start, into: memory.elements(results[0], Float.self) + start,
          count: length, stride: stride, descending: operation.descending, scratch: scratch)
        continue
      }
      let order = types[0].dtype.visit(
        Order(
          source: memory[operands[0]], start: start, stride: stride, length: length, descending: operation.descending,
          room: scratch.assumingMemoryBound(to: Int.self)))
      for (index, type) in types.enumerated() {
        let width = type.dtype.byteCount
        for position in 0..<length {
          (memory[results[index]] + (start + position * stride) * width).copyMemory(
            from: memory[operands[index]] + (start + order[position] * stride) * width, byteCount: width)
        }
      }
    }
  }

  /// The indices of a line's elements in sorted order, by merge sort. The library's sort allocates memory.
  private struct Order: ElementVisitor {
    let source: UnsafeMutableRawPointer
    let start: Int
    let stride: Int
    let length: Int
    let descending: Bool
    /// Room for twice the indices.
    let room: UnsafeMutablePointer<Int>

    func visit<E: Element>(_: E.Type) -> UnsafeMutablePointer<Int> {
      let x = source.assumingMemoryBound(to: E.self) + start
      func isLess(_ a: E.Compute, _ b: E.Compute) -> Bool { a < b || (b != b && a == a) }
      /// Whether the element at place j must come before the one at i, which stands in front of it.
      func overtakes(_ j: Int, _ i: Int) -> Bool {
        let (a, b) = (x[i &* stride].compute, x[j &* stride].compute)
        return descending ? isLess(a, b) : isLess(b, a)
      }
      for i in 0..<length { room[i] = i }
      // Short runs by insertion.
      let shortRun = 8
      for low in Swift.stride(from: 0, to: length, by: shortRun) {
        for i in min(low + 1, length)..<min(low + shortRun, length) {
          let place = room[i]
          var j = i
          while j > low, overtakes(place, room[j - 1]) {
            room[j] = room[j - 1]
            j -= 1
          }
          room[j] = place
        }
      }
      var (from, to) = (room, room + length)
      var run = shortRun
      while run < length {
        for low in Swift.stride(from: 0, to: length, by: 2 * run) {
          let (middle, high) = (min(low + run, length), min(low + 2 * run, length))
          var (left, right) = (low, middle)
          for target in low..<high {
            if left < middle, right == high || !overtakes(from[right], from[left]) {
              to[target] = from[left]
              left += 1
            } else {
              to[target] = from[right]
              right += 1
            }
          }
        }
        swap(&from, &to)
        run *= 2
      }
      return from
    }
  }
}

extension Lowering {
  func lowerDynamicSlice(_ operation: DynamicSlice, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    add(
      DynamicSliceKernel(
        isUpdate: false, large: operands[0], largeType: type(instruction.operands[0]), block: result,
        sizes: operation.sizes, starts: readers(operands.dropFirst(), instruction.operands.dropFirst())),
      reads: operands, writes: [result])
  }

  func lowerDynamicUpdateSlice(_ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    let type = type(result)
    add(CopyKernel(view: View(root: operands[0], type: type), to: result), reads: [operands[0]], writes: [result])
    add(
      DynamicSliceKernel(
        isUpdate: true, large: result, largeType: type, block: operands[1],
        sizes: self.type(instruction.operands[1]).shape,
        starts: readers(operands.dropFirst(2), instruction.operands.dropFirst(2))),
      reads: operands + [result], writes: [result])
  }

  private func readers(_ roots: ArraySlice<Int>, _ values: ArraySlice<Int>) -> [IndexReader] {
    zip(roots, values).map { IndexReader(value: $0, dtype: type($1).dtype) }
  }

  func lowerGather(_ operation: Gather, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    if let rows = rows(
      operation.dimensions, of: type(instruction.operands[0]), operands[1], type(instruction.operands[1])),
      Array(operation.sliceSizes.dropFirst()) == Array(type(instruction.operands[0]).shape.dropFirst())
    {
      add(GatherRowsKernel(rows: rows, source: operands[0], result: result), reads: operands, writes: [result])
      return
    }
    let places = WindowPlaces(
      operation.dimensions, operand: type(instruction.operands[0]).shape, window: operation.sliceSizes,
      indices: operands[1], type(instruction.operands[1]), other: type(result).shape)
    add(
      GatherKernel(places: places, source: operands[0], result: result, type: type(result)), reads: operands,
      writes: [result])
  }

  func lowerScatter(_ operation: Scatter, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let result = instruction.results.lowerBound
    let target = type(result)
    let updates = type(instruction.operands[2])
    let places = WindowPlaces(
      operation.dimensions.gather, operand: target.shape, window: operation.sliceSizes(target, updates),
      indices: operands[1], type(instruction.operands[1]), other: updates.shape)
    add(CopyKernel(view: View(root: operands[0], type: target), to: result), reads: [operands[0]], writes: [result])
    if operation.function == .add, target.dtype == .float32,
      let rows = rows(operation.dimensions.gather, of: target, operands[1], type(instruction.operands[1])),
      Array(operation.sliceSizes(target, updates).dropFirst()) == Array(target.shape.dropFirst())
    {
      add(
        ScatterAddRowsKernel(rows: rows, updates: operands[2], result: result, isa: isa),
        reads: [operands[1], operands[2], result], writes: [result])
      return
    }
    add(
      ScatterKernel(
        function: operation.function, places: places, updates: operands[2], result: result, dtype: target.dtype),
      reads: operands + [result], writes: [result])
  }

  func lowerSort(_ operation: Sort, _ instruction: Program.Instruction) {
    let operands = instruction.operands.map { contiguous($0) }
    let results = Array(instruction.results)
    add(
      SortKernel(operation: operation, operands: operands, results: results, types: results.map(type)),
      reads: operands, writes: results)
  }
}
