// Products with weights of which many are zero: the microkernels against plain sums, the engine against the oracle, and what
// must not change the bits.

import AccelerandoCore
import AccelerandoTestSupport
import CKernels
import Testing

@testable import AccelerandoCPU

/// How zeros are strewn over a matrix.
private enum Pattern: CaseIterable {
  case random, twoOfFour, blocks, emptyRowsAndColumns, oneFullColumn, denormals, nothing

  /// Row-major numbers of a [k, n] matrix.
  func matrix(_ k: Int, _ n: Int, sparsity: Double, _ random: inout RandomSource) -> [Float] {
    var numbers = (0..<k * n).map { _ in Float(random.real(-1...1)) }
    func clear(_ isZero: (Int, Int) -> Bool) {
      for row in 0..<k { for column in 0..<n where isZero(row, column) { numbers[row * n + column] = 0 } }
    }
    switch self {
    case .random:
      for index in numbers.indices where random.chance(sparsity) { numbers[index] = random.chance(0.5) ? 0 : -0.0 }
    case .twoOfFour:
      let first = (0..<k * n).map { _ in random.integer(0...3) }
      clear { row, column in
        let one = first[row / 4 * n + column]
        return row % 4 != one && row % 4 != (one + 2) % 4
      }
    case .blocks:
      let kept = (0..<(k / 4 + 1) * (n / 4 + 1)).map { _ in random.chance(1 - sparsity) }
      clear { row, column in !kept[row / 4 * (n / 4 + 1) + column / 4] }
    case .emptyRowsAndColumns:
      let rows = (0..<k).map { _ in random.chance(sparsity) }
      let columns = (0..<n).map { _ in random.chance(sparsity) }
      clear { row, column in rows[row] || columns[column] }
    case .oneFullColumn:
      let full = random.integer(0...n - 1)
      let zeros = (0..<k * n).map { _ in random.chance(sparsity) }
      clear { row, column in column != full && zeros[row * n + column] }
    case .denormals:
      for index in numbers.indices { numbers[index] = random.chance(sparsity) ? 0 : numbers[index] * 0x1p-128 }
    case .nothing: clear { _, _ in true }
    }
    return numbers
  }
}

private func kernels() -> [AccKernels] {
  InstructionSet.available.map(\.kernels)
}

/// A call of the microkernels: any strides, any part of the result.
private struct Example {
  let m: Int, k: Int, n: Int
  let gap: Int
  let isTurned: Bool
  let left: [Float], right: [Float], bias: [Float]
  let relu: Bool
  let name: String

  init(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let rows = random.pick([1, 2, 4, 7, 16, 33, 70])
    (m, k, n) = (random.integer(1...rows), random.integer(128...700), random.integer(1...200))
    gap = random.integer(0...3)
    isTurned = random.chance(0.3)
    let pattern = random.pick(Pattern.allCases)
    let sparsity = random.pick([0.5, 0.8, 0.9, 0.98])
    let matrix = pattern.matrix(k, n, sparsity: sparsity, &random)
    let (columns, rowCount, turned) = (n, k, isTurned)
    right =
      turned
      ? (0..<k * n).map { matrix[$0 % rowCount * columns + $0 / rowCount] } : matrix
    left = (0..<m * (k + gap)).map { _ in Float(random.real(-1...1)) }
    bias = (0..<n).map { _ in Float(random.real(-1...1)) }
    relu = random.chance(0.5)
    name = "\(m)×\(k)×\(n) \(pattern) \(sparsity), turned \(isTurned)"
  }

  func weight(_ i: Int, _ column: Int) -> Float { isTurned ? right[column * k + i] : right[i * n + column] }

  /// What must come out, and how far off it may be.
  func expected() -> (values: [Double], bounds: [Double]) {
    var values: [Double] = []
    var bounds: [Double] = []
    for row in 0..<m {
      for column in 0..<n {
        var (sum, size) = (0.0, 0.0)
        for i in 0..<k {
          let term = Double(left[row * (k + gap) + i]) * Double(weight(i, column))
          (sum, size) = (sum + term, size + abs(term))
        }
        sum += Double(bias[column])
        values.append(relu ? max(sum, 0) : sum)
        bounds.append(1e-5 * (size + abs(Double(bias[column]))) + 1e-30)
      }
    }
    return (values, bounds)
  }

