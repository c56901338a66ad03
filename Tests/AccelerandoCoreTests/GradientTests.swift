// Differentiation beyond single operations: what is not depended on, what is used twice, gradients of gradients, and
// functions as models have them.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct GradientTests {
  private func moderate(_ shape: [Int], seed: UInt64 = 1) -> NDArray {
    var maker = ExampleMaker(seed: seed, dtype: .float64)
    return maker.tensor(shape, .range(-1.5...1.5))
  }

  @Test func whatTheValueDoesNotDependOnGetsZeros() throws {
    let type = TensorType(.float64, [2])
    let program = try Program.trace([type, type]) { x in gradients(of: x[0].sum(), withRespectTo: x) }
    let results = try ReferenceBackend().evaluate(program, [moderate([2]), moderate([2])])
    #expect(results.map { $0.elements(as: Double.self) } == [[1, 1], [0, 0]])
  }

  @Test func gradientsOfEveryUseAreAdded() throws {
    #expect(checkGradient(at: [moderate([3])]) { x in [x[0] * x[0] + x[0].tanh() * x[0]] } == nil)
  }

  @Test func onlyFloatingScalarsHaveGradients() {
    let type = TensorType(.float32, [2])
    func text(_ value: @escaping (Tensor) -> Tensor) -> String {
      message { _ = try Program.trace([type]) { gradients(of: value($0[0]), withRespectTo: $0) } }
    }
    #expect(text { $0 }.contains("received float32[2]"))
    #expect(text { $0.converted(to: .int32).sum() }.contains("received int32[]"))
  }

  @Test func aSmallNetworkAgreesWithFiniteDifferences() {
    let inputs = [
      moderate([2, 6, 6, 2]), moderate([3, 3, 2, 3], seed: 2), moderate([12, 4], seed: 3), moderate([4], seed: 4),
    ]
    let failure = checkGradient(at: inputs, tolerance: 1e-5) { x in
      let features = x[0].convolved(with: x[1], strides: [1, 1]).gelu()
      let pooled = features.graph.add(
        ReduceWindow(.max, WindowGeometry(size: [1, 2, 2, 1], strides: [1, 2, 2, 1])), features)
      let logits = pooled.reshaped([2, 12]).matmul(x[2]) + x[3]
      return [-logits.logSoftmax().sliced(axis: 1, 1..<2).mean()]
    }
    #expect(failure == nil)
  }

  /// Where the second derivative is discontinuous or the operation has no first, there is nothing to check.
  @Test(arguments: OperationCatalog.entries)
  func gradientsOfGradientsAgreeWithFiniteDifferences(_ entry: CatalogEntry) {
    guard entry.dtypes.contains(.float64) else { return }
    for seed in 1...4 as ClosedRange<UInt64> {
      guard let example = entry.example(.float64, seed: seed, isForGradient: true), !example.operands.isEmpty else {
        continue
      }
      let moving = example.operands.indices.filter { example.operands[$0].dtype == .float64 }
      let failure = checkGradient(at: example.operands, tolerance: 1e-5, seed: seed) { x in
        let results = x[0].graph.add(example.operation, x).filter(\.dtype.isFloating)
        // Squared, so that the gradient depends on the point even where the operation is linear.
        let parts = results.map { result in (result * result.sigmoid()).converted(to: .float64).sum() }
        guard let first = parts.first else { return [] }
        return gradients(of: parts.dropFirst().reduce(first, +), withRespectTo: moving.map { x[$0] })
      }
      #expect(failure == nil, "\(entry.name), seed \(seed): \(example.operation)")
    }
  }
}
