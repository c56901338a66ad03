// A run whose loss stops being finite ends at the step where it happens, with the layer and the sample, and leaves the weights
// from before that step.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// √x, which is NaN below 0.
private struct Root: Layer {
  let name: String?
  func forward(_ x: Tensor) -> Tensor { x.sqrt() }
}

@Suite struct DivergenceTests {
  private func exploding(steps rate: Double = 50) throws -> Model {
    let model = Model(
      Sequential {
        Dense(4)
        Dense(1)
      }, inputShape: [2], backend: testBackend, seed: 3)
    try model.compile(optimizer: .sgd(.constant(rate)), loss: .meanSquaredError)
    return model
  }

  private func regression(_ count: Int = 64) throws -> Dataset {
    let (x, _) = try quadrants(count)
    return try Dataset(x, NDArray(x.elements(as: Float.self).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)))
  }

  @Test(arguments: [false, true])
  func aRunThatExplodesEndsWithTheWeightsFromBeforeTheStep(_ isBrought: Bool) throws {
    let data = try isBrought ? regression().mapped { $0 } : regression()
    let model = try exploding()
    var steps = 0
    let count = LambdaCallback(batchEnd: { _, _ in steps += 1 })
    let error = message { try model.fit(data, epochs: 20, batchSize: 8, callbacks: [count], verbose: .silent) }
    #expect(error.contains("training diverged: the loss of step"), "\(error)")
    #expect(error.contains("The model has the weights from before that step"), "\(error)")
    #expect(try model.weights().entries.allSatisfy { $0.1.elements(as: Float.self).allSatisfy(\.isFinite) })
    // The same run, ended where that one was the last to be finite, ends with the same weights.
    let same = try exploding()
    let stop = LambdaCallback(batchEnd: { _, run in if run.totalSteps == steps { run.stopsTraining = true } })
    try same.fit(data, epochs: 20, batchSize: 8, callbacks: [stop], verbose: .silent)
    #expect(try same.weights() == model.weights())
    #expect(try same.iteration() == model.iteration())
  }

  @Test func theLayerAndTheSampleAreNamed() throws {
    var values = [Float](repeating: 4, count: 40)
    values[17] = -4
    let x = try NDArray(values, shape: [40, 1])
    let y = NDArray([Float](repeating: 2, count: 40))
    for data in [try Dataset(x, y), try Dataset(x, y).mapped { $0 }, Dataset { [Batch(features: [x], labels: y)] }] {
      let model = Model(
        Sequential {
          Dense(3, weightInitializer: .ones, name: "first")
          Sequential(name: "block") {
            Root(name: "root")
            Dense(1, name: "last")
          }
        }, inputShape: [1], backend: testBackend)
      try model.compile(optimizer: .sgd(0.001), loss: .meanSquaredError)
      let error = message { try model.fit(data, batchSize: 8, shuffle: false, verbose: .silent) }
      #expect(error.contains("is NaN"), "\(error)")
      #expect(
        error.contains("first in the output of Sequential › Sequential 'block' › Root 'root', for sample"), "\(error)")
      #expect(data.count == nil || error.contains("the loss of step 3 of epoch 1"), "\(error)")
      #expect(!(data.count != nil && data.transforms.isEmpty) || error.contains("for sample 17."), "\(error)")
    }
  }

  @Test func aLossThatOverflowsIsNotTakenForALayer() throws {
    let x = try NDArray([Float](repeating: 1e25, count: 4), shape: [4, 1])
    let model = Model(Dense(1, weightInitializer: .ones), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .meanSquaredError)
    let error = message { try model.fit(x, NDArray([Float](repeating: 0, count: 4)), verbose: .silent) }
    #expect(error.contains("is infinite. All layers give finite numbers, up to 1e+25"), "\(error)")
  }

  @Test func weightsThatTheStepBeforeSpoiltAreNamed() throws {
    let x = try NDArray([Float](repeating: 1e18, count: 4), shape: [4, 1])
    let model = Model(Dense(1, weightInitializer: .ones), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(1e10), loss: .meanSquaredError)
    let error = message {
      try model.fit(x, NDArray([Float](repeating: 0, count: 4)), epochs: 3, verbose: .silent)
    }
    #expect(error.contains("The step before has made 'weight' infinite or NaN"), "\(error)")
    #expect(error.contains("step 1 of epoch 2"), "\(error)")
  }

  @Test func terminateOnNaNEndsTrainingWithoutAnError() throws {
    let history = try exploding().fit(
      regression(), epochs: 20, batchSize: 8, callbacks: [TerminateOnNaN()], verbose: .silent)
    #expect(try #require(history["loss"].last).isFinite == false)
    #expect(history.epochs.count < 20)
  }

  @Test func aValidationLossThatIsNotFiniteIsSaidAndEndsNothing() throws {
    final class Shown: @unchecked Sendable { var text = "" }
    let shown = Shown()
    let x = try NDArray([Float(1), 2], shape: [2, 1])
    let large = try NDArray([Float(1e30), 2], shape: [2, 1])
    let model = Model(Dense(1), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0.01), loss: .meanSquaredError)
    let history = try model.fit(
      x, x, epochs: 2, validation: Dataset(large, x), callbacks: [ProgressBar(moves: false) { shown.text += $0 }],
      verbose: .silent)
    #expect(history.epochs.count == 2)
    #expect(shown.text.contains("the loss on the validation data is infinite"), "\(shown.text)")
  }

  @Test func nanHasNoSignInLogs() throws {
    let model = Model(Root(name: nil), inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .meanSquaredError, metrics: [.meanAbsoluteError])
    let logs = try model.evaluate(NDArray([Float(-1)], shape: [1, 1]), NDArray([Float(1)]))
    for value in logs.values { #expect(String(format: "%.4f", value) == "nan") }
  }

  @Test(arguments: [true, false])
  func workersEndWithTheSameErrorAndTheSameWeights(_ isPadded: Bool) throws {
    func run(_ threads: Int) throws -> (String, Store) {
      let engine = CPUBackend(threads: threads)
      let shared = SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
      let layer = Sequential {
        Dense(4)
        Dense(1)
      }
      let model = Model(layer, inputShape: [2], backend: shared, seed: 3)
      try model.compile(optimizer: .sgd(50), loss: .meanSquaredError)
      let error = message {
        try model.fit(regression(isPadded ? 61 : 64), epochs: 20, batchSize: 8, verbose: .silent)
      }
      return (error, try model.weights())
    }
    let (one, two) = (try run(1), try run(2))
    #expect(one.0.contains("The model has the weights from before that step"))
    #expect(one.0 == two.0)
    #expect(one.1 == two.1)
  }
}
