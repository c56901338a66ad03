// Data of every element type go through fit, evaluate, predict and inference functions, as arrays and as streams, and give
// what their float32 gives.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@Suite struct DataTypeTests {
  /// Whole numbers from 0 to 3, or 0 and 1 for `bool`: every type holds them exactly.
  private func features(_ dtype: DType) throws -> NDArray {
    let values = RandomKey(seed: 5).uniform(48, from: 0, to: dtype == .bool ? 2 : 4).map { Float(Int($0)) }
    return try NDArray(values, shape: [24, 2]).converted(to: dtype)
  }

  private let labels = NDArray((0..<24).map { Int32($0 % 2) })

  private func model(_ loss: any Loss = .sparseCategoricalCrossentropy, outputs: Int = 2) throws -> Model {
    let model = Model(
      Sequential {
        Dense(4, activation: .tanh)
        Dense(outputs, activation: outputs == 1 ? .sigmoid : .softmax)
      }, inputShape: [2], backend: testBackend, seed: 2)
    try model.compile(optimizer: .adam(0.01), loss: loss, metrics: [.accuracy])
    return model
  }

  private struct Results: Equatable {
    var weights: Store
    var history: [Logs]
    var evaluation: Logs
    var prediction: NDArray
  }

  private func results(_ model: Model, _ data: Dataset, _ validation: Dataset, _ x: NDArray) throws -> Results {
    let history = try model.fit(data, epochs: 2, batchSize: 10, validation: validation, verbose: .silent)
    return Results(
      weights: try model.weights(), history: history.epochs.map(\.logs),
      evaluation: try model.evaluate(validation, batchSize: 7), prediction: try model.predict(x, batchSize: 5))
  }

  private func stream(_ batch: Batch) -> Dataset {
    Dataset { [batch, batch] }
  }

  @Test(arguments: DType.allCases)
  func featuresOfEveryTypeTrainAsFloat32(_ dtype: DType) throws {
    let x = try features(dtype)
    let same = x.converted(to: .float32)
    let (given, expected) = (try model(), try model())
    let a = try results(given, Dataset(x, labels), Dataset(x, labels), x)
    let b = try results(expected, Dataset(same, labels), Dataset(same, labels), same)
    #expect(a == b)
    let (batch, sameBatch) = (Batch(features: [x], labels: labels), Batch(features: [same], labels: labels))
    let c = try results(given, stream(batch), stream(batch), x)
    let d = try results(expected, stream(sameBatch), stream(sameBatch), same)
    #expect(c == d)
    #expect(try given.inferenceFunction(batchSize: 24)(x) == expected.inferenceFunction(batchSize: 24)(same))
  }

  @Test(arguments: DType.allCases)
  func labelsOfEveryTypeTrainAsFloat32(_ dtype: DType) throws {
    let x = try features(.float32)
    let kinds: [(loss: any Loss, outputs: Int, labels: NDArray)] = [
      (.sparseCategoricalCrossentropy, 2, labels), (.binaryCrossentropy, 1, labels),
      (.categoricalCrossentropy, 2, NDArray((0..<24).flatMap { $0 % 2 == 0 ? [Float(1), 0] : [0, 1] })),
      (.meanSquaredError, 1, labels),
    ]
    for kind in kinds {
      let y = try kind.labels.reshaped([24] + (kind.labels.elementCount > 24 ? [2] : []))
      let (given, same) = (y.converted(to: dtype), y.converted(to: .float32))
      let a = try results(
        model(kind.loss, outputs: kind.outputs), Dataset(x, given), Dataset(x, given), x)
      let b = try results(model(kind.loss, outputs: kind.outputs), Dataset(x, same), Dataset(x, same), x)
      #expect(a == b, "\(kind.loss.name)")
      let batches = [given, same].map { stream(Batch(features: [x], labels: $0)) }
      let c = try results(model(kind.loss, outputs: kind.outputs), batches[0], batches[0], x)
      let d = try results(model(kind.loss, outputs: kind.outputs), batches[1], batches[1], x)
      #expect(c == d, "\(kind.loss.name), stream")
    }
  }

  @Test(arguments: DType.allCases)
  func weightsOfEveryTypeWeighAsFloat32(_ dtype: DType) throws {
    let x = try features(.float32)
    let weights = NDArray((0..<24).map { Float($0 % 2) }).converted(to: dtype)
    func train(_ weights: NDArray, _ make: (Batch) throws -> Dataset) throws -> Store {
      let model = try model()
      try model.fit(
        make(Batch(features: [x], labels: labels, sampleWeights: weights)), batchSize: 10, verbose: .silent)
      return try model.weights()
    }
    let arrays = { (batch: Batch) in
      try Dataset(features: batch.features, targets: batch.targets, weights: batch.weights)
    }
    #expect(try train(weights, arrays) == train(weights.converted(to: .float32), arrays))
    #expect(try train(weights, stream) == train(weights.converted(to: .float32), stream))
  }

  @Test func indicesOfEveryTypeLookUpTheSameRows() throws {
    func train(_ x: NDArray) throws -> Store {
      let model = Model(
        Sequential {
          Embedding(inputDim: 4, outputDim: 3)
          Flatten()
          Dense(2, activation: .softmax)
        }, inputs: [ModelInput([2], dtype: .int32)], backend: testBackend)
      try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy)
      try model.fit(x, labels, verbose: .silent)
      _ = try model.predict(x)
      return try model.weights()
    }
    let expected = try train(features(.int32))
    for dtype in DType.allCases where dtype != .bool { #expect(try train(features(dtype)) == expected, "\(dtype)") }
  }

  @Test func whatFloat32CannotHoldIsNamed() throws {
    var values = [Double](repeating: 1, count: 48)
    values[7] = 1e300
    let x = try NDArray(values, shape: [24, 2])
    let error = message { try model().fit(x, labels, verbose: .silent) }
    #expect(error.contains("the features of input 0 hold 1e+300 at [3, 1], which float32 cannot hold"), "\(error)")
  }

  @Test func validationDataAreCheckedBeforeTheFirstStep() throws {
    let x = try features(.float32)
    var epochs = 0
    let count = LambdaCallback(epochBegin: { _, _ in epochs += 1 })
    let wrong: [Dataset] = [
      try Dataset(x, NDArray([Float](repeating: 0.5, count: 24))),
      try Dataset(NDArray(zeros: TensorType(.float64, [3, 5])), NDArray([Int32(0), 1, 0])),
      try Dataset(x, try NDArray([Int32](repeating: 0, count: 72), shape: [24, 3])),
    ]
    for validation in wrong {
      #expect(throws: (any Error).self) {
        try model().fit(x, labels, validation: validation, callbacks: [count], verbose: .silent)
      }
    }
    #expect(epochs == 0)
  }
}
