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

/// Holds the gradients of a function with respect to its float64 operands against central differences.
func checkGradient(
  _ inputs: [NDArray], tolerance: Double = 1e-6, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: ([Tensor]) -> [Tensor]
) throws {
  // Every element of every result enters the differentiated scalar with a weight of its own.
  func weighted(_ operands: [Tensor]) -> Tensor {
    let results = body(operands).filter(\.dtype.isFloating)
    let terms = results.enumerated().map { number, result -> Tensor in
      let count = result.type.elementCount
      let places = result.iota(TensorType(.float64, [count]), axis: 0)
      let weights = (places * 0.7 + Double(number + 1)).sin().reshaped(result.shape)
      return (result * weights).sum()
    }
    return terms.dropFirst().reduce(terms[0], +)
  }
  let moving = inputs.indices.filter { inputs[$0].dtype.isFloating }
  let program = try Program.trace(inputs.map(\.type)) { operands in
    gradients(of: weighted(operands), withRespectTo: moving.map { operands[$0] })
  }
  let computed = try ReferenceBackend().evaluate(program, inputs)
  let forward = try Program.trace(inputs.map(\.type)) { [weighted($0)] }
  for (place, index) in moving.enumerated() {
    let original = inputs[index].elements(as: Double.self)
    let received = computed[place].elements(as: Double.self)
    for element in original.indices {
      func value(_ offset: Double) throws -> Double {
        var moved = original
        moved[element] += offset
        var changed = inputs
        changed[index] = try NDArray(moved, shape: inputs[index].shape)
        return try ReferenceBackend().evaluate(forward, changed)[0].elements(as: Double.self)[0]
      }
      let step = 1e-5
      let expected = (try value(step) - value(-step)) / (2 * step)
      let allowed = tolerance * max(1, abs(expected))
      #expect(
        abs(received[element] - expected) <= allowed,
        "operand \(index), element \(element): expected \(expected), received \(received[element])",
        sourceLocation: sourceLocation)
    }
  }
}
