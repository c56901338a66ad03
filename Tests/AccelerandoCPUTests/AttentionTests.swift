// Attention and layer normalization as parts of programs with gradients: against the oracle, which runs the formulas, over
// lengths around the blocks of the kernels; that the bits are the same on any number of threads; and that the scores, a
// matrix as large as the square of the length, are nowhere in memory.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct AttentionTests {
  /// Σ w·attention and the gradients of it by query, key and value; with dropout for every other seed.
  private static func example(seed: UInt64, isCausal: Bool) throws -> (Program, [NDArray]) {
    var maker = ExampleMaker(seed: seed, dtype: .float32)
    let queries = maker.random.integer(1...150)
    let keys = maker.random.chance(0.5) ? queries : maker.random.integer(1...300)
    let (samples, heads) = (maker.random.integer(1...3), maker.random.integer(1...3))
    let (keySize, valueSize) = (maker.random.integer(1...24), maker.random.integer(1...24))
    let shapes = [
      [samples, queries, heads, keySize], [samples, keys, heads, keySize], [samples, keys, heads, valueSize],
      [samples, queries, heads, valueSize],
    ]
    let dropout = seed % 2 == 0 ? 0 : maker.random.pick([0.1, 0.5, 0.9])
    var inputs = shapes.map { maker.tensor($0, .moderate) }
    if dropout > 0 { inputs.append(maker.tensor([2], dtype: .uint32)) }
    if dropout > 0, maker.random.chance(0.5) { inputs.append(maker.tensor([], dtype: .uint32)) }
    let program = try Program.trace(inputs.map(\.type)) { tensors in
      let context = tensors[0].attending(
        to: tensors[1], values: tensors[2], isCausal: isCausal, dropout: dropout, random: Array(tensors[4...]))
      let value = (context * tensors[3]).sum()
      return [context] + gradients(of: value, withRespectTo: Array(tensors[0..<3]))
    }
    return (program, inputs)
  }

  @Test(arguments: [false, true])
  func resultsAndGradientsAgreeWithTheOracle(isCausal: Bool) throws {
    for seed in 0..<6 as Range<UInt64> {
      let (program, inputs) = try Self.example(seed: seed, isCausal: isCausal)
      for instructionSet in InstructionSet.available {
        let backend = CPUBackend(threads: 2, instructionSet: instructionSet)
        let failure = compare(program, inputs, on: backend) { .of($0, ulps: 64, terms: 1024) }
        #expect(failure == nil, "seed \(seed), \(instructionSet)")
      }
    }
  }

  @Test(arguments: [false, true])
  func bitsDoNotDependOnTheNumberOfThreads(isCausal: Bool) throws {
    for seed in 100..<110 as Range<UInt64> {
      let (program, inputs) = try Self.example(seed: seed, isCausal: isCausal)
      let results = try [1, 2, 3, 4].map { try CPUBackend(threads: $0).evaluate(program, inputs) }
      for result in results.dropFirst() { #expect(result == results[0], "seed \(seed)") }
    }
  }

  /// With equal scores, a share that is dropped on one side only changes a sum by far more than rounding does.
  @Test(arguments: [false, true])
  func dropoutDropsTheSharesThatTheFormulaDrops(isCausal: Bool) throws {
    for seed in 0..<8 as Range<UInt64> {
      var maker = ExampleMaker(seed: seed, dtype: .float32)
      let (samples, heads) = (maker.random.integer(1...3), maker.random.integer(1...3))
      let (queries, keys) = (maker.random.integer(1...150), maker.random.integer(1...300))
      let zeros = [[samples, queries, heads, 3], [samples, keys, heads, 3]].map {
        NDArray(zeros: TensorType(.float32, $0))
      }
      let values = maker.tensor([samples, keys, heads, 20], .moderate)
      let random = [maker.tensor([2], dtype: .uint32), maker.tensor([], dtype: .uint32)]
      let inputs = zeros + [values] + random
      let operation = ScaledDotProductAttention(scale: 1, isCausal: isCausal, dropout: 0.4)
      let whole = try Program.trace(inputs.map(\.type)) { [$0[0].graph.add(operation, $0)[0]] }
      let formula = try Program.trace(inputs.map(\.type)) { [operation.expand($0)[0]] }
      for instructionSet in InstructionSet.available {
        let backend = CPUBackend(threads: 2, instructionSet: instructionSet)
        let (a, b) = (try backend.evaluate(whole, inputs)[0], try backend.evaluate(formula, inputs)[0])
        let distance = zip(a.elements(as: Float.self), b.elements(as: Float.self)).map { abs($0 - $1) }.max() ?? 0
        #expect(distance < 1e-5, "seed \(seed), \(instructionSet)")
      }
    }
  }

  @Test func largeScoresDoNotOverflow() throws {
    // Scores of ±4000, far beyond what an exponential can hold, with the largest in the last block of keys.
    let query = try NDArray([Float](repeating: 2000, count: 2), shape: [1, 2, 1, 1])
    let key = try NDArray((0..<300).map { Float($0 % 3) - (300 - Float($0)) / 300 }, shape: [1, 300, 1, 1])
    let value = try NDArray((0..<300).map { Float($0) }, shape: [1, 300, 1, 1])
    let program = try Program.trace([query, key, value].map(\.type)) {
      [$0[0].attending(to: $0[1], values: $0[2], scale: 1)]
    }
    #expect(compare(program, [query, key, value], on: CPUBackend(threads: 1)) == nil)
  }

  @Test(arguments: [0, 0.1])
  func theMatrixOfScoresIsNeverStored(dropout: Double) throws {
    let length = 1024
    let type = TensorType(.float32, [2, length, 2, 16])
    let random = dropout > 0 ? [TensorType(.uint32, [2])] : []
    let program = try Program.trace([type, type, type] + random) { tensors in
      let context = tensors[0].attending(
        to: tensors[1], values: tensors[2], dropout: dropout, random: Array(tensors[3...]))
      return gradients(of: context.squared().sum(), withRespectTo: Array(tensors[..<3]))
    }
    let report = try CPUBackend(threads: 2).explain(program)
    let scores = 2 * 2 * length * length * 4
    #expect(report.arenaBytes + 2 * report.threadBytes < scores / 4)
    #expect(report.kernels.filter { $0.label.hasPrefix("attention") }.count == 2)
  }
}

@Suite struct NormalizationTests {
  @Test func layerNormalizationHasTheSameBitsOnAnyNumberOfThreads() throws {
    for seed in 0..<10 as Range<UInt64> {
      var maker = ExampleMaker(seed: seed, dtype: .float32)
      let shape = [maker.random.integer(1...40), maker.random.integer(1...30), maker.random.integer(1...70)]
      let vector = [shape[2]]
      let inputs = [shape, vector, vector, shape].map { maker.tensor($0, .moderate) }
      let program = try Program.trace(inputs.map(\.type)) { tensors in
        let y = tensors[0].layerNormalized(scale: tensors[1], offset: tensors[2])
        return [y] + gradients(of: (y * tensors[3]).sum(), withRespectTo: Array(tensors[0..<3]))
      }
      let results = try [1, 2, 3, 4].map { try CPUBackend(threads: $0).evaluate(program, inputs) }
      for result in results.dropFirst() { #expect(result == results[0], "seed \(seed)") }
      #expect(compare(program, inputs, on: CPUBackend(threads: 2)) { .of($0, ulps: 512, terms: 4096) } == nil)
    }
  }
}
