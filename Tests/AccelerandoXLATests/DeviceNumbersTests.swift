// Totals, element types, left-out steps and diverged runs on a device: what the engine for the processor gives.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA
import Foundation
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct DeviceNumbersTests {
  private var backends: [any Backend] { [CPUBackend(threads: 2)] + TestPlugins.backends }

  private func classifier(_ backend: any Backend, _ precision: Precision = .float32) throws -> Model {
    let layers = Sequential {
      Dense(4, activation: .tanh)
      BatchNormalization()
      Dense(2, activation: .softmax)
    }
    let model = Model(layers, inputShape: [2], backend: backend, seed: 2)
    try model.compile(
      optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy], precision: precision)
    return model
  }

  private func expectClose(_ a: Store, _ b: Store, _ tolerance: Double = 1e-5, _ comment: Comment) {
    for (name, value) in a.entries {
      #expect(largestDifference(value, b[name]) <= tolerance, "\(comment), \(name)")
    }
  }

  @Test(arguments: DType.allCases)
  func dataOfEveryTypeTrainAlike(_ dtype: DType) throws {
    let values = RandomKey(seed: 5).uniform(80, from: 0, to: dtype == .bool ? 2 : 4).map { Float(Int($0)) }
    let x = try NDArray(values, shape: [40, 2]).converted(to: dtype)
    let y = NDArray((0..<40).map { Float($0 % 2) }).converted(to: dtype)
    let weights = NDArray((0..<40).map { Float(($0 + 1) % 2) }).converted(to: dtype)
    let arrays = try Dataset(x, y, sampleWeights: weights)
    let stream = Dataset { [Batch(features: [x], labels: y, sampleWeights: weights)] }
    let same = x.converted(to: .float32)
    for data in [arrays, stream] {
      let expected = try classifier(CPUBackend(threads: 2))
      try expected.fit(data, epochs: 2, batchSize: 16, validation: arrays, verbose: .silent)
      for backend in TestPlugins.backends {
        let model = try classifier(backend)
        try model.fit(data, epochs: 2, batchSize: 16, validation: arrays, verbose: .silent)
        expectClose(try expected.weights(), try model.weights(), 1e-4, "\(dtype)")
        let (a, b) = (try expected.evaluate(arrays), try model.evaluate(arrays))
        for (name, value) in a { #expect(abs(value - (b[name] ?? .nan)) < 1e-4, "\(dtype), \(name)") }
        #expect(largestDifference(try expected.predict(same), try model.predict(x)) < 1e-4)
        #expect(
          largestDifference(
            try expected.inferenceFunction(batchSize: 40)(x), try model.inferenceFunction(batchSize: 40)(x))
            < 1e-4)
      }
    }
  }

  @Test(arguments: [1, 64, 20_000])
  func theLossOfManySamplesIsTheMean(_ batchSize: Int) throws {
    let count = batchSize == 1 ? 300 : 20_000
    let values = RandomKey(seed: 4).uniform(count, from: 0, to: 3)
    let right = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
    for backend in backends {
      let model = Model(Dense(1, weightInitializer: .zeros), inputShape: [1], backend: backend)
      try model.compile(optimizer: .sgd(0), loss: .meanSquaredError)
      let logs = try model.evaluate(
        NDArray(zeros: TensorType(.float32, [count, 1])), NDArray(values), batchSize: batchSize)
      #expect(abs((logs["loss"] ?? 0) - right) < 1e-6 * right)
    }
  }

  @Test func stepsThatFloat16LeavesOutChangeNothing() throws {
    var values = RandomKey(seed: 5).uniform(128, from: -1, to: 1)
    values[80] = 60_000
    values[81] = 60_000
    let x = try NDArray(values, shape: [64, 2])
    let y = NDArray((0..<64).map { Int32($0 % 2) })
    for backend in backends {
      let model = try classifier(backend, .mixedFloat16)
      var state = try model.optimizerState()
      state["loss_scale/scale"] = NDArray(scalar: Float(128))
      try model.setOptimizerState(state)
      var weights = try model.weights()
      weights["layers.0.weight"] = NDArray(repeating: 1, type: TensorType(.float32, [2, 4]))
      try model.setWeights(weights)
      let history = try model.fit(x, y, epochs: 3, batchSize: 16, verbose: .silent)
      #expect(history["loss"].allSatisfy { $0.isFinite })
      #expect(try model.weights().entries.allSatisfy { $0.1.elements(as: Float.self).allSatisfy { $0.isFinite } })
      #expect(try model.iteration() <= 12)
    }
  }

  /// On a device many steps run at a time: the step is found all the same, and the weights are those from before it.
  @Test func aRunThatDivergesNamesTheStep() throws {
    let x = try NDArray(RandomKey(seed: 5).uniform(128, from: -1, to: 1), shape: [64, 2])
    let y = NDArray((0..<64).map { Float($0 % 3) })
    var errors: [String] = []
    var weights: [Store] = []
    for backend in backends {
      let layers = Sequential {
        Dense(4)
        Dense(1)
      }
      let model = Model(layers, inputShape: [2], backend: backend, seed: 3)
      try model.compile(optimizer: .sgd(50), loss: .meanSquaredError)
      do {
        try model.fit(x, y, epochs: 30, batchSize: 8, shuffle: false, verbose: .silent)
        Issue.record("the run did not diverge")
      } catch { errors.append("\(error)") }
      weights.append(try model.weights())
    }
    for error in errors {
      #expect(error.contains("training diverged: the loss of step"), "\(error)")
      #expect(error.contains("The model has the weights from before that step"), "\(error)")
    }
    for store in weights {
      #expect(store.entries.allSatisfy { $0.1.elements(as: Float.self).allSatisfy { $0.isFinite } })
    }
  }
}