  /// The product in one form, in parts; nil if the matrix does not fit it.
  func run(
    _ kernels: AccKernels, _ form: AccSparseForm, rows: [Range<Int>], panels: [Range<Int>], left: [Float]? = nil
  ) -> [Float]? {
    func memory(_ bytes: Int) -> UnsafeMutableRawPointer {
      .allocate(byteCount: max(bytes, 64), alignment: 64)
    }
    let packed = memory(kernels.sparse_bytes(k, n))
    let room = memory(kernels.sparse_pack_scratch_bytes(k, n))
    let scratch = memory(kernels.sparse_scratch_bytes(m, n, k))
    defer { for taken in [packed, room, scratch] { taken.deallocate() } }
    let strides = isTurned ? (1, k) : (n, 1)
    guard kernels.sparse_pack(Int32(form.rawValue), k, n, right, strides.0, strides.1, packed, room) else { return nil }
    var result = [Float](repeating: .nan, count: m * n)
    result.withUnsafeMutableBufferPointer { result in
      (left ?? self.left).withUnsafeBufferPointer { left in
        bias.withUnsafeBufferPointer { bias in
          guard let result = result.baseAddress, let left = left.baseAddress, let bias = bias.baseAddress else {
            return
          }
          for rows in rows where !rows.isEmpty {
            for panels in panels where !panels.isEmpty {
              var epilogue = AccEpilogue(
                bias: bias, residual: nil,
                activation: Int32((relu ? accActivationRelu : accActivationNone).rawValue))
              kernels.sparse_product(
                rows.count, left + rows.lowerBound * (k + gap), k + gap, packed, panels.lowerBound, panels.upperBound,
                result + rows.lowerBound * n, n, &epilogue, scratch)
            }
          }
        }
      }
    }
    return result
  }
}

@Suite struct SparseProductKernelTests {
  @Test(arguments: 0..<150 as Range<UInt64>)
  func everyFormGivesTheProductHoweverItIsCut(_ seed: UInt64) {
    let example = Example(seed: seed)
    let (values, bounds) = example.expected()
    var random = RandomSource(seed: seed + 1)
    for kernels in kernels() {
      let panels = kernels.sparse_panels(example.n)
      for form in [accSparseColumns, accSparseRows] {
        guard let whole = example.run(kernels, form, rows: [0..<example.m], panels: [0..<panels]) else { continue }
        let isClose = zip(whole, zip(values, bounds)).allSatisfy { abs(Double($0) - $1.0) <= $1.1 }
        #expect(isClose, "\(example.name), \(kernels.isa), \(form)")
        let row = random.integer(0...example.m)
        let panel = random.integer(0...panels)
        let cut = example.run(
          kernels, form, rows: [0..<row, row..<example.m], panels: [panel..<panels, 0..<panel])
        #expect(cut == whole, "\(example.name), \(kernels.isa), \(form), cut at \(row), \(panel)")
      }
    }
  }

  @Test(arguments: 200..<260 as Range<UInt64>)
  func whatAZeroIsMultipliedWithDoesNotMatter(_ seed: UInt64) {
    let example = Example(seed: seed)
    var random = RandomSource(seed: seed + 1)
    // Infinities and NaN where all weights of the row are zero: nothing changes.
    let unused = (0..<example.k).filter { i in (0..<example.n).allSatisfy { example.weight(i, $0) == 0 } }
    var left = example.left
    for row in 0..<example.m {
      for i in unused { left[row * (example.k + example.gap) + i] = random.pick([.infinity, -.infinity, .nan]) }
    }
    for kernels in kernels() {
      let panels = [0..<kernels.sparse_panels(example.n)]
      for form in [accSparseColumns, accSparseRows] {
        let usual = example.run(kernels, form, rows: [0..<example.m], panels: panels)
        let hostile = example.run(kernels, form, rows: [0..<example.m], panels: panels, left: left)
        #expect(usual == hostile, "\(example.name), \(kernels.isa), \(form)")
      }
    }
  }

