// Batch normalization on rows of channels: moments, the sums of the gradient and the formulas between them, with what
// activations and residuals make of them.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ChannelKernelTests {
  private func numbers(_ shape: [Int], _ random: inout RandomSource, _ range: ClosedRange<Double> = -1...1) throws
    -> NDArray
  {
    try NDArray((0..<shape.elementCount).map { _ in Float(random.real(range)) }, shape: shape)
  }

  /// Normalization, perhaps a residual, which may be normalized as well, and an activation; result, statistics, gradients.
  private func step(_ seed: UInt64, mean: Double = 0) throws -> (program: Program, inputs: [NDArray]) {
    var random = RandomSource(seed: seed)
    let channels = random.pick([1, 3, 8, 16, 17, 24, 40, 64, 65, 130])
    let batch = random.integer(2...9)
    let shape =
      random.chance(0.2) ? [batch, channels] : [batch, random.integer(1...9), random.integer(1...9), channels]
    let inputs = [
      try numbers(shape, &random, mean - 1...mean + 1), try numbers([channels], &random, 0.5...2),
      try numbers([channels], &random), try numbers(shape, &random), try numbers(shape, &random),
    ]
    let (addsResidual, normalizesResidual) = (random.chance(0.4), random.chance(0.5))
    let activation = random.integer(0...4)
    let program = try Program.trace(inputs.map(\.type)) { x in
      let results = x[0].graph.add(BatchNormTraining(axis: shape.count - 1, epsilon: 1e-3), [x[0], x[1], x[2]])
      var y = results[0]
      if addsResidual {
        let second = BatchNormTraining(axis: shape.count - 1, epsilon: 1e-2)
        y = y + (normalizesResidual ? x[0].graph.add(second, [x[3], x[1], x[2]])[0] : x[3])
      }
      switch activation {
      case 0: break
      case 1: y = y.relu(limit: 0.5)
      case 2: y = y * y.sigmoid()
      default: y = y.relu()
      }
      let loss = (y * x[4]).sum()
      return [y, results[1], results[2]] + gradients(of: loss, withRespectTo: [x[0], x[1], x[2], x[3]])
    }
    return (program, inputs)
  }

  @Test func normalizationsAndTheirGradientsAreThoseOfTheOracle() throws {
    for seed in 0..<60 as Range<UInt64> {
      let (program, inputs) = try step(seed)
      let expected = try ReferenceBackend().evaluate(program, inputs).map { $0.elements(as: Double.self) }
      for isa in InstructionSet.available {
        let results = try CPUBackend(threads: 1, instructionSet: isa).evaluate(program, inputs)
        for (index, (result, exact)) in zip(results, expected).enumerated() {
          let worst = zip(result.elements(as: Double.self), exact).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 0
          #expect(worst < 3e-5, "seed \(seed), \(isa), output \(index)")
        }
        for threads in [2, 3] {
          let backend = CPUBackend(threads: threads, instructionSet: isa, sharing: .always)
          let shared = try CPUBackend(threads: 1, instructionSet: isa, sharing: .always).evaluate(program, inputs)
          #expect(try backend.evaluate(program, inputs) == shared, "seed \(seed), \(isa), \(threads) threads")
        }
      }
    }
  }

  @Test func aSmallVarianceBesideALargeMeanKeepsItsDigits() throws {
    for seed in 100..<115 as Range<UInt64> {
      let (program, inputs) = try step(seed, mean: 3000)
      let expected = try ReferenceBackend().evaluate(program, inputs)[2].elements(as: Double.self)
      for isa in InstructionSet.available {
        let variance = try CPUBackend(threads: 2, instructionSet: isa, sharing: .always).evaluate(program, inputs)[2]
        for (received, exact) in zip(variance.elements(as: Double.self), expected) {
          // The inputs themselves have three digits after the point.
          #expect(abs(received - exact) < 1e-3 * (exact + 1e-3), "seed \(seed), \(isa)")
        }
      }
    }
  }

  @Test func aNormalizationAndItsActivationReadTheirDataInFewPasses() throws {
    let shape = [32, 8, 8, 24]
    let types = [shape, [24], [24], [1, 1, 24, 24], shape].map { TensorType(.float32, $0) }
    for limit in [nil, 6.0] {
      let program = try Program.trace(types) { x in
        let results = x[0].graph.add(BatchNormTraining(axis: 3, epsilon: 1e-3), [x[0], x[1], x[2]])
        let y = results[0].relu(limit: limit)
        let z = y.convolved(with: x[3], strides: [1, 1], padding: .same)
        return [y] + gradients(of: (z * z * x[4]).sum(), withRespectTo: [x[0], x[1], x[2]])
      }
      let report = try CPUBackend(threads: 2).explain(program)
      let labels = report.kernels.map(\.label).filter { $0.contains("[2048, 24]") }
      #expect(
        labels == [
          "moments of the channels of [2048, 24]", "normalize [2048, 24] + relu",
          "sums of the masked channels of [2048, 24]", "normalization gradient [2048, 24], masked",
        ], "\(report)")
      // Beside these there is the gradient of the square only.
      #expect(report.kernels.filter { $0.label.hasPrefix("loop of 49152") }.count == 1, "\(report)")
    }
  }
}
