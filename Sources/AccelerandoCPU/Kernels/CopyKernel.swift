// Copies elements through a view into row-major memory: what remains of transposes, slices and broadcasts when a kernel
// cannot read strides.

import AccelerandoCore

/// Writes the elements of a view one after another, or at strided positions.
struct CopyKernel: Kernel {
  /// The view to read.
  let source: View
  let destination: Int
  /// Where element [i, j, …] is written: `offset + i·strides[0] + …`, in elements.
  let destinationOffset: Int
  private let axes: [(size: Int, from: Int, to: Int)]
  private let width: Int

  /// A copy to row-major memory from its start.
  init(view: View, to destination: Int) {
    self.init(view: view, to: destination, offset: 0, strides: view.type.shape.rowMajorStrides)
  }

  /// A copy to strided positions.
  init(view: View, to destination: Int, offset: Int, strides: [Int]) {
    source = view
    self.destination = destination
    destinationOffset = offset
    width = view.type.dtype.byteCount
    var axes: [(size: Int, from: Int, to: Int)] = []
    for axis in view.strides.indices where view.type.shape[axis] != 1 {
      let size = view.type.shape[axis]
      if let last = axes.last, last.from == view.strides[axis] * size, last.to == strides[axis] * size {
        axes[axes.count - 1] = (last.size * size, view.strides[axis], strides[axis])
      } else {
        axes.append((size, view.strides[axis], strides[axis]))
      }
    }
    if axes.isEmpty { axes = [(1, 1, 1)] }
    self.axes = axes
    count = view.type.elementCount
  }

  var label: String { "copy \(source.type)" }

  private let count: Int

  var cost: Cost { Cost(bytes: 2 * Double(count * width)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: count * width, threads: threads, minimumPerTask: 65_536)
  }

  func slicings(_ units: Units) -> [Slicing] {
    let extent = axes.count == 1 ? axes[0].size : count / max(axes[axes.count - 1].size, 1)
    guard count > 0, units.divide(extent),
      units.divide(
        destination, axes: axes.map { ($0.size, $0.to) }, offset: destinationOffset, width: width)
    else { return [] }
    let isAligned = units.divide(
      source.root, axes: axes.map { ($0.size, $0.from) }, offset: source.offset, width: width)
    return sliced(units, operands: [(source.root, isAligned)])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    run(range, of: tasks, memory, movedBy: (0, 0))
  }

  /// Copies with source and target shifted by this many elements.
  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, movedBy distance: (from: Int, to: Int)) {
    switch width {
    case 1: copy(UInt8.self, range, tasks, memory, distance)
    case 2: copy(UInt16.self, range, tasks, memory, distance)
    case 4: copy(UInt32.self, range, tasks, memory, distance)
    default: copy(UInt64.self, range, tasks, memory, distance)
    }
  }

  private func copy<Element>(
    _: Element.Type, _ range: Range<Int>, _ tasks: Int, _ memory: Memory, _ distance: (from: Int, to: Int)
  ) {
    if count == 0 { return }
    let from = memory.elements(source.root, Element.self) + (source.offset + distance.from)
    let to = memory.elements(destination, Element.self) + (destinationOffset + distance.to)
    let inner = axes[axes.count - 1]
    if axes.count == 1 {
      let part = portion(range, of: tasks, extent: inner.size, grain: 64)
      row(from + part.lowerBound * inner.from, to + part.lowerBound * inner.to, part.count, inner.from, inner.to)
      return
    }
    // Rows of the innermost axis, counted like an odometer over the others.
    let outer = axes.dropLast()
    let rows = count / inner.size
    let part = portion(range, of: tasks, extent: rows)
    if part.isEmpty { return }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: outer.count) { index in
      var rest = part.lowerBound
      var (a, b) = (0, 0)
      for axis in outer.indices.reversed() {
        index[axis] = rest % outer[axis].size
        rest /= outer[axis].size
        a += index[axis] * outer[axis].from
        b += index[axis] * outer[axis].to
      }
      for _ in part {
        row(from + a, to + b, inner.size, inner.from, inner.to)
        var axis = outer.count - 1
        while axis >= 0 {
          index[axis] += 1
          a += outer[axis].from
          b += outer[axis].to
          if index[axis] < outer[axis].size { break }
          a -= index[axis] * outer[axis].from
          b -= index[axis] * outer[axis].to
          index[axis] = 0
          axis -= 1
        }
      }
    }
  }

  @inline(__always)
  private func row<Element>(
    _ from: UnsafePointer<Element>, _ to: UnsafeMutablePointer<Element>, _ count: Int, _ fromStride: Int,
    _ toStride: Int
  ) {
    if fromStride == 1, toStride == 1 {
      to.update(from: from, count: count)
    } else if toStride == 1 {
      for i in 0..<count { to[i] = from[i &* fromStride] }
    } else {
      for i in 0..<count { to[i &* toStride] = from[i &* fromStride] }
    }
  }
}

/// Writes one element, given by its bytes in a scalar value, to every position of a range.
struct FillKernel: Kernel {
  let scalar: Int
  let destination: Int
  let type: TensorType

  var label: String { "fill \(type)" }

  var cost: Cost { Cost(bytes: Double(type.byteCount)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: type.byteCount, threads: threads, minimumPerTask: 65_536)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(units, elementCount: type.elementCount, operands: [], whole: [scalar])
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: type.elementCount, grain: 64)
    func fill<Element>(_: Element.Type) {
      let value = memory.elements(scalar, Element.self)[0]
      (memory.elements(destination, Element.self) + part.lowerBound).update(repeating: value, count: part.count)
    }
    switch type.dtype.byteCount {
    case 1: fill(UInt8.self)
    case 2: fill(UInt16.self)
    case 4: fill(UInt32.self)
    default: fill(UInt64.self)
    }
  }
}
