import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

/// The largest distance of two lists, relative where the numbers are large.
private func distance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { $0 == $1 ? 0 : abs($0 - $1) / max(1, abs($1)) }.max() ?? 0
}

@Suite struct ActivationTests {
  private let points = stride(from: -7.0, through: 7.0, by: 0.0625).map { $0 }

  @Test func erfIsAsGoodAsItsElementType() throws {
    let expected = points.map { Foundation.erf($0) }
    #expect(distance(try elements([NDArray(points)]) { $0[0].erf() }, expected) < 1e-15)
    let single = NDArray(points.map { Float($0) })
    #expect(distance(try elements([single]) { $0[0].erf() }, expected) < 3e-7)
    // Relative near zero, where erf is small.
    let small = [1e-30, 1e-10, 1e-5, 0.01, 0.1].map { Float($0) }
    for (value, y) in zip(small, try elements([NDArray(small)]) { $0[0].erf() }) {
      #expect(abs(y / Foundation.erf(Double(value)) - 1) < 3e-7)
    }
    let special = try elements([NDArray([Double.infinity, -.infinity, .nan])]) { $0[0].erf() }
    #expect(special[0] == 1 && special[1] == -1 && special[2].isNaN)
  }

  @Test func theInverseOfErfUndoesIt() throws {
    let y = stride(from: -0.999, through: 0.999, by: 0.0037).map { $0 } + [1 - 1e-9, -1 + 1e-12]
    let back = try elements([NDArray(y)]) { $0[0].erfInverse().erf() }
    #expect(distance(back, y) < 1e-14)
    let single = y.dropLast(2).map { Float($0) }
    let ends = try elements([NDArray(single)]) { $0[0].erfInverse().converted(to: .float64).erf() }
    #expect(distance(ends, single.map(Double.init)) < 5e-7)
    let special = try elements([NDArray([1 as Float, -1, 1.5, 0])]) { $0[0].erfInverse() }
    #expect(special[0] == .infinity && special[1] == -.infinity && special[2].isNaN && special[3] == 0)
  }

  @Test func activationsAreTheirFormulas() throws {
    let x = NDArray(points)
    #expect(distance(try elements([x]) { $0[0].relu() }, points.map { max($0, 0) }) == 0)
    #expect(distance(try elements([x]) { $0[0].silu() }, points.map { $0 / (1 + exp(-$0)) }) < 1e-14)
    let gelu = points.map { 0.5 * $0 * (1 + Foundation.erf($0 / 2.squareRoot())) }
    #expect(distance(try elements([x]) { $0[0].gelu() }, gelu) < 1e-14)
    let byTanh = points.map { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
    #expect(distance(try elements([x]) { $0[0].gelu(approximate: true) }, byTanh) < 1e-14)
  }

  @Test func activationsHaveTheirGradients() throws {
    let x = randomArray([5], seed: 1)
    try checkGradient([x]) {
      [$0[0].relu(), $0[0].silu(), $0[0].gelu(), $0[0].gelu(approximate: true), $0[0].erf(), $0[0].tanh().erfInverse()]
    }
    let atZero = try elements([NDArray([0.0])]) { gradients(of: $0[0].relu().sum(), withRespectTo: [$0[0]])[0] }
    #expect(atZero == [0])
  }
}

@Suite struct SoftmaxTests {
  @Test func largeLogitsDoNotOverflow() throws {
    let x = NDArray([1e4, 1e4 - 1, -1e4] as [Float])
    let p = 1 / (1 + exp(-1.0))
    #expect(distance(try elements([x]) { $0[0].softmax() }, [p, 1 - p, 0]) < 1e-6)
    #expect(distance(try elements([x]) { $0[0].logSoftmax() }, [log(p), log(1 - p), -2e4 + log(p)]) < 1e-6)
    #expect(distance(try elements([x]) { $0[0].logSumExp() }, [1e4 - log(p)]) < 1e-6)
  }

  @Test func theLogarithmOfNothingIsMinusInfinity() throws {
    let x = NDArray([-Double.infinity, -.infinity])
    #expect(try elements([x]) { $0[0].logSumExp() } == [-.infinity])
    #expect(try elements([NDArray([-Double.infinity, 2])]) { $0[0].logSumExp() } == [2])
  }

