import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ControlFlowTests {
  @Test func aLoopRunsAsLongAsItsConditionHolds() throws {
    let results = try evaluate([NDArray(scalar: Float(1))]) { inputs in
      whileLoop([inputs[0]], condition: { $0[0].less(than: $0[0].scalar(100)) }, body: { [$0[0] * 2] })
    }
    #expect(results[0].elements(as: Double.self) == [128])
  }

  @Test func aForLoopCountsFromZero() throws {
    let results = try evaluate([NDArray([0, 0, 0] as [Float])]) { inputs in
      forLoop(3, inputs) { round, carried in
        [carried[0].updatingElement(round, with: round.converted(to: .float32) * 10)]
      }
    }
    #expect(results[0].elements(as: Double.self) == [0, 10, 20])
  }

  @Test(arguments: [0, 1, 4]) func aForLoopHasTheGradientOfItsRounds(count: Int) throws {
    // A recurrence with a constant (the matrix), a value that decays and an integer counter.
    let inputs = [randomArray([3], seed: 1), randomArray([3, 3], seed: 2), randomArray([3], seed: 3)]
    try checkGradient(inputs) { inputs in
      forLoop(count, inputs) { round, carried in
        let factor = (round.converted(to: .float64) + 1) * 0.3
        return [(carried[0].matmul(carried[1]) * factor + carried[2]).tanh(), carried[1], carried[2] * 0.5]
      }
    }
  }

  @Test func aLoopThatFillsABufferHasAGradient() throws {
    try checkGradient([randomArray([2], seed: 4), NDArray(zeros: TensorType(.float64, [3, 2]))]) { inputs in
      forLoop(3, inputs) { round, carried in
        let next = (carried[0] * 1.3).sin()
        return [next, carried[1].updatingElement(round, with: next)]
      }
    }
  }

  @Test func theGradientOfALoopHasAGradient() throws {
    try checkGradient([randomArray([2], seed: 5)]) { inputs in
      let end = forLoop(3, inputs) { _, carried in [(carried[0] * 1.1).sin()] }
      return gradients(of: (end[0] * end[0]).sum(), withRespectTo: inputs)
    }
  }

  @Test func aLoopOfUnknownLengthHasNoGradientAndSaysSo() {
    let error = #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float64, [])]) { inputs in
        let end = whileLoop(inputs, condition: { $0[0].less(than: $0[0].scalar(9)) }, body: { [$0[0] * 2] })
        return gradients(of: end[0], withRespectTo: inputs)
      }
    }
    #expect(error?.message.contains("forLoop") == true)
  }

  @Test func aBodyThatChangesATypeIsRefused() {
    #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float64, [2])]) { forLoop(2, $0) { _, carried in [carried[0].sum()] } }
    }
  }

  @Test func aBodyReadsTensorsFromOutside() throws {
    let inputs = [randomArray([3], seed: 9), randomArray([3], seed: 10)]
    try checkGradient(inputs) { inputs in
      // Both regions of a loop in a loop read both tensors, one of them by way of the outer loop.
      forLoop(3, [inputs[0]]) { _, outer in
        forLoop(2, outer) { round, inner in
          [(inner[0] * inputs[1] + outer[0] * round.converted(to: .float64)).sin()]
        }
      }
    }
    let double = try evaluate([NDArray(scalar: Float(1)), NDArray(scalar: Float(3))]) { x in
      whileLoop([x[0]], condition: { $0[0].less(than: x[1] * 10) }, body: { [$0[0] * x[1]] })
        + switchCase(x[0].converted(to: .int32), on: [], branches: [{ _ in [x[0]] }, { _ in [x[0] + x[1]] }])
    }
    #expect(double.map { $0.elements(as: Double.self) } == [[81], [4]])
  }

  @Test(arguments: [-1, 0, 1, 2, 7]) func anIndexOutsideChoosesTheLastBranch(index: Int) throws {
    let results = try evaluate([NDArray(scalar: Int32(index)), NDArray(scalar: Float(5))]) { inputs in
      switchCase(inputs[0], on: [inputs[1]], branches: [{ [$0[0] + 1] }, { [$0[0] * 2] }, { [-$0[0]] }])
    }
    #expect(results[0].elements(as: Double.self) == [index == 0 ? 6 : index == 1 ? 10 : -5])
  }

  @Test(arguments: [0, 1]) func aBranchHasItsGradient(index: Int) throws {
    let inputs = [NDArray(scalar: Int32(index)), randomArray([3], seed: 6), randomArray([3], seed: 7)]
    try checkGradient(inputs) { inputs in
      switchCase(
        inputs[0], on: [inputs[1], inputs[2]], branches: [{ [$0[0] * $0[1]] }, { [$0[1].sin()] }])
    }
  }

  @Test func aConditionalTakesTheFirstFunctionWhenTrue() throws {
    let x = NDArray([3] as [Float])
    let results = try evaluate([x]) { inputs in
      let isPositive = inputs[0].sum().greater(than: inputs[0].scalar(0))
      return conditional(isPositive, on: inputs, then: { [$0[0] * 2] }, otherwise: { [-$0[0]] })
    }
    #expect(results[0].elements(as: Double.self) == [6])
  }

  @Test(arguments: [Reduce.Function.sum, .max, .min, .product])
  func oneWorkerReducesToItself(function: Reduce.Function) throws {
    let x = randomArray([3], seed: 8)
    #expect(try evaluate([x]) { [$0[0].allReduced(function)] }[0] == x)
    try checkGradient([x]) { [$0[0].allReduced(function).sin()] }
  }
}
