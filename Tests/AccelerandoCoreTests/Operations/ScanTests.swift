import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ScanTests {
  /// A recurrence over rows: the last value and all of them.
  private static func recurrence(_ x: [Tensor], isReversed: Bool = false) -> [Tensor] {
    let result = scan([x[0]], initial: [x[1]], isReversed: isReversed) { carry, elements, _ in
      let next = (carry[0].matmul(x[2]) + elements[0]).tanh()
      return ([next], [next * 2, carry[0]])
    }
    return result.carry + result.outputs
  }

  private static func unrolled(_ x: [Tensor], isReversed: Bool = false) -> [Tensor] {
    let length = x[0].shape[0]
    var state = x[1]
    var rows = [[Tensor]](repeating: [], count: length)
    for round in 0..<length {
      let index = isReversed ? length - 1 - round : round
      let element = x[0].sliced(starts: [index, 0, 0], limits: [index + 1] + x[0].shape.dropFirst()).reshaped(
        state.shape)
      let next = (state.matmul(x[2]) + element).tanh()
      rows[index] = [(next * 2).expandingDims(0), state.expandingDims(0)]
      state = next
    }
    let graph = x[0].graph
    return [state] + (0..<2).map { column in graph.add(Concatenate(axis: 0), rows.map { $0[column] })[0] }
  }

  private static func operands(_ length: Int) -> [NDArray] {
    [randomArray([length, 2, 3], seed: 1), randomArray([2, 3], seed: 2), randomArray([3, 3], seed: 3)]
  }

  @Test(arguments: [1, 2, 5], [false, true]) func aScanIsItsUnrolledRounds(length: Int, isReversed: Bool) throws {
    let operands = Self.operands(length)
    let rolled = try evaluate(operands) { Self.recurrence($0, isReversed: isReversed) }
    let unrolled = try evaluate(operands) { Self.unrolled($0, isReversed: isReversed) }
    for (a, b) in zip(rolled, unrolled) { expectClose(a, b) }
  }

  @Test(arguments: [0, 1, 4], [false, true]) func aScanHasTheGradientOfItsRounds(length: Int, isReversed: Bool) throws {
    try checkGradient(Self.operands(length)) { Self.recurrence($0, isReversed: isReversed) }
  }

  @Test func theGradientOfAScanHasAGradient() throws {
    try checkGradient(Self.operands(3)) { x in
      let results = Self.recurrence(x)
      return gradients(of: results.reduce(x[0].scalar(0)) { $0 + ($1 * $1).sum() }, withRespectTo: x)
    }
  }

  @Test func aScanInAScanHasAGradient() throws {
    let operands = [randomArray([3, 2, 2], seed: 4), randomArray([2], seed: 5), randomArray([2], seed: 6)]
    try checkGradient(operands) { x in
      let result = scan([x[0]], initial: [x[1]]) { carry, elements, _ in
        let inner = scan([elements[0]], initial: carry, isReversed: true) { carry, elements, index in
          let next = (carry[0] * x[2] + elements[0] * (index.converted(to: .float64) + 1)).sin()
          return ([next], [next + carry[0]])
        }
        return (inner.carry, [inner.outputs[0].sum(axes: [0])])
      }
      return result.carry + result.outputs
    }
  }

  private func expectClose(_ a: NDArray, _ b: NDArray) {
    #expect(a.type == b.type)
    for (x, y) in zip(a.elements(as: Double.self), b.elements(as: Double.self)) { #expect(abs(x - y) < 1e-12) }
  }

  /// Bytes of all values of the loops in a program, inner ones too.
  private static func bytes(_ program: Program) -> Int {
    program.types.reduce(0) { $0 + $1.byteCount }
      + program.instructions.reduce(0) { sum, instruction in
        let rounds = (instruction.operation as? Scan)?.length ?? 1
        return sum + instruction.operation.regions.reduce(0) { $0 + rounds * bytes($1) }
      }
  }

  @Test func theGradientOfAScanCostsInProportionToItsLength() throws {
    func cost(_ length: Int) throws -> Int {
      let types = [[length, 2, 3], [2, 3], [3, 3]].map { TensorType(.float32, $0) }
      let program = try Program.trace(types) { x in
        let results = Self.recurrence(x)
        let loss = results.reduce(x[0].scalar(0)) { $0 + ($1 * $1).sum() }
        return gradients(of: loss, withRespectTo: x)
      }
      return Self.bytes(try program.simplified())
    }
    let (short, long) = (try cost(100), try cost(400))
    #expect(Double(long) / Double(short) <= 4.01)
  }

  @Test func aWeightMatrixOfAScanHasItsGradientFromOneProduct() throws {
    let types = [[50, 2, 3], [2, 3], [3, 3]].map { TensorType(.float32, $0) }
    let program = try Program.trace(types) { x in gradients(of: Self.recurrence(x)[0].sum(), withRespectTo: [x[2]]) }
    let simple = try program.simplified()
    #expect(simple.instructions.contains { $0.operation is DotGeneral })
    // No loop carries anything as large as the matrix for each row.
    for instruction in simple.instructions {
      guard let scan = instruction.operation as? Scan else { continue }
      #expect(scan.carryCount == 1)
    }
  }

  @Test func whatNobodyReadsIsNotComputed() throws {
    let types = [[5, 2, 3], [2, 3], [3, 3]].map { TensorType(.float32, $0) }
    let program = try Program.trace(types) { [Self.recurrence($0)[1]] }.simplified()
    let scans = program.instructions.compactMap { $0.operation as? Scan }
    #expect(scans.map { $0.body.outputs.count } == [2])
  }

  @Test func noGradientPassesAStop() throws {
    let x = randomArray([3], seed: 7)
    let results = try evaluate([x]) { x in gradients(of: (x[0].stopGradient() * x[0]).sum(), withRespectTo: x) }
    expectClose(results[0], x)
  }

  @Test func sequencesOfTwoLengthsAreRefused() {
    let error = #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float32, [3, 2]), TensorType(.float32, [4, 2])]) { x in
        let (_, outputs) = scan(x, initial: []) { _, elements, _ in ([], [elements[0] + elements[1]]) }
        return [outputs[0].sum()]
      }
    }
    #expect(error?.message.contains("sequences of one length") == true)
  }

  @Test func aBodyThatForgetsACarriedValueIsRefused() {
    let error = #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float32, [3, 2])]) { x in
        let (carry, outputs) = scan(x, initial: [x[0].sum()]) { carry, elements, _ in ([], [elements[0], carry[0]]) }
        return [carry[0], outputs[1]]
      }
    }
    #expect(error?.message.contains("carries 1 values") == true)
  }
}