  @Test(arguments: 0..<3) func softmaxAndItsRelativesHaveGradientsAlongEveryAxis(axis: Int) throws {
    try checkGradient([randomArray([2, 3, 2], seed: 2)]) {
      [$0[0].softmax(axis: axis), $0[0].logSoftmax(axis: axis), $0[0].logSumExp(axis: axis)]
    }
  }

  @Test func integersAreRefused() {
    #expect(throws: GraphError.self) { _ = try Program.trace([TensorType(.int32, [2])]) { [$0[0].softmax()] } }
    #expect(throws: GraphError.self) { _ = try Program.trace([TensorType(.float32, [2])]) { [$0[0].softmax(axis: 1)] } }
  }
}

@Suite struct ReductionCompositeTests {
  @Test func theFirstOfEqualExtremesIsFound() throws {
    let x = try NDArray([1, 5, 5, 0, -2, 0] as [Float], shape: [2, 3])
    #expect(try elements([x]) { $0[0].argMax() } == [1, 0])
    #expect(try elements([x]) { $0[0].argMin() } == [0, 1])
    #expect(try elements([x]) { $0[0].argMax(axis: 0) } == [0, 0, 0])
    #expect(try elements([NDArray([1, .nan, 3, .nan] as [Float])]) { $0[0].argMax() } == [1])
    #expect(throws: GraphError.self) { _ = try Program.trace([TensorType(.float32, [0])]) { [$0[0].argMax()] } }
  }

  @Test func oneHotVectorsAreOneAtTheIndex() throws {
    let labels = NDArray([2, 0, 5] as [Int32])
    #expect(try elements([labels]) { $0[0].oneHot(3) } == [0, 0, 1, 1, 0, 0, 0, 0, 0])
  }

  @Test func runningTotalsGoBothWays() throws {
    let x = NDArray([1, 2, 3, 4, 5] as [Float])
    #expect(try elements([x]) { $0[0].cumulativeSum() } == [1, 3, 6, 10, 15])
    #expect(try elements([x]) { $0[0].cumulativeSum(exclusive: true) } == [0, 1, 3, 6, 10])
    #expect(try elements([x]) { $0[0].cumulativeSum(reverse: true) } == [15, 14, 12, 9, 5])
    #expect(try elements([x]) { $0[0].cumulativeSum(reverse: true, exclusive: true) } == [14, 12, 9, 5, 0])
    try checkGradient([randomArray([3, 5], seed: 3)]) {
      [$0[0].cumulativeSum(axis: 0), $0[0].cumulativeSum(axis: 1, reverse: true, exclusive: true)]
    }
  }

  @Test func momentsAreMeanAndBiasedVariance() throws {
    let x = NDArray([1, 2, 3, 6] as [Double])
    #expect(try elements([x]) { $0[0].mean() } == [3])
    #expect(try elements([x]) { $0[0].variance() } == [3.5])
    #expect(distance(try elements([x]) { $0[0].standardDeviation() }, [(3.5 as Double).squareRoot()]) < 1e-15)
  }
}

@Suite struct NormalizationTests {
  private let x = randomArray([4, 2, 3], seed: 4)
  private let scale = randomArray([3], seed: 5)
  private let offset = randomArray([3], seed: 6)

  @Test func layersAreNormalizedSampleBySample() throws {
    let y = try elements([x, scale, offset]) { $0[0].layerNormalized(scale: $0[1], offset: $0[2]) }
    let (values, s, o) = (
      x.elements(as: Double.self), scale.elements(as: Double.self), offset.elements(as: Double.self)
    )
    for row in 0..<8 {
      let part = values[row * 3..<row * 3 + 3]
      let mean = part.reduce(0, +) / 3
      let variance = part.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 3
      for column in 0..<3 {
        let expected = (values[row * 3 + column] - mean) / (variance + 1e-3).squareRoot() * s[column] + o[column]
        #expect(abs(y[row * 3 + column] - expected) < 1e-12)
      }
    }
  }

  @Test func batchStatisticsNormalizeEachFeature() throws {
    let results = try evaluate([x, scale, offset]) { inputs in
      inputs[0].graph.add(BatchNormTraining(axis: 2, epsilon: 1e-3), inputs)
    }
    let values = x.elements(as: Double.self)
    for feature in 0..<3 {
      let part = stride(from: feature, to: 24, by: 3).map { values[$0] }
      let mean = part.reduce(0, +) / 8
      let variance = part.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 8
      #expect(abs(results[1].elements(as: Double.self)[feature] - mean) < 1e-12)
      #expect(abs(results[2].elements(as: Double.self)[feature] - variance) < 1e-12)
    }
    // Given the same statistics, inference computes the same.
    let again = try evaluate([x, scale, offset] + results[1...]) { inputs in
      inputs[0].graph.add(BatchNormInference(axis: 2, epsilon: 1e-3), inputs)
    }
    #expect(distance(again[0].elements(as: Double.self), results[0].elements(as: Double.self)) < 1e-12)
  }

