import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct PrecisionTests {
  private func model(_ precision: Precision, _ optimizer: any Optimizer = .adam(0.01)) throws -> Model {
    let layer = Sequential {
      Dense(12)
      BatchNormalization()
      ActivationLayer(.relu)
      LayerNormalization()
      Dense(2, activation: .softmax)
    }
    let model = Model(layer, inputShape: [2], backend: testBackend, seed: 3)
    try model.compile(
      optimizer: optimizer, loss: .sparseCategoricalCrossentropy, metrics: [.accuracy], precision: precision)
    return model
  }

  /// Sets the scale of the loss and the steps since it changed, where the model has them.
  private func setScale(of model: Model, to scale: Float, goodSteps: Float = 0) throws {
    var state = try model.optimizerState()
    guard state["loss_scale/scale"] != nil else { return }
    state["loss_scale/scale"] = NDArray(scalar: scale)
    state["loss_scale/good_steps"] = NDArray(scalar: goodSteps)
    try model.setOptimizerState(state)
  }

  @Test(arguments: [Precision.mixedBFloat16, .mixedFloat16])
  func sixteenBitsTrainAsThirtyTwoDoWithinTheirDigits(_ precision: Precision) throws {
    let (x, y) = try quadrants(128)
    let histories = try [Precision.float32, precision].map {
      let model = try model($0)
      // So small that no step is left out.
      try setScale(of: model, to: 256)
      return try model.fit(x, y, epochs: 4, batchSize: 32, verbose: .silent)["loss"]
    }
    let tolerance = precision == .mixedBFloat16 ? 0.03 : 0.01
    #expect(zip(histories[0], histories[1]).allSatisfy { abs($0 - $1) < tolerance }, "\(histories)")
    #expect(histories[0] != histories[1])
  }

  @Test(arguments: [Precision.mixedBFloat16, .mixedFloat16])
  func weightsAndOptimizerStayInThirtyTwoBitsAndProductsDoNot(_ precision: Precision) throws {
    let model = try model(precision)
    let (x, y) = try quadrants(16)
    #expect(try model.weights().entries.allSatisfy { $0.1.dtype == .float32 })
    let program = try model.inspectedStep(.train, on: Dataset(x, y), batchSize: 16).program
    let products = program.instructions.filter { $0.operation is DotGeneral }
    #expect(!products.isEmpty)
    #expect(products.allSatisfy { program.types[$0.operands[0]].dtype == precision.computeType })
    #expect(program.outputTypes.allSatisfy { ![.bfloat16, .float16].contains($0.dtype) })
    // Predictions are for people: 32 bits.
    #expect(try model.predict(x).dtype == .float32)
  }

  @Test func aLossScaleThatOverflowsIsHalvedAndItsStepLeftOut() throws {
    let model = try model(.mixedFloat16, .sgd(0.1))
    let (x, y) = try quadrants(16)
    try setScale(of: model, to: 1e30)
    let before = try model.weights()
    try model.fit(x, y, batchSize: 16, verbose: .silent)
    let trainable = try model.outline().parameters.filter { $0.role == .trainable }.map(\.name)
    let after = try model.weights()
    #expect(trainable.allSatisfy { before[$0] == after[$0] })
    #expect(try model.iteration() == 0)
    #expect(try model.optimizerState()["loss_scale/scale"]?.elements(as: Float.self) == [5e29])
    // Once it is small enough, steps count again.
    try setScale(of: model, to: 1e6)
    try model.fit(x, y, epochs: 30, batchSize: 16, verbose: .silent)
    #expect(try model.iteration() > 0)
    #expect(try model.weights().entries.allSatisfy { $0.1.elements(as: Float.self).allSatisfy(\.isFinite) })
  }

  @Test func theScaleDoublesAfterTwoThousandGoodSteps() throws {
    let model = try model(.mixedFloat16, .sgd(0.001))
    let (x, y) = try quadrants(4)
    try setScale(of: model, to: 256, goodSteps: 1998)
    try model.fit(x, y, epochs: 3, batchSize: 4, verbose: .silent)
    let after = try model.optimizerState()
    #expect(after["loss_scale/scale"]?.elements(as: Float.self) == [512])
    #expect(after["loss_scale/good_steps"]?.elements(as: Float.self) == [1])
  }

  @Test func precisionIsSavedWithTheModel() throws {
    try withTemporaryDirectory { directory in
      let place = directory.appendingPathComponent("model")
      try model(.mixedBFloat16).save(to: place)
      #expect(try Model.load(from: place, backend: testBackend).compilation?.precision == .mixedBFloat16)
    }
  }
}
