// The matrix product's microkernels, bit for bit: whatever the layout, however the work is cut, packed beforehand or not,
// every element is one chain over k, or one for each lane. So a few lines of Swift tell exactly what must come out.

import AccelerandoTestSupport
import CKernels
import Testing

/// A product of random size and layout.
private struct Example {
  let m: Int, n: Int, k: Int
  /// Strides of A and B: along rows, along columns.
  let a: (row: Int, column: Int), b: (row: Int, column: Int)
  let ldc: Int
  let left: [Float], right: [Float], bias: [Float], before: [Float]
  let hasBias: Bool, relu: Bool, accumulates: Bool

  /// - Parameters:
  ///   - isAlongK: whether rows of A and columns of B are contiguous.
  ///   - isFromMemory: whether a few rows of A use some columns of a B that fits into no cache.
  init(seed: UInt64, isAlongK: Bool = false, isFromMemory: Bool = false) {
    var random = RandomSource(seed: seed)
    func size(_ large: Int) -> Int {
      random.integer(0...[1, 4, 14, 33, large].randomElement(using: &random, or: 4))
    }
    m = isFromMemory ? random.integer(4...15) : random.chance(0.2) ? 1 : size(140)
    n = isFromMemory ? random.integer(1...1100) : random.chance(0.1) ? random.integer(449...500) : size(140)
    k = isFromMemory ? random.integer(360...380) : random.chance(0.1) ? 512 : size(900)
    func strides(_ rows: Int, _ columns: Int, _ layout: Int?) -> (row: Int, column: Int) {
      let gap = random.chance(0.5) ? 0 : random.integer(1...3)
      switch layout ?? random.integer(0...4) {
      case 0, 1: return (columns + gap, 1)
      case 2, 3: return (1, rows + gap)
      default: return (2 * columns + 1, 2)
      }
    }
    a = strides(m, k, isAlongK ? 0 : nil)
    b = isFromMemory ? (12_000, 1) : strides(k, n, isAlongK ? 2 : nil)
    ldc = n + random.integer(0...2)
    func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.real(-1...1)) } }
    left = numbers(m * a.row + k * a.column + 1)
    right = numbers(k * b.row + n * b.column + 1)
    bias = numbers(n + 1)
    before = numbers(m * ldc + 1)
    hasBias = random.chance(0.5)
    relu = random.chance(0.5)
    accumulates = random.chance(0.5)
  }

  /// What must come out. The baseline of x86-64 has no fused multiply-add.
  func expected(fused: Bool) -> [Float] {
    var result = before
    for row in 0..<m {
      for column in 0..<n {
        var sum = accumulates ? before[row * ldc + column] : 0
        for i in 0..<k {
          let (x, y) = (left[row * a.row + i * a.column], right[i * b.row + column * b.column])
          sum = fused ? sum.addingProduct(x, y) : sum + x * y
        }
        if hasBias { sum += bias[column] }
        result[row * ldc + column] = relu ? max(sum, 0) : sum
      }
    }
    return result
  }

  /// What must come out of sums with lanes along k, whatever `before` holds: a chain for each lane, then halves of the
  /// lanes onto halves.
  func laneSums(lanes: Int, fused: Bool) -> [Float] {
    var result = before
    for row in 0..<m {
      for column in 0..<n {
        var sums = [Float](repeating: 0, count: lanes)
        for i in 0..<k {
          let (x, y) = (left[row * a.row + i * a.column], right[i * b.row + column * b.column])
          sums[i % lanes] = fused ? sums[i % lanes].addingProduct(x, y) : sums[i % lanes] + x * y
        }
        while sums.count > 1 {
          let half = sums.count / 2
          sums = (0..<half).map { sums[$0] + sums[half + $0] }
        }
        let sum = hasBias ? sums[0] + bias[column] : sums[0]
        result[row * ldc + column] = relu ? max(sum, 0) : sum
      }
    }
    return result
  }

  /// Calls `body` with pointers to the operands and scratch of exactly the size asked for.
  func run(_ kernels: AccKernels, _ body: (Buffers) -> Void) -> [Float] {
    var result = before
    let bytes = kernels.sgemm_scratch_bytes(m, n, k)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    defer { scratch.deallocate() }
    left.withUnsafeBufferPointer { left in
      right.withUnsafeBufferPointer { right in
        bias.withUnsafeBufferPointer { bias in
          result.withUnsafeMutableBufferPointer { result in
            guard let left = left.baseAddress, let right = right.baseAddress, let bias = bias.baseAddress,
              let result = result.baseAddress
            else { return }
            body(Buffers(left: left, right: right, bias: bias, result: result, scratch: scratch))
          }
        }
      }
    }
    return result
  }

  struct Buffers {
    let left, right, bias: UnsafePointer<Float>
    let result: UnsafeMutablePointer<Float>
    let scratch: UnsafeMutableRawPointer
  }

  /// The epilogue for columns from `column` on.
  func epilogue(_ buffers: Buffers, from column: Int) -> AccEpilogue {
    AccEpilogue(
      bias: hasBias ? buffers.bias + column : nil, residual: nil,
      activation: Int32((relu ? accActivationRelu : accActivationNone).rawValue))
  }

  var name: String { "\(m)×\(k)×\(n), A \(a), B \(b), bias \(hasBias), relu \(relu), accumulates \(accumulates)" }
}