  @Test func normalizationHasItsGradient() throws {
    try checkGradient([x, scale, offset], tolerance: 1e-5) {
      [$0[0].layerNormalized(scale: $0[1], offset: $0[2])]
    }
    try checkGradient([x, randomArray([2, 3], seed: 7), randomArray([2, 3], seed: 8)], tolerance: 1e-5) {
      [$0[0].layerNormalized(scale: $0[1], offset: $0[2])]
    }
    try checkGradient([x, scale, offset], tolerance: 1e-5) { inputs in
      inputs[0].graph.add(BatchNormTraining(axis: 2, epsilon: 1e-3), inputs)
    }
    let statistics = [randomArray([3], seed: 9), try NDArray([0.5, 1, 2.0], shape: [3])]
    try checkGradient([x, scale, offset] + statistics, tolerance: 1e-5) { inputs in
      [inputs[0].graph.add(BatchNormInference(axis: 2, epsilon: 1e-3), inputs)[0]]
    }
  }
}

@Suite struct EinsumTests {
  private let a = randomArray([2, 3, 4], seed: 10)
  private let b = randomArray([2, 4, 3], seed: 11)

  @Test(arguments: ["bij,bjk->bik", "bij,bkl->ik", "bij, bji -> b", "bij,cjk->kicb", "bij,bji->", "bij,bjk"])
  func productsAreSumsOverWhatTheResultLacks(equation: String) throws {
    let y = try elements([a, b]) { einsum(equation, $0[0], $0[1]) }
    #expect(distance(y, einsumByLoops(equation.filter { $0 != " " }, a, b)) < 1e-12)
  }

  @Test func oneOperandIsSummedAndTransposed() throws {
    #expect(try evaluate([a]) { [einsum("abc->ca", $0[0])] } == evaluate([a]) { [$0[0].sum(axes: [1]).transposed()] })
  }

  @Test(arguments: [
    "bij,bjk->bix", "bij->bik", "bii,bjk->bk", "bij,bjk->bbk", "bi,bjk->bk", "bij,bjk,kl->bl", "b.j,bjk->bk",
    "bij,ijk->bk", "", "->",
  ])
  func wrongEquationsAreRefused(equation: String) {
    #expect(throws: GraphError.self) {
      _ = try Program.trace([a.type, b.type]) { [einsum(equation, $0[0], $0[1])] }
    }
  }

  /// The definition: for every assignment of the letters, the product of the elements is added to the result's element.
  private func einsumByLoops(_ equation: String, _ a: NDArray, _ b: NDArray) -> [Double] {
    let sides = equation.components(separatedBy: "->")
    let terms = sides[0].split(separator: ",").map(Array.init)
    let letters = Array(Set(terms[0] + terms[1])).sorted()
    let once = letters.filter { letter in (terms[0] + terms[1]).filter { $0 == letter }.count == 1 }
    let output = sides.count == 2 ? Array(sides[1]) : once
    var sizes: [Character: Int] = [:]
    for (letter, size) in zip(terms[0] + terms[1], a.shape + b.shape) { sizes[letter] = size }
    let (x, y) = (a.elements(as: Double.self), b.elements(as: Double.self))
    func place(_ term: [Character], _ at: [Character: Int]) -> Int {
      term.reduce(0) { $0 * (sizes[$1] ?? 1) + (at[$1] ?? 0) }
    }
    var result = [Double](repeating: 0, count: output.map { sizes[$0] ?? 1 }.reduce(1, *))
    let total = letters.map { sizes[$0] ?? 1 }.reduce(1, *)
    for number in 0..<total {
      var rest = number
      var at: [Character: Int] = [:]
      for letter in letters {
        at[letter] = rest % (sizes[letter] ?? 1)
        rest /= sizes[letter] ?? 1
      }
      result[place(output, at)] += x[place(terms[0], at)] * y[place(terms[1], at)]
    }
    return result
  }
}
