// Data without meaning are named before anything is trained on them: labels that the loss does not know, numbers that are not
// finite, indices without a row, class weights where there are no classes.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@Suite struct DataMeaningTests {
  private func model(_ loss: any Loss, outputs: Int = 1, metrics: [any Metric] = []) throws -> Model {
    let model = Model(
      Dense(outputs, activation: outputs == 1 ? .sigmoid : .softmax), inputShape: [2], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: loss, metrics: metrics)
    return model
  }

  /// The errors of every way that data come to a model.
  private func errors(_ model: Model, _ x: NDArray, _ y: NDArray) throws -> [String] {
    let (good, _) = try quadrants(8)
    let fine = try Dataset(
      good,
      y.shape.count == 1
        ? NDArray([Int32](repeating: 0, count: 8)) : NDArray(zeros: y.type.with([8] + y.shape.dropFirst())))
    let batch = Batch(features: [x], labels: y)
    return [
      message { try model.fit(x, y, verbose: .silent) },
      message { try model.fit(Dataset { [batch] }, verbose: .silent) },
      message { try model.fit(Dataset(x, y).mapped { $0 }, shuffle: false, verbose: .silent) },
      message { try model.fit(fine, validation: Dataset(x, y), verbose: .silent) },
      message { _ = try model.evaluate(x, y) },
      message { _ = try model.evaluate(Dataset { [batch] }) },
    ]
  }

  @Test(arguments: [2, -1, 255, 1.5] as [Float])
  func binaryCrossentropyRefusesLabelsOutsideOfZeroToOne(_ label: Float) throws {
    let (x, _) = try quadrants(8)
    let y = NDArray([Float(0), 1, 1, 0, 1, label, 0, 1])
    for model in [
      try model(.binaryCrossentropy), try model(.meanSquaredError, metrics: [.loss(BinaryCrossentropy())]),
    ] {
      for error in try errors(model, x, y) {
        #expect(
          error.contains("a label of sample 5 is \(label == 1.5 ? "1.5" : "\(Int(label))"); labels are from 0 to 1"),
          "\(error)")
      }
    }
    let bytes = NDArray([UInt8(0), 255, 0, 0, 0, 0, 0, 255])
    #expect(message { try model(.binaryCrossentropy).fit(x, bytes, verbose: .silent) }.contains("sample 1 is 255"))
  }

  @Test func softLabelsOfBinaryCrossentropyAreFine() throws {
    let (x, _) = try quadrants(4)
    #expect(throws: Never.self) {
      try model(.binaryCrossentropy).fit(x, NDArray([Float(0.1), 0.9, 0.5, 1]), verbose: .silent)
    }
  }

  @Test func classIndicesAreWholeNumbers() throws {
    let (x, _) = try quadrants(4)
    let y = NDArray([Float(0), 1, 0.6, 1])
    for model in [
      try model(.sparseCategoricalCrossentropy, outputs: 2),
      try model(.sparseCategoricalCrossentropy, outputs: 2, metrics: [.accuracy]),
    ] {
      for error in try errors(model, x, y) {
        #expect(error.contains("the label of sample 2 is 0.6; class indices are whole numbers"), "\(error)")
      }
    }
    let metric = try model(.meanSquaredError, outputs: 2, metrics: [.sparseCategoricalAccuracy])
    #expect(message { try metric.fit(x, y, verbose: .silent) }.contains("metric 'sparse_categorical_accuracy'"))
  }

  @Test func categoricalCrossentropyRefusesNumbersThatAreNoProbabilities() throws {
    let (x, _) = try quadrants(2)
    let y = try NDArray([Float(0), 1, 255, 0], shape: [2, 2])
    for error in try errors(try model(.categoricalCrossentropy, outputs: 2), x, y) {
      #expect(error.contains("a label of sample 1 is 255"), "\(error)")
    }
  }

  @Test(arguments: [Float.infinity, -.infinity, .nan])
  func numbersThatAreNotFiniteAreNamedWithTheirPlace(_ value: Float) throws {
    let (x, y) = try quadrants(8)
    var values = x.elements(as: Float.self)
    values[11] = value
    let wrong = try NDArray(values, shape: [8, 2])
    let name = value.isNaN ? "NaN" : value > 0 ? "infinity" : "-infinity"
    for dtype in [DType.float32, .float64, .float16, .bfloat16] {
      for error in try errors(model(.sparseCategoricalCrossentropy, outputs: 2), wrong.converted(to: dtype), y) {
        #expect(error.contains("the features of input 0 hold \(name) at [5, 1]"), "\(error)")
      }
    }
    let labels = NDArray([0, 1, value, 0])
    let four = try x.rows(0..<4)
    for error in try errors(model(.meanSquaredError), four, labels) {
      #expect(error.contains("the labels hold \(name) at [2]"), "\(error)")
    }
    let error = message {
      try model(.meanSquaredError).fit(four, NDArray([Float(0), 1, 0, 1]), sampleWeights: labels, verbose: .silent)
    }
    #expect(error.contains("the sample weights hold \(name) at [2]"), "\(error)")
  }

  @Test(arguments: [-1, 4, 1_000_000] as [Int32])
  func anIndexOutsideOfAnEmbeddingIsNamed(_ index: Int32) throws {
    let model = Model(
      Sequential {
        Embedding(inputDim: 4, outputDim: 3, name: "words")
        Flatten()
        Dense(1)
      }, inputs: [ModelInput([2], dtype: .int32)], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError)
    let x = try NDArray([0, 1, 2, 3, 3, index], shape: [3, 2])
    let y = NDArray([Float(0), 1, 2])
    let batch = Batch(features: [x], labels: y)
    let good = try NDArray([Int32(0), 1], shape: [1, 2])
    let found = [
      message { try model.fit(x, y, verbose: .silent) },
      message { try model.fit(Dataset { [batch] }, verbose: .silent) },
      message { try model.fit(good, NDArray([Float(1)]), validation: Dataset(x, y), verbose: .silent) },
      message { _ = try model.evaluate(x, y) }, message { _ = try model.predict(x) },
    ]
    for error in found {
      #expect(error.contains("Embedding 'words' has the rows 0 to 3; sample 2"), "\(error)")
      #expect(error.contains("has the index \(index)"), "\(error)")
    }
    let fraction = try NDArray([Float(0), 1.5], shape: [1, 2])
    #expect(message { _ = try model.predict(fraction) }.contains("has the index 1.5"))
  }

  // MARK: Class weights

  @Test func classWeightsNeedOneClassForEachSample() throws {
    func refusal(_ model: Model, _ y: NDArray, _ weights: [Int: Double] = [1: 10]) throws -> String {
      let x = NDArray(zeros: TensorType(.float32, [y.shape[0]] + model.inputs[0].shape))
      return message { try model.fit(x, y, classWeights: weights, verbose: .silent) }
    }
    let regression = try NDArray([Float(0.3), 2, 1, -1], shape: [2, 2])
    let linear = Model(Dense(2), inputShape: [2], backend: testBackend)
    try linear.compile(optimizer: .sgd(0), loss: .meanSquaredError)
    #expect(try refusal(linear, regression).contains("of sample 0 are not one-hot"))
    let several = Model(Dense(2, activation: .sigmoid), inputShape: [2], backend: testBackend)
    try several.compile(optimizer: .sgd(0), loss: .binaryCrossentropy)
    #expect(
      try refusal(several, try NDArray([Float(1), 0, 0, 1], shape: [2, 2])).contains("one class for each sample"))
    #expect(try refusal(model(.meanSquaredError), NDArray([Float(0.5), 1])).contains("the label of sample 0 is 0.5"))
  }

  /// A class for each place of a sequence: each place counts by its own class.
  @Test(arguments: [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 1, 1]] as [[Int32]])
  func classWeightsWeighEachPlace(_ labels: [Int32]) throws {
    for shape in [[2, 3], [2, 3, 1]] {
      let input = Input(shape: [3, 2])
      let model = Model(
        inputs: [input], output: Dense(2, activation: .softmax, weightInitializer: .zeros)(input), backend: testBackend)
      try model.compile(optimizer: .sgd(0), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
      let x = NDArray(repeating: 1, type: TensorType(.float32, [2, 3, 2]))
      let y = try NDArray(labels, shape: shape)
      let batch = Batch(features: [x], labels: y)
      // ln 2 at each place, three of them with weight 10 and three with 1.
      for data in [try Dataset(x, y), Dataset { [batch] }] {
        let loss = try model.fit(data, classWeights: [1: 10], verbose: .silent)["loss"][0]
        #expect(abs(loss - 5.5 * log(2)) < 1e-5)
      }
    }
  }

  @Test(arguments: [-1, .nan, .infinity] as [Double])
  func classWeightsAreNumbersOfAtLeastZero(_ weight: Double) throws {
    let (x, y) = try quadrants(8)
    let error = message {
      try model(.sparseCategoricalCrossentropy, outputs: 2).fit(x, y, classWeights: [0: weight], verbose: .silent)
    }
    #expect(error.contains("a class weight is a number of at least 0; class 0 has"), "\(error)")
  }

  @Test func classWeightsNameClassesThatThereAre() throws {
    let (x, y) = try quadrants(8)
    let error = message {
      try model(.sparseCategoricalCrossentropy, outputs: 2).fit(x, y, classWeights: [2: 3], verbose: .silent)
    }
    #expect(error.contains("there is no class 2; the model has 2"), "\(error)")
  }

  /// The largest of a distribution names the class, as Keras has it.
  @Test func classWeightsTakeTheLargestOfADistribution() throws {
    let x = NDArray(zeros: TensorType(.float32, [2, 2]))
    let y = try NDArray([Float(0.9), 0.1, 0.2, 0.8], shape: [2, 2])
    let model = Model(Dense(2, activation: .softmax, weightInitializer: .zeros), inputShape: [2], backend: testBackend)
    try model.compile(optimizer: .sgd(0), loss: .categoricalCrossentropy)
    let loss = try model.fit(x, y, classWeights: [1: 10], verbose: .silent)["loss"][0]
    #expect(abs(loss - 5.5 * log(2)) < 1e-5)
  }
}
