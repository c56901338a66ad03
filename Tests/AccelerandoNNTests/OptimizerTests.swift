import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Testing

@Suite struct OptimizerTests {
  private let scalar = TensorType(.float32, [])

  @Test func slotsThatAreMissingAreAnErrorOfTheTrace() {
    for optimizer in [.adam(), .rmsprop(), .sgd(momentum: 0.9)] as [any Optimizer] {
      #expect(throws: GraphError.self) {
        try Program.trace([TensorType(.float32, [3]), scalar]) { tensors in
          [
            optimizer.update(
              weight: tensors[0], gradient: tensors[0], slots: [], step: tensors[1], learningRate: tensors[1]
            ).weight
          ]
        }
      }
    }
  }

  @Test func weightsOfSixteenBitsStayWhatTheyAre() throws {
    for optimizer in [
      .adam(clipping: .globalNorm(1)), .adamW(), .rmsprop(centered: true), .sgd(weightDecay: 0.1),
      .sgd(momentum: 0.9, clipping: .norm(1)),
    ] as [any Optimizer] {
      let weight = TensorType(.bfloat16, [3])
      let types = [scalar, weight, weight] + optimizer.slots.map { _ in weight }
      let program = try Program.trace(types) { tensors in
        let gradient = optimizer.clipped([tensors[2]])[0]
        let rate = optimizer.learningRate.value(step: tensors[0])
        let update = optimizer.update(
          weight: tensors[1], gradient: gradient, slots: Array(tensors[3...]), step: tensors[0], learningRate: rate)
        return [update.weight] + update.slots
      }
      #expect(program.outputTypes.allSatisfy { $0 == weight })
    }
  }

  @Test func clippingKeepsZeroGradientsAndHidesNoNaN() throws {
    for clipping in [GradientClipping.norm(1), .globalNorm(1), .value(1)] {
      let optimizer = SGD(clipping: clipping)
      let arrays = [NDArray([Float(0), 0]), NDArray([Float(0), 0, 0])]
      let zeros = try evaluate(arrays, on: ReferenceBackend()) { optimizer.clipped($0) }
      #expect(zeros == arrays)
      let nan = try evaluate([NDArray([Float.nan, 1])], on: ReferenceBackend()) { optimizer.clipped($0) }
      #expect(nan[0].elements(as: Float.self)[0].isNaN)
    }
  }

  @Test func theLearningRateOfAProgramIsThatOfTheHost() throws {
    let rates: [LearningRate] = [0.25, .cosineDecay(0.5, steps: 9, warmupTarget: 1, warmupSteps: 3)]
    for rate in rates {
      for iteration in 0..<14 {
        let step = NDArray(scalar: Float(iteration + 1))
        let value = try evaluate([step], on: ReferenceBackend()) { [rate.value(step: $0[0])] }[0]
        let difference = Double(value.elements(as: Float.self)[0]) - rate.value(iteration: iteration)
        #expect(difference.magnitude < 1e-6)
      }
    }
  }
}