  @Test func everyZeroIsLeftOutWhereverItStands() {
    // One infinity at a time: the outputs whose weight is not zero become infinite, the others stay as they are.
    for seed in 300..<330 as Range<UInt64> {
      let example = Example(seed: seed)
      var random = RandomSource(seed: seed)
      let (row, i) = (random.integer(0...example.m - 1), random.integer(0...example.k - 1))
      var left = example.left
      left[row * (example.k + example.gap) + i] = .infinity
      for kernels in kernels() {
        for form in [accSparseColumns, accSparseRows] {
          let panels = [0..<kernels.sparse_panels(example.n)]
          guard let usual = example.run(kernels, form, rows: [0..<example.m], panels: panels),
            let found = example.run(kernels, form, rows: [0..<example.m], panels: panels, left: left)
          else { continue }
          for column in 0..<example.n {
            let weight = example.weight(i, column)
            let (before, after) = (usual[row * example.n + column], found[row * example.n + column])
            if weight == 0 { #expect(after == before, "\(example.name), \(kernels.isa), \(form), column \(column)") }
            if weight > 0 { #expect(after == .infinity, "\(example.name), \(kernels.isa), \(form), column \(column)") }
            if weight < 0 {
              #expect(after == (example.relu ? 0 : -.infinity), "\(example.name), \(kernels.isa), \(form)")
            }
          }
        }
      }
    }
  }
}

@Suite struct SparseLayerTests {
  /// Two layers with weights that keep still.
  private func run(_ inputs: [NDArray], _ backend: CPUBackend, frozen: Set<Int> = [1, 2, 3]) throws
    -> (result: NDArray, program: Program, report: PlanReport)
  {
    let program = try Program.trace(inputs.map(\.type)) { [(($0[0] * 2).matmul($0[1]) + $0[2]).relu().matmul($0[3])] }
    let execution = try backend.compile(program, frozenInputs: frozen).bind(inputs.map { try backend.upload($0) })
    // Twice: what was packed must last.
    try execution.run()
    try execution.run()
    return (try execution.outputs[0].read(), program, try backend.explain(execution))
  }

  private func inputs(_ random: inout RandomSource, m: Int, k: Int, n: Int, _ pattern: Pattern, _ sparsity: Double)
    throws -> [NDArray]
  {
    func tensor(_ shape: [Int]) throws -> NDArray {
      try NDArray((0..<shape.reduce(1, *)).map { _ in Float(random.real(-1...1)) }, shape: shape)
    }
    let first = try NDArray(pattern.matrix(k, n, sparsity: sparsity, &random), shape: [k, n])
    let second = try NDArray(pattern.matrix(n, 10, sparsity: sparsity, &random), shape: [n, 10])
    return try [tensor([m, k]), first, tensor([n]), second]
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func productsAgreeWithTheOracleAndDoNotDependOnThreads(_ seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    let m = random.pick([1, 2, 5, 16, 32, 100])
    let (k, n) = (random.integer(128...900), random.integer(40...500))
    let pattern = random.pick(Pattern.allCases)
    let sparsity = random.pick([0.5, 0.8, 0.9, 0.95, 0.98])
    let inputs = try inputs(&random, m: m, k: k, n: n, pattern, sparsity)
    for instructionSet in InstructionSet.available {
      let name: Comment = "\(m)×\(k)×\(n) \(pattern) \(sparsity), \(instructionSet)"
      let alone = try run(inputs, CPUBackend(threads: 1, instructionSet: instructionSet))
      let expected = try ReferenceBackend().evaluate(alone.program, inputs)[0]
      let failure = difference(alone.result, from: expected, .of(.float32, ulps: 64, terms: 4096))
      #expect(failure == nil, name)
      for threads in 2...4 {
        let shared = try run(inputs, CPUBackend(threads: threads, instructionSet: instructionSet))
        #expect(shared.result == alone.result, name)
      }
    }
  }

  @Test func aLargePrunedLayerRunsSparseAndAFullOneDense() throws {
    for instructionSet in InstructionSet.available {
      let backend = CPUBackend(threads: 1, instructionSet: instructionSet)
      for m in [1, 32] {
        var random = RandomSource(seed: 1)
        let pruned = try inputs(&random, m: m, k: 1024, n: 512, .random, 0.95)
        let report = try run(pruned, backend).report
        let product = report.kernels.first { $0.label.contains("[1024, 512]") && $0.label.contains("product") }
        #expect(product?.label.contains("sparse") == true, "\(instructionSet), \(m): \(report)")
        let full = try run(inputs(&random, m: m, k: 1024, n: 512, .random, 0), backend).report
        #expect(!full.kernels.contains { $0.label.contains("sparse") }, "\(instructionSet), \(m): \(full)")
        let changing = try run(pruned, backend, frozen: []).report
        #expect(!changing.kernels.contains { $0.label.contains("sparse") || $0.label.contains("zeros") }, "\(changing)")
      }
    }
  }
}
