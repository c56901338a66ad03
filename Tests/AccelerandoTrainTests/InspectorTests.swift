import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// What is seen inside of a model: outputs, gradients and losses of single samples.
@Suite struct InspectorTests {
  /// Two units of which one is never above 0, and a sum of both.
  private func model() throws -> (model: Model, x: NDArray, y: NDArray) {
    let model = Model(
      Sequential {
        Dense(2, activation: .relu)
        Dense(1)
      }, inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError)
    let names = try model.weights().entries.map(\.0)
    let values = [
      try NDArray([1, -1] as [Float], shape: [1, 2]), NDArray([0, 0] as [Float]),
      try NDArray([2, 3] as [Float], shape: [2, 1]), NDArray([0.5] as [Float]),
    ]
    try model.setWeights(Store(zip(names, values).map { ($0, $1) }))
    return (
      model, try NDArray([1, 2, 3, 4] as [Float], shape: [4, 1]), try NDArray([1, 1, 1, 1] as [Float], shape: [4, 1])
    )
  }

  @Test func outputsDeadUnitsAndGradientsAreThoseOfTheFormulas() throws {
    let (model, x, y) = try model()
    let look = try ModelInspector(model, on: Dataset(x, y), batchSize: 4).look()
    #expect(look.layers.count == 2 && look.cause == nil)
    let hidden = look.layers[0]
    // The outputs are 1, 0, 2, 0, 3, 0, 4, 0.
    #expect(hidden.mean == 1.25 && hidden.zeros == 0.5 && hidden.dead == 0.5 && look.layers[1].dead == nil)
    #expect(abs(hidden.deviation - (30.0 / 8 - 1.25 * 1.25).squareRoot()) < 1e-6)
    // The error of sample x is 2x − 0.5, and the loss the mean of its squares.
    let errors = [1, 2, 3, 4].map { 2 * $0 - 0.5 }
    let gradients = Dictionary(
      uniqueKeysWithValues: look.gradients.map { ($0.name, $0.value.elements(as: Double.self)) })
    let names = try model.weights().entries.map(\.0)
    let slope = zip(errors, [1.0, 2, 3, 4]).reduce(0) { $0 + 2 * $1.0 * $1.1 / 4 }
    #expect(try #require(gradients[names[0]]).elementsEqual([2 * slope, 0]))
    #expect(try #require(gradients[names[2]]).elementsEqual([slope, 0]))
    #expect(try #require(gradients[names[3]]).elementsEqual([errors.reduce(0, +) / 2]))
  }

  @Test func lossesOfSamplesHaveTheLossOfTheDataAsTheirMean() throws {
    let (model, x, y) = try model()
    var losses: [Double] = []
    try model.score(Dataset(x, y), batchSize: 3) { scored in
      #expect(scored.targets.count == 1 && scored.outputs[0].shape == [scored.batch.count, 1])
      losses += scored.losses
    }
    #expect(losses == [2.25, 12.25, 30.25, 56.25])
    #expect(try model.evaluate(x, y)["loss"] == 25.25)
  }

  @Test func placesThatALossIgnoresHaveNoPartInTheLossOfTheirSample() throws {
    let model = Model(Dense(3, activation: .softmax), inputShape: [2, 1], backend: testBackend, seed: 1)
    try model.compile(optimizer: .sgd(0.1), loss: SparseCategoricalCrossentropy(ignoredClass: -1))
    let x = try NDArray((0..<8).map { Float($0) / 4 }, shape: [4, 2, 1])
    let all = try NDArray([0, 1, 2, 0, 1, 1, 2, 2] as [Int32], shape: [4, 2])
    let some = try NDArray([0, -1, 2, 0, -1, -1, 2, 2] as [Int32], shape: [4, 2])
    func losses(_ y: NDArray) throws -> [Double] {
      var losses: [Double] = []
      try model.score(Dataset(x, y), batchSize: 4) { losses += $0.losses }
      return losses
    }
    let (first, second) = (try losses(all), try losses(some))
    #expect(first[1] == second[1] && first[3] == second[3] && second[2] == 0 && first[0] != second[0])
    // The only place of the first sample that counts.
    let probability = try model.predict(x).elements(as: Double.self)[0]
    #expect(abs(second[0] + log(probability)) < 1e-5)
  }

  @Test func aGradientThatIsNotFiniteIsNamedWithItsStep() throws {
    // The root has no gradient at 0, while its value is finite.
    let model = Model(
      Sequential {
        Dense(1, weightInitializer: .zeros)
        Lambda { $0.abs().sqrt() }
      }, inputShape: [1], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError)
    let x = try NDArray([Float](repeating: 1, count: 16), shape: [16, 1])
    do {
      try model.fit(x, x, epochs: 1, batchSize: 4, verbose: .silent)
      Issue.record("training went on")
    } catch let error as TrainingError {
      #expect("\(error)".contains("step 2 of epoch 1"), "\(error)")
      #expect("\(error)".contains("In that step: All layers give finite numbers; the gradient of"), "\(error)")
      let values = try model.weights().entries.flatMap { $0.1.elements(as: Float.self) }
      #expect(values == [0, 0], "\(error)")
    }
  }
}
