// How a kernel is split into units of a batch (or of rows of a parameter): which operands a unit reads only its own
// part of, which it reads as a whole, and whether the units' results must be summed. The planner builds regions from
// this.

/// A number of units, and the sizes of the values that they split.
struct Units {
  let count: Int
  let byteCounts: [Int]

  /// Bytes of a value that belong to one unit; nil if the units do not divide it.
  func bytes(of value: Int) -> Int? {
    let bytes = byteCounts[value]
    return count > 0 && bytes % count == 0 ? bytes / count : nil
  }

  /// Whether unit u of an index space reads only part u of a value. The index space is traversed in row-major order.
  /// - Parameters:
  ///   - axes: sizes and strides, in elements, of the axes, outermost first.
  ///   - offset: where the traversal starts, in elements.
  ///   - width: bytes of an element.
  func divide(_ value: Int, axes: [(size: Int, stride: Int)], offset: Int = 0, width: Int) -> Bool {
    guard let bytes = bytes(of: value), bytes % width == 0, axes.allSatisfy({ $0.size > 0 }) else { return false }
    let unitElements = bytes / width
    var left = count
    var leading: [(size: Int, stride: Int)] = []
    var low = offset
    var high = offset
    for axis in axes where axis.size != 1 {
      var rest = axis.size
      if left > 1 {
        if left % axis.size == 0 {
          leading.append(axis)
          left /= axis.size
          continue
        }
        guard axis.size % left == 0 else { return false }
        rest = axis.size / left
        leading.append((left, axis.stride * rest))
        left = 1
      }
      low += min(0, (rest - 1) * axis.stride)
      high += max(0, (rest - 1) * axis.stride)
    }
    guard left == 1, low >= 0, high < unitElements else { return false }
    var expected = unitElements
    for axis in leading.reversed() {
      guard axis.stride == expected else { return false }
      expected *= axis.size
    }
    return true
  }

  /// Whether each unit of a row-major value of this many elements has as many as the others.
  func divide(_ elementCount: Int) -> Bool { count > 0 && elementCount > 0 && elementCount % count == 0 }
}

/// One way to split a kernel into units.
struct Slicing: Sendable {
  let kernel: any SlicedKernel
  /// Values of which a unit reads only its own part.
  let aligned: Set<Int>
  /// Values that every unit reads as a whole.
  let whole: Set<Int>
  /// Values that every call reads entirely, however few its units: the matrix of a product.
  var reread: Set<Int>
  /// The result is the sum (or maximum, …) of the units' results; nil if each unit writes its own part.
  var partial: Partial?

  /// How the units' results are combined.
  struct Partial: Sendable {
    let function: ReduceKernel.Function
    let value: Int
    let elementCount: Int
    /// How leaves are combined that hold two results; nil if they hold one.
    var pair: ChannelFold?
  }

  /// Divides operands into aligned and whole ones.
  init(
    _ kernel: any SlicedKernel, operands: [(value: Int, isAligned: Bool)], partial: Partial? = nil
  ) {
    self.kernel = kernel
    let others = Set(operands.filter { !$0.isAligned }.map(\.value))
    whole = others
    reread = others
    aligned = Set(operands.filter { $0.isAligned }.map(\.value)).subtracting(others)
    self.partial = partial
  }
}

/// A kernel that runs unit by unit.
protocol SlicedKernel: Sendable {
  var label: String { get }
  /// The work of all units.
  var cost: Cost { get }
  var scratchBytes: Int { get }
  /// Runs the given units. A kernel whose units' results are summed adds to the existing value if `continuing`.
  func run(_ units: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer)
  /// As in `Kernel`.
  func decision(_ memory: Memory) -> Decision?
}

extension SlicedKernel {
  func decision(_ memory: Memory) -> Decision? { nil }
}

/// A kernel whose tasks are the units.
struct Sliced<Base: Kernel>: SlicedKernel {
  let base: Base
  let units: Int

  var label: String { base.label }
  var cost: Cost { base.cost }
  var scratchBytes: Int { base.scratchBytes }

  func run(_ units: Range<Int>, continuing: Bool, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    base.run(units, of: self.units, memory, scratch: scratch)
  }
}

extension Kernel {
  /// The kernel with one task per unit, for kernels that write part u of their results in task u.
  func sliced(_ units: Units, operands: [(value: Int, isAligned: Bool)]) -> [Slicing] {
    [Slicing(Sliced(base: self, units: units.count), operands: operands)]
  }

  /// As above, for kernels whose operands are all row-major and as large as their results, `elementCount`.
  func elementwiseSlicing(
    _ units: Units, elementCount: Int, operands: [Int], whole: [Int] = []
  ) -> [Slicing] {
    guard units.divide(elementCount) else { return [] }
    return sliced(units, operands: operands.map { ($0, true) } + whole.map { ($0, false) })
  }
}
