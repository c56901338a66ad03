// Twenty steps of the two seed models on real images, from the same weights, by each optimizer: every part of a training
// step at once, against Keras'.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct TrainingGoldenTests {
  @Test(arguments: Golden.cases("training"))
  func lossesAndWeightsAfterTwentyStepsAgreeWithKeras(_ golden: Golden) throws {
    let isDense = golden.config["model"] == "mlp"
    let model = Sequential {
      Rescaling(1 / 255)
      if isDense {
        Flatten()
        Dense(128, activation: .relu)
      } else {
        Conv2D(32, kernelSize: (3, 3), activation: .relu)
        MaxPooling2D()
        Flatten()
      }
      Dense(10, activation: .softmax)
    }
    let images = try golden.tensor("images").reshaped([20, 32, 28, 28, 1])
    let labels = try golden.tensor("labels")
    let outline = try Outline(of: model, inputs: [TensorType(images.dtype, [32, 28, 28, 1])])
    let optimizer = try Catalog.optimizers.make(try #require(golden.config["optimizer"]))
    var state = try golden.parameters.map { try golden.tensor("initial." + $0) }
    state += state.flatMap { weight in optimizer.slots.map { NDArray(repeating: $0.initialValue, type: weight.type) } }

    func inputs(_ step: Int, _ state: [NDArray]) throws -> [NDArray] {
      let batch = try images.rows(step..<step + 1).reshaped([32, 28, 28, 1])
      return [batch, try labels.rows(step..<step + 1).reshaped([32]), NDArray(scalar: Float(step + 1))] + state
    }
    let program = try Program.trace(try inputs(0, state).map(\.type)) { tensors in
      trainingStep(model, outline, optimizer, tensors)
    }
    for backend in engines { try train(golden, program, state, inputs, on: backend) }
  }

  /// Runs the steps on a backend and compares what comes out.
  private func train(
    _ golden: Golden, _ program: Program, _ first: [NDArray], _ inputs: (Int, [NDArray]) throws -> [NDArray],
    on backend: any Backend
  ) throws {
    var state = first
    let executable = try backend.compile(program)
    var losses: [Float] = []
    for step in 0..<20 {
      let execution = try executable.bind(try inputs(step, state).map { try backend.upload($0) })
      try execution.run()
      let results = try execution.outputs.map { try $0.read() }
      losses += results[0].elements(as: Float.self)
      state = Array(results.dropFirst())
    }
    expectClose(
      NDArray(losses), try golden.tensor("losses"), "\(golden.name) losses on \(backend.name)", relative: 1e-4)
    for (parameter, value) in zip(golden.parameters, state) {
      let expected = try golden.tensor("final." + parameter)
      var received = value
      if received.elementCount != expected.elementCount {
        // Of large weights every 37th element is kept.
        let elements = value.elements(as: Float.self)
        received = NDArray(stride(from: 0, to: elements.count, by: 37).map { elements[$0] })
      }
      expectClose(received, expected, "\(golden.name) \(parameter) on \(backend.name)", relative: 1e-4)
    }
  }

  /// Images, labels, step, weights and slots to loss, weights and slots.
  private func trainingStep(
    _ model: Sequential, _ outline: Outline, _ optimizer: any Optimizer, _ tensors: [Tensor]
  ) -> [Tensor] {
    let (images, labels, step) = (tensors[0], tensors[1], tensors[2])
    let count = outline.parameters.count
    let weights = Array(tensors[3..<3 + count])
    let slots = Array(tensors[(3 + count)...])
    let values = Dictionary(uniqueKeysWithValues: zip(outline.parameters.map(\.name), weights))
    let scope = Scope(graph: images.graph, names: outline.names, values: values, isTraining: true)
    let prediction = scope.run { model(images) }
    let loss = SparseCategoricalCrossentropy().values(prediction, labels).mean()
    let clipped = optimizer.clipped(gradients(of: loss, withRespectTo: weights))
    let rate = optimizer.learningRate.value(step: step)
    let width = optimizer.slots.count
    let updates = weights.indices.map { index in
      optimizer.update(
        weight: weights[index], gradient: clipped[index], slots: Array(slots[index * width..<(index + 1) * width]),
        step: step, learningRate: rate)
    }
    return [loss] + updates.map(\.weight) + updates.flatMap(\.slots)
  }
}