extension Array {
  fileprivate func randomElement(using random: inout RandomSource, or other: Element) -> Element {
    isEmpty ? other : random.pick(self)
  }
}

/// A range cut in two at a random place.
private func halves(of count: Int, _ random: inout RandomSource) -> [Range<Int>] {
  let cut = random.integer(0...count)
  return [0..<cut, cut..<count]
}

/// The tables that this processor can run, and whether they fuse multiplication and addition.
private let tables: [(kernels: AccKernels, fused: Bool)] = [accISABaseline, accISAAVX2, accISAAVX512].compactMap {
  isa in
  guard let table = acc_kernels(isa) else { return nil }
  #if arch(x86_64)
    return (table.pointee, isa != accISABaseline)
  #else
    return (table.pointee, true)
  #endif
}

@Suite struct ProductKernelTests {
  @Test(arguments: 0..<120 as Range<UInt64>)
  func everyElementIsOneChainHoweverTheProductIsCut(_ seed: UInt64) {
    expectOneChainHoweverTheProductIsCut(Example(seed: seed), seed)
  }

  @Test(arguments: 900..<910 as Range<UInt64>)
  func soItIsWithAMatrixThatFitsIntoNoCache(_ seed: UInt64) {
    expectOneChainHoweverTheProductIsCut(Example(seed: seed, isFromMemory: true), seed)
  }

  private func expectOneChainHoweverTheProductIsCut(_ example: Example, _ seed: UInt64) {
    for (kernels, fused) in tables {
      var random = RandomSource(seed: seed + 1)
      let rows = halves(of: example.m, &random)
      let columns = halves(of: example.n, &random)
      let steps = halves(of: example.k, &random)
      let expected = example.expected(fused: fused)
      let (a, b) = (example.a, example.b)
      let whole = example.run(kernels) { buffers in
        var epilogue = example.epilogue(buffers, from: 0)
        kernels.sgemm(
          example.m, example.n, example.k, buffers.left, a.row, a.column, buffers.right, b.row, b.column,
          buffers.result, example.ldc, example.accumulates, &epilogue, buffers.scratch)
      }
      #expect(whole == expected, "\(example.name), \(kernels.isa)")
      let cut = example.run(kernels) { buffers in
        for rows in rows {
          for columns in columns {
            for (index, steps) in steps.enumerated() {
              // Only the last range of k applies the epilogue.
              var epilogue = index == 1 ? example.epilogue(buffers, from: columns.lowerBound) : AccEpilogue()
              kernels.sgemm(
                rows.count, columns.count, steps.count,
                buffers.left + rows.lowerBound * a.row + steps.lowerBound * a.column, a.row, a.column,
                buffers.right + steps.lowerBound * b.row + columns.lowerBound * b.column, b.row, b.column,
                buffers.result + rows.lowerBound * example.ldc + columns.lowerBound, example.ldc,
                example.accumulates || index == 1, &epilogue, buffers.scratch)
            }
          }
        }
      }
      #expect(cut == expected, "cut \(rows) \(columns) \(steps): \(example.name), \(kernels.isa)")
    }
  }

