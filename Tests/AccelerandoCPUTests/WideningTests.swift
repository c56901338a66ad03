// Sixteen-bit programs: computed in float32, rounded where they say so, and by the kernels that float32 has.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct WideningTests {
  private func tensor(_ shape: [Int], _ dtype: DType, _ random: inout RandomSource) throws -> NDArray {
    try NDArray((0..<shape.reduce(1, *)).map { _ in Float(random.real(-1...1)) }, shape: shape).converted(to: dtype)
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func aProductIsThatOfFloat32Rounded(_ dtype: DType) throws {
    let backend = CPUBackend(threads: 2)
    for seed in 0..<20 as Range<UInt64> {
      var random = RandomSource(seed: seed)
      let (m, k, n) = (random.integer(1...70), random.integer(1...300), random.integer(1...70))
      let halves = [try tensor([m, k], dtype, &random), try tensor([k, n], dtype, &random)]
      let wholes = halves.map { $0.converted(to: .float32) }
      let received = try backend.evaluate(Program.trace(halves.map(\.type)) { [$0[0].matmul($0[1])] }, halves)[0]
      let expected = try backend.evaluate(Program.trace(wholes.map(\.type)) { [$0[0].matmul($0[1])] }, wholes)[0]
      // Sums in another order may round to the neighbour.
      let failure = difference(received, from: expected.converted(to: dtype), .of(dtype, ulps: 1, terms: 4))
      #expect(failure == nil, "\(m)×\(k)×\(n)")
    }
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func attentionAndItsGradientRunByTheirKernels(_ dtype: DType) throws {
    for seed in 0..<8 as Range<UInt64> {
      var random = RandomSource(seed: seed)
      let (batch, heads, size) = (random.integer(1...3), random.integer(1...3), random.integer(1...20))
      let shape = [batch, random.integer(1...40), heads, size]
      let halves = try (0..<4).map { _ in try tensor(shape, dtype, &random) }
      let wholes = halves.map { $0.converted(to: .float32) }
      func program(_ types: [TensorType]) throws -> Program {
        try Program.trace(types) { x in
          let attention = ScaledDotProductAttention(scale: 0.5, isCausal: seed % 2 == 0)
          let context = x[0].graph.add(attention, Array(x[0..<3]))[0]
          return [context] + gradients(of: (context * x[3]).sum(), withRespectTo: Array(x[0..<3]))
        }
      }
      let backend = CPUBackend(threads: 2)
      let half = try program(halves.map(\.type))
      let received = try backend.evaluate(half, halves)
      for (a, b) in zip(received, try backend.evaluate(program(wholes.map(\.type)), wholes)) {
        let (x, y) = (a.elements(as: Double.self), b.elements(as: Double.self))
        let distance = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        #expect(distance <= 8 * dtype.precision * (1e-2 + y.reduce(0) { $0 + $1 * $1 }.squareRoot()), "seed \(seed)")
      }
      let labels = try backend.explain(half).kernels.map(\.label)
      #expect(labels.filter { $0.hasPrefix("attention") }.count == 2, "\(labels)")
    }
  }

  /// Convolution, bias, relu, pooling, a product and a softmax, with the gradients of the parameters.
  private func network(_ types: [TensorType]) throws -> Program {
    try Program.trace(types) { x in
      let image = (x[0].convolved(with: x[1], strides: [1, 1], padding: .valid) + x[2]).relu()
      let pooled = image.graph.add(
        ReduceWindow(.max, WindowGeometry(size: [1, 2, 2, 1], strides: [1, 2, 2, 1])), image)
      let scores = pooled.reshaped([x[0].shape[0], 72]).matmul(x[3])
      let probabilities = scores.graph.add(Softmax(axis: 1), scores.converted(to: .float32))
      let loss = (probabilities * probabilities).sum()
      return [loss] + gradients(of: loss, withRespectTo: Array(x[1...])) + [scores]
    }
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func aNetworkAndItsGradientsRunByTheKernelsOfFloat32AndAreCloseToIt(_ dtype: DType) throws {
    for seed in 0..<8 as Range<UInt64> {
      var random = RandomSource(seed: seed)
      let shapes = [[random.integer(1...20), 9, 9, 3], [3, 3, 3, 8], [8], [72, 5]]
      let halves = try shapes.map { try tensor($0, dtype, &random) }
      let wholes = halves.map { $0.converted(to: .float32) }
      let program = try network(halves.map(\.type))
      let backend = CPUBackend(threads: 2)
      let received = try backend.evaluate(program, halves)
      let expected = try backend.evaluate(network(wholes.map(\.type)), wholes)
      for (a, b) in zip(received, expected) {
        let (x, y) = (a.elements(as: Double.self), b.elements(as: Double.self))
        let distance = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        let size = y.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(distance <= 24 * dtype.precision * size, "\(b.type), seed \(seed)")
      }
      #expect(try CPUBackend(threads: 3).evaluate(program, halves) == received)
      let report = "\(try backend.explain(program))"
      #expect(!report.contains("\(dtype.rawValue) "), "a kernel works element by element: \(report)")
    }
  }

  @Test func whatIsTooLargeForSixteenBitsIsInfiniteWhereItIsConverted() throws {
    let x = try NDArray([Float](repeating: 250, count: 4), shape: [2, 2]).converted(to: .float16)
    let program = try Program.trace([x.type]) { [$0[0].matmul($0[0]).converted(to: .float32), $0[0].matmul($0[0])] }
    let results = try CPUBackend(threads: 1).evaluate(program, [x])
    for result in results { #expect(result.elements(as: Float.self) == [.infinity, .infinity, .infinity, .infinity]) }
  }
}
