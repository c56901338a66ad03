// Optimizers over twenty steps, and schedules, against Keras'.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct OptimizerGoldenTests {
  @Test(arguments: Golden.cases("optimizers"))
  func weightsAfterTwentyStepsAgreeWithKeras(_ golden: Golden) throws {
    let optimizer = try Catalog.optimizers.make(Config(.object([Config.Entry(golden.kind, golden.config)])))
    for backend in backends {
      var weights = golden.series("w")
      let rules = weights.enumerated().map { index, weight in
        optimizer.rule(
          for: ParameterSpec(name: "w\(index)", type: weight.type, role: .trainable, initializer: .zeros))
      }
      var slots = zip(weights, rules).flatMap { weight, rule in
        rule.slots.map { NDArray(repeating: $0.initialValue, type: $0.type(for: weight.type)) }
      }
      let allGradients = golden.series("g")
      var compiled: (any Executable)?
      for step in 1...20 {
        let gradients = try allGradients.map { try $0.rows(step - 1..<step).reshaped(Array($0.shape.dropFirst())) }
        let inputs = [NDArray(scalar: Float(step))] + weights + gradients + slots
        let count = weights.count
        let executable =
          try compiled
          ?? compile(inputs, on: backend) { tensors in
            let rate = optimizer.learningRate.value(step: tensors[0])
            let clipped = optimizer.clipped(Array(tensors[1 + count..<1 + 2 * count]))
            var (newWeights, newSlots): ([Tensor], [Tensor]) = ([], [])
            for index in 0..<count {
              let first = 1 + 2 * count + rules[..<index].reduce(0) { $0 + $1.slots.count }
              let result = rules[index].update(
                weight: tensors[1 + index], gradient: clipped[index],
                slots: Array(tensors[first..<first + rules[index].slots.count]), step: tensors[0], learningRate: rate)
              newWeights.append(result.weight)
              newSlots += result.slots
            }
            return newWeights + newSlots
          }
        compiled = executable
        let execution = try executable.bind(try inputs.map { try backend.upload($0) })
        try execution.run()
        let results = try execution.outputs.map { try $0.read() }
        weights = Array(results.prefix(count))
        slots = Array(results.dropFirst(count))
        for (index, weight) in weights.enumerated() {
          guard let expected = golden.tensors["w\(index)_after\(step)"] else { continue }
          expectClose(weight, expected, "\(golden.name) w\(index) after step \(step) on \(backend.name)")
        }
      }
    }
  }

  @Test(arguments: Golden.cases("schedules"))
  func schedulesAgreeWithKerasInProgramsAndOnTheHost(_ golden: Golden) throws {
    let rate = try LearningRate(config: Config(.object([Config.Entry(golden.kind, golden.config)])))
    let expected = try golden.tensor("values")
    let steps = try golden.tensor("steps").elements(as: Int64.self)
    expectClose(NDArray(steps.map { Float(rate.value(iteration: Int($0))) }), expected, "\(golden.name) on the host")
    for backend in backends {
      let inputs = [NDArray(steps.map { Float($0 + 1) })]
      let values = try evaluate(inputs, on: backend) { tensors in
        let scalars = steps.indices.map { tensors[0].sliced(axis: 0, $0..<$0 + 1).reshaped([]) }
        return [Tensor.concatenating(scalars.map { rate.value(step: $0).reshaped([1]) }, axis: 0)]
      }
      expectClose(values[0], expected, "\(golden.name) on \(backend.name)")
    }
  }
}