  @Test(arguments: 200..<320 as Range<UInt64>)
  func packingBeforehandChangesNoBit(_ seed: UInt64) {
    let example = Example(seed: seed)
    for (kernels, fused) in tables {
      var random = RandomSource(seed: seed + 1)
      let (m, n, k, a, b) = (example.m, example.n, example.k, example.a, example.b)
      let panels = kernels.sgemm_panels(n)
      let width = kernels.sgemm_panel_columns(n)
      let bytes = kernels.sgemm_packed_bytes(k, n)
      let packed = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
      defer { packed.deallocate() }
      let result = example.run(kernels) { buffers in
        for range in halves(of: panels, &random) {
          kernels.sgemm_pack(k, n, buffers.right, b.row, b.column, packed, range.lowerBound, range.upperBound)
        }
        for rows in halves(of: m, &random) {
          for range in halves(of: panels, &random) {
            let column = range.lowerBound * width
            var epilogue = example.epilogue(buffers, from: column)
            kernels.sgemm_prepacked(
              rows.count, n, k, buffers.left + rows.lowerBound * a.row, a.row, a.column, packed, range.lowerBound,
              range.upperBound, buffers.result + rows.lowerBound * example.ldc + column, example.ldc,
              example.accumulates, &epilogue, buffers.scratch)
          }
        }
      }
      #expect(result == example.expected(fused: fused), "\(example.name), \(kernels.isa)")
    }
  }

  @Test(arguments: 400..<500 as Range<UInt64>)
  func aVectorTimesAMatrixIsCloseToTheProductAndTheSameHoweverItIsCut(_ seed: UInt64) {
    let example = Example(seed: seed)
    let (n, k, a, b) = (example.n, example.k, example.a, example.b)
    guard example.m > 0, !example.accumulates else { return }
    for (kernels, _) in tables {
      var random = RandomSource(seed: seed + 1)
      func product(_ ranges: [Range<Int>]) -> [Float] {
        example.run(kernels) { buffers in
          for columns in ranges {
            var epilogue = example.epilogue(buffers, from: columns.lowerBound)
            kernels.sgemv(
              columns.count, k, buffers.left, a.column, buffers.right + columns.lowerBound * b.column, b.row, b.column,
              buffers.result + columns.lowerBound, &epilogue, buffers.scratch)
          }
        }
      }
      let whole = product([0..<n])
      #expect(product(halves(of: n, &random)) == whole, "\(example.name), \(kernels.isa)")
      let expected = example.expected(fused: true)
      let error = (0..<n).map { abs(whole[$0] - expected[$0]) }.max() ?? 0
      #expect(error < 1e-4, "\(example.name), \(kernels.isa)")
      #expect(whole[n...] == example.before[n...], "\(example.name), \(kernels.isa)")
    }
  }

  @Test(arguments: 600..<720 as Range<UInt64>)
  func sumsWithLanesAlongKAreOneChainForEachLaneHoweverTheProductIsCut(_ seed: UInt64) {
    let example = Example(seed: seed, isAlongK: true)
    let (m, n, k, a, b) = (example.m, example.n, example.k, example.a, example.b)
    for (kernels, fused) in tables {
      var random = RandomSource(seed: seed + 1)
      func product(_ rows: [Range<Int>], _ columns: [Range<Int>]) -> [Float] {
        example.run(kernels) { buffers in
          for rows in rows {
            for columns in columns {
              var epilogue = example.epilogue(buffers, from: columns.lowerBound)
              kernels.sgemm_dots(
                rows.count, columns.count, k, buffers.left + rows.lowerBound * a.row, a.row,
                buffers.right + columns.lowerBound * b.column, b.column,
                buffers.result + rows.lowerBound * example.ldc + columns.lowerBound, example.ldc, &epilogue,
                buffers.scratch)
            }
          }
        }
      }
      let whole = product([0..<m], [0..<n])
      let cut = product(halves(of: m, &random), halves(of: n, &random))
      #expect(cut == whole, "\(example.name), \(kernels.isa)")
      #expect(product((0..<m).map { $0..<$0 + 1 }, [0..<n]) == whole, "\(example.name), \(kernels.isa)")
      let expected = example.laneSums(lanes: kernels.vector_lanes, fused: fused)
      #expect(whole == expected, "\(example.name), \(kernels.isa)")
    }
  }
}
