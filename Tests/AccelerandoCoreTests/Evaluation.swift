// What the tests of operations and composites evaluate with: the oracle, called for one function at a time.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

/// Evaluates a function once on the oracle.
func evaluate(_ inputs: [NDArray], _ body: ([Tensor]) -> [Tensor]) throws -> [NDArray] {
  try ReferenceBackend().evaluate(try Program.trace(inputs.map(\.type), body), inputs)
}

/// The elements of a function's first result.
func elements(_ inputs: [NDArray], _ body: ([Tensor]) -> Tensor) throws -> [Double] {
  try evaluate(inputs) { [body($0)] }[0].elements(as: Double.self)
}

/// A float64 array of numbers of the standard normal distribution.
func randomArray(_ shape: [Int], seed: UInt64) -> NDArray {
  var maker = ExampleMaker(seed: seed, dtype: .float64)
  return maker.tensor(shape, .range(-2...2))
}

/// Holds the gradients of a function with respect to its float64 operands against finite differences.
func checkGradient(
  _ inputs: [NDArray], tolerance: Double = 1e-6, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: ([Tensor]) -> [Tensor]
) throws {
  let failure = AccelerandoTestSupport.checkGradient(at: inputs, tolerance: tolerance, of: body)
  #expect(failure == nil, sourceLocation: sourceLocation)
}
