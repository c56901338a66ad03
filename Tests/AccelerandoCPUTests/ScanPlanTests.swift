// Loops over sequences on the CPU engine: the same bits for any number of threads, samples that never meet stay apart, and
// nothing is copied from round to round.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ScanPlanTests {
  /// Long short-term memory over `[T, N, 4 · units]`, with gradients.
  private func memory(_ length: Int, _ batch: Int, _ units: Int, mixes: Bool = false) throws -> Program {
    let types = [[length, batch, 4 * units], [units, 4 * units], [batch, units]].map { TensorType(.float32, $0) }
    return try Program.trace(types) { x in
      let result = scan([x[0]], initial: [x[2], x[2] * 0.5]) { carry, elements, _ in
        let next = elements[0].graph.add(LSTMGates(), [elements[0], carry[0].matmul(x[1]), carry[1]])
        // The mean over the batch is something that samples have in common.
        let state = mixes ? next[0] - next[0].mean(axes: [0], keepDims: true) : next[0]
        return ([state, next[1]], [state])
      }
      let loss = (result.outputs[0] * result.outputs[0]).sum() + result.carry[1].sum()
      return [loss, result.carry[0]] + gradients(of: loss, withRespectTo: x)
    }
  }

  private func operands(_ program: Program) -> [NDArray] {
    var maker = ExampleMaker(seed: 1, dtype: .float32)
    return program.inputs.map { maker.tensor($0.type.shape, .range(-0.5...0.5)) }
  }

  private func results(_ program: Program, _ inputs: [NDArray], on backend: any Backend) throws -> [NDArray] {
    try backend.evaluate(program, inputs)
  }

  @Test(arguments: [1, 2, 3, 4, 7, 16], [false, true])
  func theBitsOfAScanDoNotDependOnTheThreads(batch: Int, mixes: Bool) throws {
    let program = try memory(5, batch, 19, mixes: mixes)
    let inputs = operands(program)
    let alone = try results(program, inputs, on: CPUBackend(threads: 1))
    for threads in 2...4 {
      #expect(try results(program, inputs, on: CPUBackend(threads: threads, sharing: .always)) == alone)
    }
    let expected = try results(program, inputs, on: ReferenceBackend())
    for (a, b) in zip(alone, expected) {
      let (x, y) = (a.elements(as: Double.self), b.elements(as: Double.self))
      let scale = y.map(\.magnitude).max() ?? 0
      #expect(zip(x, y).allSatisfy { abs($0 - $1) <= 1e-4 * scale })
    }
  }

  @Test func samplesThatNeverMeetStayApart() throws {
    func kinds(_ program: Program) throws -> [String] {
      try CPUBackend(threads: 2).explain(program).phases.map(\.kind).filter { $0.hasPrefix("scan") }
    }
    #expect(try kinds(memory(5, 8, 16)) == ["scan of 5, 8 units apart", "scan of 5, 8 units apart"])
    #expect(try kinds(memory(5, 8, 16, mixes: true)).allSatisfy { $0 == "scan of 5" })
  }

  @Test(arguments: [0, 1, 2, 3, 6], [false, true])
  func everyWayAValueIsPassedOnIsRight(length: Int, isReversed: Bool) throws {
    let types = [TensorType(.float32, [length, 3, 2]), TensorType(.float32, [3, 2]), TensorType(.int32, [])]
    let program = try Program.trace(types) { x in
      // Carried: one that changes, two that swap, one that stays, the element before, a counter.
      let result = scan([x[0]], initial: [x[1], x[1] * 2, x[1] * 3, x[1] * 4, x[1], x[2]], isReversed: isReversed) {
        carry, elements, index in
        let next = carry[0] * 0.5 + elements[0]
        let counter = carry[5] + index
        return (
          [next, carry[2], carry[1], carry[3], elements[0], counter],
          [next, next, carry[0], carry[1], carry[4], elements[0], counter, carry[5], index]
        )
      }
      return result.carry + result.outputs
    }
    var maker = ExampleMaker(seed: 2, dtype: .float32)
    let inputs = [
      maker.tensor([length, 3, 2], .moderate), maker.tensor([3, 2], .moderate), NDArray(scalar: Int32(7)),
    ]
    let expected = try results(program, inputs, on: ReferenceBackend())
    for threads in [1, 2] {
      #expect(try results(program, inputs, on: CPUBackend(threads: threads, sharing: .always)) == expected)
    }
  }
}
