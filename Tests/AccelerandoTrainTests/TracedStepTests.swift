// Steps as programs alone must be those that training runs, or what is told of them is told of something else.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct TracedStepTests {
  @Test(arguments: [StepKind.train, .evaluate, .predict], [1, 7, 32])
  func theProgramIsTheOneThatRuns(_ kind: StepKind, batchSize: Int) throws {
    let (x, y) = try quadrants(64)
    let model = classifier([Dropout(0.2)])
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    // Prefetched batches are brought to the step one by one, as to a device that holds no data sets.
    let real = try model.inspectedStep(kind, on: try Dataset(x, y).prefetched(), batchSize: batchSize).program
    let types = BatchTypes(features: [TensorType(.float32, [2])], labels: TensorType(.int32, []))
    #expect(try model.stepProgram(kind, on: types, batchSize: batchSize) == real)
  }

  @Test func aModelThatHoldsNothingIsTracedWithACompilationOfItsOwn() throws {
    let model = classifier()
    let types = BatchTypes(features: [TensorType(.float32, [2])], labels: TensorType(.int32, []))
    let compilation = Compilation(optimizer: .sgd(0.1), loss: .sparseCategoricalCrossentropy)
    let program = try model.stepProgram(.train, on: types, batchSize: 4, compilation: compilation)
    #expect(program.inputs.contains { $0.name == "x0" && $0.type == TensorType(.float32, [4, 2]) })
    #expect(model.compilation == nil)
    #expect(throws: TrainingError.self) { try model.stepProgram(.train, on: types, batchSize: 4) }
    #expect(throws: TrainingError.self) { try model.stepProgram(.predict, on: types, batchSize: 0) }
    let wrong = BatchTypes(features: [TensorType(.float32, [3])])
    #expect(throws: TrainingError.self) { try model.stepProgram(.predict, on: wrong, batchSize: 1) }
  }
}
