// A model in use: normalizations after convolutions with frozen weights are moved into the weights, and few samples are shared
// by rows and outputs.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct FoldingTests {
  private func numbers(_ shape: [Int], _ random: inout RandomSource, _ range: ClosedRange<Double> = -1...1) throws
    -> NDArray
  {
    try NDArray((0..<shape.reduce(1, *)).map { _ in Float(random.real(range)) }, shape: shape)
  }

  private func run(_ program: Program, _ inputs: [NDArray], frozen: Set<Int>, _ backend: CPUBackend) throws -> [NDArray]
  {
    let execution = try backend.compile(program, frozenInputs: frozen).bind(inputs.map { try backend.upload($0) })
    // A second run must not find that the first one overwrote what was computed once.
    try execution.run()
    try execution.run()
    return try execution.outputs.map { try $0.read() }
  }

  /// A convolution whose results go through a random chain of sums, differences, products and quotients with vectors of its
  /// channels, in any order and on either side, then a residual and a relu.
  private func chain(_ random: inout RandomSource) throws -> (Program, [NDArray]) {
    let (n, c, o) = (random.integer(1...3), random.pick([1, 3, 16, 20]), random.pick([1, 5, 16, 33]))
    let (side, k) = (random.integer(3...7), random.pick([1, 3]))
    let groups = random.chance(0.3) ? c : 1
    let channels = groups == 1 ? o : c
    let operations = (0..<random.integer(1...5)).map { _ in random.integer(0...5) }
    let hasRelu = random.chance(0.5)
    let residual = random.chance(0.5)
    let shapes =
      [[n, side, side, c], [k, k, c / groups, channels], [n, side, side, channels]] + operations.map { _ in [channels] }
    var inputs = try shapes.prefix(3).map { try numbers($0, &random) }
    for _ in operations { inputs.append(try numbers([channels], &random, 0.5...2)) }
    let program = try Program.trace(inputs.map(\.type)) { x in
      var y = x[0].convolved(with: x[1], strides: [1, 1], padding: .same, groups: groups)
      for (index, operation) in operations.enumerated() {
        let vector = x[3 + index].reshaped([1, 1, 1, channels])
        switch operation {
        case 0: y = y + vector
        case 1: y = y - vector
        case 2: y = vector - y
        case 3: y = y * vector
        case 4: y = y / vector
        default: y = (y + vector) * 0.5
        }
      }
      if residual { y = x[2] + y }
      return [hasRelu ? y.relu() : y]
    }
    return (program, inputs)
  }

  @Test("Vectors that scale and shift a convolution's results are moved into frozen weights, up to rounding")
  func normalizationsAreFolded() throws {
    for seed in 0..<40 as Range<UInt64> {
      var random = RandomSource(seed: seed)
      let (program, inputs) = try chain(&random)
      let frozen = Set(inputs.indices).subtracting([0, 2])
      let expected = try ReferenceBackend().evaluate(program, inputs)[0].elements(as: Double.self)
      for isa in InstructionSet.available {
        let backend = CPUBackend(threads: 2, instructionSet: isa, sharing: .always)
        let result = try run(program, inputs, frozen: frozen, backend)[0]
        let worst = zip(result.elements(as: Double.self), expected).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 0
        #expect(worst < 2e-5, "seed \(seed), \(isa)")
        for threads in [1, 3] {
          let other = CPUBackend(threads: threads, instructionSet: isa, sharing: .always)
          let same = try run(program, inputs, frozen: frozen, other)[0]
          #expect(same == result, "seed \(seed), \(isa), \(threads) threads")
        }
      }
      // What depends on frozen values alone runs once; then the convolution does everything.
      let report = try CPUBackend(threads: 2).explain(program, frozenInputs: frozen)
      let labels = report.phases.filter { $0.kind != "once" }.flatMap(\.parts).flatMap(\.segments).flatMap(\.kernels)
        .map(\.label)
      #expect(labels.count == 1, "seed \(seed): \(labels)")
    }
  }

  @Test("Values that others read too, and weights that change, are not folded")
  func whatOthersReadIsNotFolded() throws {
    var random = RandomSource(seed: 1)
    let inputs = [
      try numbers([2, 6, 6, 16], &random), try numbers([3, 3, 16, 16], &random), try numbers([16], &random, 0.5...2),
    ]
    let program = try Program.trace(inputs.map(\.type)) { x in
      let y = x[0].convolved(with: x[1], strides: [1, 1], padding: .same)
      return [y * x[2].reshaped([1, 1, 1, 16]), y.relu()]
    }
    let expected = try ReferenceBackend().evaluate(program, inputs)
    for frozen in [[1, 2], [2], [1], []] as [Set<Int>] {
      let results = try run(program, inputs, frozen: frozen, CPUBackend(threads: 2, sharing: .always))
      for (result, right) in zip(results, expected) {
        let worst = zip(result.elements(as: Double.self), right.elements(as: Double.self)).map { abs($0 - $1) }.max()
        #expect(worst ?? 0 < 1e-4)
      }
    }
  }

  @Test("One, two or three samples have the same bits on any number of threads, with pooling and strides")
  func fewSamplesHaveTheSameBitsOnAnyNumberOfThreads() throws {
    for seed in 0..<24 as Range<UInt64> {
      var random = RandomSource(seed: seed)
      let (n, c, o) = (random.integer(1...3), random.pick([3, 16, 40]), random.pick([16, 48, 96]))
      let (side, k, stride) = (random.integer(9...40), random.pick([1, 3, 5]), random.integer(1...2))
      let isMax = random.chance(0.5)
      let inputs = [
        try numbers([n, side, side, c], &random), try numbers([k, k, c, o], &random),
        try numbers([k, k, 1, o], &random),
      ]
      let program = try Program.trace(inputs.map(\.type)) { x in
        let y = x[0].convolved(with: x[1], strides: [stride, stride], padding: .same).relu()
        let z = y.convolved(with: x[2], strides: [1, 1], padding: .same, groups: o)
        let window = WindowGeometry(
          size: [1, 3, 3, 1], strides: [1, 2, 2, 1], paddingLow: [0, 1, 1, 0], paddingHigh: [0, 1, 1, 0])
        return [y, z.graph.add(ReduceWindow(isMax ? .max : .sum, window), z)]
      }
      let results = try [1, 2, 3, 5].map {
        try run(program, inputs, frozen: [1, 2], CPUBackend(threads: $0, sharing: .always))
      }
      for other in results.dropFirst() { #expect(other == results[0], "seed \(seed)") }
      let expected = try ReferenceBackend().evaluate(program, inputs)
      for (result, right) in zip(results[0], expected) {
        let (a, b) = (result.elements(as: Double.self), right.elements(as: Double.self))
        let size = b.map(abs).max() ?? 1
        #expect((zip(a, b).map { abs($0 - $1) }.max() ?? 0) < 1e-5 * (1 + size), "seed \(seed)")
      }
    }
  }

  @Test("A large frozen matrix is packed once, and gives the bits of the product that reads it in place")
  func largeFrozenMatricesArePackedOnce() throws {
    for (rows, depth, columns) in [(5, 2100, 2100), (20, 1500, 1501), (65, 1025, 2050)] {
      var random = RandomSource(seed: UInt64(rows))
      let inputs = [
        try numbers([rows, depth], &random), try numbers([depth, columns], &random), try numbers([columns], &random),
      ]
      let program = try Program.trace(inputs.map(\.type)) { x in
        [(x[0].matmul(x[1]) + x[2].reshaped([1, columns])).relu()]
      }
      let expected = try run(program, inputs, frozen: [], CPUBackend(threads: 2, sharing: .always))
      for threads in [1, 2, 3] {
        let backend = CPUBackend(threads: threads, sharing: .always)
        #expect(try run(program, inputs, frozen: [1, 2], backend) == expected, "\(rows) rows, \(threads) threads")
      }
      let report = try CPUBackend(threads: 2).explain(program, frozenInputs: [1, 2])
      #expect("\(report)".contains("pack [\(depth), \(columns)]"))
    }
  }
}
