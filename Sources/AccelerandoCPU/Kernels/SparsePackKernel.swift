// The frozen matrix of a product (the weights of a model in use) is inspected once: if it has so many zeros that
// skipping them is faster, it is packed without them. The product then does what was decided here.

import AccelerandoCore
import CKernels

/// Looks for zeros in a matrix, and packs it without them if that pays.
struct SparsePackKernel: Kernel {
  let shape: ProductShape
  let source: MatrixView
  let result: Int
  let isa: InstructionSet

  var label: String { "zeros of [\(shape.k), \(shape.n)]" }
  var cost: Cost { Cost(bytes: 4 * Double(shape.k * shape.n)) }
  var scratchBytes: Int { isa.kernels.sparse_pack_scratch_bytes?(shape.k, shape.n) ?? 0 }

  /// Bytes of the packed matrix, in any form.
  static func packedBytes(_ shape: ProductShape, _ isa: InstructionSet) -> Int {
    isa.kernels.sparse_bytes?(shape.k, shape.n) ?? 0
  }

  func taskCount(threads: Int) -> Int { 1 }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    guard !range.isEmpty else { return }
    let matrix = memory.elements(source.root, Float.self) + source.offset
    let packed = memory[result]
    func pack(_ form: AccSparseForm) -> Bool {
      isa.kernels.sparse_pack?(
        Int32(form.rawValue), shape.k, shape.n, matrix, source.rowStride, source.columnStride, packed, scratch) ?? false
    }
    let nonzeros =
      isa.kernels.sparse_nonzeros?(shape.k, shape.n, matrix, source.rowStride, source.columnStride) ?? Int.max
    let costs = ProductCosts(shape, isa)
    let byRows = costs.byRows(nonzeros: nonzeros)
    let worthwhile = costs.dense / ProductCosts.leastGain
    // The number of idle lanes is known only afterwards.
    if costs.byColumns(steps: costs.fewestSteps(nonzeros: nonzeros)) < min(byRows, worthwhile), pack(accSparseColumns) {
      let steps = packed.assumingMemoryBound(to: AccSparse.self).pointee.steps
      if costs.byColumns(steps: steps) < min(byRows, worthwhile) { return }
    }
    if byRows < worthwhile, pack(accSparseRows) { return }
    _ = pack(accSparseNone)
  }
}

/// The time of a product in each form, in nanoseconds on one core: the larger of its arithmetic and of reading the
/// matrix, at measured rates (Docs/Kernels.md). Only ratios matter, so they hold for any similar processor; the number
/// of threads does not matter.
struct ProductCosts {
  /// A smaller gain is not worth the risk that another machine has none.
  static let leastGain = 1.2

  /// Rates of an instruction set, in nanoseconds.
  private struct Rates {
    /// A multiplication of a dense product with several rows, and of one with one row.
    let product: Double, rowProduct: Double
    /// A step by columns, and what each row adds to it.
    let step: Double, stepRow: Double
    /// A nonzero by rows, for up to one vector of rows and for two.
    let number: Double, wideNumber: Double
    /// The start of a list of nonzeros.
    let list: Double
    /// Transposing one element of a row, forth or back.
    let turn: Double
    let lanes: Int
  }

  private let shape: ProductShape
  private let rates: Rates

  init(_ shape: ProductShape, _ isa: InstructionSet) {
    self.shape = shape
    rates =
      switch isa {
      case .avx512:
        Rates(
          product: 0.0085, rowProduct: 0.0185, step: 0.35, stepRow: 0.42, number: 0.40, wideNumber: 0.58, list: 2.7,
          turn: 0.065, lanes: 16)
      case .avx2:
        Rates(
          product: 0.0185, rowProduct: 0.027, step: 0.17, stepRow: 0.49, number: 0.38, wideNumber: 0.47, list: 2,
          turn: 0.065, lanes: 8)
      default:
        Rates(
          product: 0.047, rowProduct: 0.041, step: 0.27, stepRow: 0.74, number: 0.385, wideNumber: 0.47, list: 2,
          turn: 0.06, lanes: 4)
      }
  }

  /// Reading this many bytes of a matrix: from the L2 cache, L3, or memory.
  private func reading(_ bytes: Double) -> Double {
    bytes / (bytes < 524_288 ? 210 : bytes < 16_777_216 ? 100 : 38)
  }

  /// The dense product.
  var dense: Double {
    let (rows, elements) = (Double(shape.m), Double(shape.k) * Double(shape.n))
    // One row and a few columns: sums along k have to be added across lanes at the end.
    if shape.m == 1 { return max(elements * rates.rowProduct * (shape.n < 32 ? 1.3 : 1), reading(4 * elements)) }
    // Few rows wait for what they read; a large matrix is packed on its way from memory.
    let packing = elements < 131_072 ? 1 : elements < 4_194_304 ? 1.1 : 1.5
    return max(rows * elements * rates.product * (1 + 1.5 / rows) * packing, reading(4 * elements))
  }

  /// The least number of steps that it takes.
  func fewestSteps(nonzeros: Int) -> Int { nonzeros / rates.lanes }

  /// The product by columns of the matrix.
  func byColumns(steps: Int) -> Double {
    let bytes = Double(steps) * Double(5 * rates.lanes + 4)
    // A few rows are computed at a time, each time reading the matrix again.
    let passes = Double((shape.m + 3) / 4)
    return max(Double(steps) * (passes * rates.step + Double(shape.m) * rates.stepRow), passes * reading(bytes))
  }

  /// The product by rows of the other operand.
  func byRows(nonzeros: Int) -> Double {
    let numbers = Double(nonzeros)
    let lists = Double((shape.k + 255) / 256) * Double((shape.n + 63) / 64 * 64)
    // A small product runs in a region, half of the rows at a time.
    let isSmall = 4 * shape.k * shape.n <= 1 << 19 || shape.flops <= 20_000_000
    let halves = isSmall ? [(shape.m + 1) / 2, shape.m / 2] : [shape.m]
    let tile = 2 * rates.lanes
    return halves.reduce(0) { sum, rows in
      let (full, rest) = (Double(rows / tile), rows % tile)
      let passes = full + (rest > 0 ? 1 : 0)
      var time = full * numbers * rates.wideNumber
      if rest > 0 { time += numbers * (rest > rates.lanes ? rates.wideNumber : rates.number) }
      time += passes * (lists * rates.list + Double(tile) * Double(shape.k + shape.n) * rates.turn)
      return sum + max(time, passes * reading(6 * numbers))
    }
  }
}
