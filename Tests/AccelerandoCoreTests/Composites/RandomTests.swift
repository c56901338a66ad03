import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

/// The numbers in these tests are those that JAX 0.10 draws with `jax_threefry_partitionable` for the same keys.
@Suite struct RandomTests {
  private let key = NDArray.randomKey(seed: 42)

  private func integers(_ body: (Tensor) -> Tensor) throws -> [UInt32] {
    try evaluate([key]) { [body($0[0])] }[0].elements(as: UInt32.self)
  }

  private func numbers(_ body: (Tensor) -> Tensor) throws -> [Float] {
    try evaluate([key]) { [body($0[0])] }[0].elements(as: Float.self)
  }

  @Test func keysAndBitsAreThoseOfJAX() throws {
    let keys = try integers { Tensor.concatenating($0.splitKey(3), axis: 0) }
    #expect(keys == [1_832_780_943, 270_669_613, 64_467_757, 2_916_123_636, 2_465_931_498, 255_383_827])
    #expect(try integers { $0.foldingIn(7) } == [2_547_012_911, 1_371_500_959])
    let bits: [UInt32] = [
      2_098_992_034, 2_919_706_841, 2_646_866_425, 2_409_546_199, 1_935_504_149, 2_516_274_904,
    ]
    #expect(try integers { $0.randomBits([2, 3]) } == bits)
    let wide = NDArray.randomKey(seed: 0x1234_5678_9ABC_DEF0)
    #expect(
      try evaluate([wide]) { [$0[0].randomBits([2])] }[0].elements(as: UInt32.self) == [1_301_508_282, 621_857_182])
  }

  @Test func distributionsAreThoseOfJAX() throws {
    #expect(
      try numbers { $0.randomUniform([4]) }
        == [0.48870956897735596, 0.6797971725463867, 0.6162714958190918, 0.5610160827636719])
    // JAX contracts the product and the sum into one rounding.
    let shifted: [Float] = [0.4435478448867798, 1.3989858627319336, 1.081357479095459]
    for (a, b) in zip(try numbers { $0.randomUniform([3], low: -2, high: 3) }, shifted) { #expect(abs(a - b) < 3e-7) }
    let normal: [Float] = [-0.02830461598932743, 0.4671318531036377, 0.2957029640674591, 0.15354591608047485]
    for (a, b) in zip(try numbers { $0.randomNormal([4]) }, normal) { #expect(abs(a - b) < 3e-7) }
    let truncated: [Float] = [-0.027016498148441315, 0.44438081979751587, 0.2818770706653595]
    for (a, b) in zip(try numbers { $0.randomTruncatedNormal([3]) }, truncated) { #expect(abs(a - b) < 3e-7) }
  }

  @Test func aPartDrawsTheBitsOfTheWhole() throws {
    let whole = try integers { $0.randomBits([6, 4]) }
    let part = try integers { key in
      key.graph.add(RngBitGenerator([2, 4]), key, key.constant(NDArray(scalar: UInt32(12))))
    }
    #expect(part == Array(whole[12..<20]))
  }

  @Test func momentsAreThoseOfTheDistribution() throws {
    let normal = try numbers { $0.randomNormal([4000], mean: 3, deviation: 2) }.map(Double.init)
    let mean = normal.reduce(0, +) / 4000
    #expect(abs(mean - 3) < 0.15)
    #expect(abs(normal.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 4000 - 4) < 0.4)
    let truncated = try numbers { $0.randomTruncatedNormal([4000]) }
    #expect(truncated.allSatisfy { abs($0) <= 2 })
    let hits = try numbers { $0.randomBernoulli([4000], probability: 0.3).converted(to: .float32) }
    #expect(abs(hits.reduce(0, +) / 4000 - 0.3) < 0.03)
  }

  @Test(arguments: [0, 0.25, 0.9, 1]) func dropoutKeepsTheMeanAndDropsTheSameInTheGradient(rate: Double) throws {
    let x = NDArray([Float](repeating: 2, count: 4000))
    let results = try evaluate([x, key]) { inputs in
      let y = inputs[0].dropout(rate: rate, key: inputs[1])
      return [y] + gradients(of: y.sum(), withRespectTo: [inputs[0]])
    }
    let y = results[0].elements(as: Double.self)
    let g = results[1].elements(as: Double.self)
    let kept = rate < 1 ? 1 / (1 - rate) : 0
    #expect(zip(y, g).allSatisfy { abs($0 - 2 * $1) < 1e-4 && ($1 == 0 || abs($1 - kept) < 1e-4) })
    let share = Double(g.filter { $0 == 0 }.count) / 4000
    #expect(abs(share - rate) < 0.03)
  }

  @Test func wrongKeysAndRatesAreRefused() {
    let x = TensorType(.float32, [2])
    #expect(throws: GraphError.self) { _ = try Program.trace([x]) { [$0[0].randomBits([2])] } }
    #expect(throws: GraphError.self) {
      _ = try Program.trace([x, TensorType(.uint32, [2])]) { [$0[0].dropout(rate: 1.5, key: $0[1])] }
    }
  }
}

@Suite struct OptimizerUpdateTests {
  private let w = NDArray([1.0, -2, 0.5])
  private let m = NDArray([0.1, 0, -0.2])
  private let v = NDArray([0.01, 0.3, 0])
  private let g = NDArray([0.5, -1, 2.0])
  private let rate = NDArray(scalar: 0.1)

  @Test(arguments: [false, true]) func adamIsItsFormula(decays: Bool) throws {
    let update = AdamUpdate(beta1: 0.9, beta2: 0.999, epsilon: 1e-7, decays: decays)
    let inputs = [w, m, v, g, rate] + (decays ? [NDArray(scalar: 0.02)] : [])
    let results = try evaluate(inputs) { $0[0].graph.add(update, $0) }.map { $0.elements(as: Double.self) }
    for index in 0..<3 {
      let (w, m, v, g) = (
        w.elements(as: Double.self)[index], m.elements(as: Double.self)[index], v.elements(as: Double.self)[index],
        g.elements(as: Double.self)[index]
      )
      let (nextM, nextV) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g)
      let expected = w * (decays ? 0.98 : 1) - 0.1 * nextM / (nextV.squareRoot() + 1e-7)
      #expect(abs(results[0][index] - expected) < 1e-12)
      #expect(abs(results[1][index] - nextM) < 1e-12)
      #expect(abs(results[2][index] - nextV) < 1e-12)
    }
  }

  @Test(arguments: [false, true]) func momentumIsItsFormula(nesterov: Bool) throws {
    let update = MomentumUpdate(momentum: 0.9, nesterov: nesterov)
    let results = try evaluate([w, m, g, rate]) { $0[0].graph.add(update, $0) }.map { $0.elements(as: Double.self) }
    let step = zip(m.elements(as: Double.self), g.elements(as: Double.self)).map { 0.9 * $0 - 0.1 * $1 }
    for index in 0..<3 {
      let (w, g) = (w.elements(as: Double.self)[index], g.elements(as: Double.self)[index])
      #expect(abs(results[1][index] - step[index]) < 1e-12)
      #expect(abs(results[0][index] - (nesterov ? w + 0.9 * step[index] - 0.1 * g : w + step[index])) < 1e-12)
    }
  }

  @Test func operandsOfOtherTypesAreRefused() {
    let types = [3, 3, 3, 2].map { TensorType(.float32, [$0]) } + [TensorType(.float32, [])]
    #expect(throws: GraphError.self) {
      _ = try Program.trace(types) { $0[0].graph.add(AdamUpdate(beta1: 0.9, beta2: 0.999, epsilon: 1e-7), $0) }
    }
  }
}
