import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Testing

private func problem(_ prediction: [Int], _ target: [Int], _ body: (Tensor, Tensor) -> Tensor) -> String {
  do {
    let types = [TensorType(.float32, prediction), TensorType(.float32, target)]
    _ = try Program.trace(types) { [body($0[0], $0[1])] }
  } catch { return "\(error)" }
  return "no error"
}

@Suite struct LossTests {
  @Test func targetsOfAWrongShapeAreNamedWithTheRemedy() {
    let sparse = problem([8, 10], [8, 10]) { SparseCategoricalCrossentropy().values($0, $1) }
    #expect(sparse.contains("loss 'sparse_categorical_crossentropy': needs class indices of shape [8]"))
    #expect(sparse.contains("use 'categorical_crossentropy'"))
    let oneHot = problem([8, 10], [8]) { CategoricalCrossentropy().values($0, $1) }
    #expect(oneHot.contains("needs targets of the prediction's shape [8, 10]; received [8]."))
    #expect(oneHot.contains("use 'sparse_categorical_crossentropy'"))
    #expect(problem([8, 2], [8, 3]) { MeanSquaredError().values($0, $1) }.contains("received [8, 3]"))
    #expect(problem([8], [8]) { SparseCategoricalCrossentropy().values($0, $1) }.contains("[N, …, classes]"))
    #expect(problem([8, 4], [7]) { Accuracy().values($0, $1) }.contains("metric 'accuracy': needs class indices"))
    for metric in ["sparse_categorical_accuracy", "top_k_categorical_accuracy", "binary_accuracy"] {
      let text = problem([8], [3]) {
        ((try? Catalog.metrics.named(metric)) ?? Accuracy()).sums($0, $1, weights: nil)[0]
      }
      #expect(text.contains("needs"), "\(metric)")
    }
  }

  @Test func aLabelOutsideTheClassesIsNaNInTheStepAndNamedOnTheHost() throws {
    let loss = SparseCategoricalCrossentropy()
    let prediction = try NDArray([Float](repeating: 0.25, count: 12), shape: [3, 4])
    let values = try evaluate([prediction, NDArray([Int32(3), 4, -1])], on: ReferenceBackend()) {
      [loss.values($0[0], $0[1])]
    }[0].elements(as: Float.self)
    #expect(values[0].isFinite && values[1].isNaN && values[2].isNaN)
    #expect(throws: Never.self) { try loss.check(targets: NDArray([UInt8(0), 3]), predictionShape: [2, 4]) }
    do {
      try loss.check(targets: NDArray([Int64(0), 9]), predictionShape: [2, 4])
      Issue.record("no error")
    } catch { #expect("\(error)" == "the label of sample 1 is 9; the model has 4 classes, so labels are 0 to 3.") }
  }

  @Test func logitsBehindASoftmaxAreUsedSoThatSmallProbabilitiesCount() throws {
    // The second class has probability e⁻¹²⁰, which is 0 in float32.
    let logits = try NDArray([Float(120), 0], shape: [1, 2])
    let values = try evaluate([logits, NDArray([Int32(1)])], on: ReferenceBackend()) { tensors in
      [SparseCategoricalCrossentropy().values(tensors[0].softmax(), tensors[1])]
    }
    #expect(values[0].elements(as: Float.self) == [120])
  }

  @Test func accuracyChoosesItsMeaningByTheShapes() throws {
    func accuracy(_ prediction: NDArray, _ target: NDArray) throws -> [Float] {
      try evaluate([prediction, target], on: ReferenceBackend()) { [Accuracy().values($0[0], $0[1])] }[0].elements()
    }
    let scores = try NDArray([Float(0.1), 0.7, 0.2, 0.5, 0.3, 0.2], shape: [2, 3])
    #expect(try accuracy(scores, NDArray([Int32(1), 2])) == [1, 0])
    #expect(try accuracy(scores, NDArray([Int32(1), 2]).reshaped([2, 1])) == [1, 0])
    #expect(try accuracy(scores, NDArray([Float(0), 1, 0, 0, 0, 1], shape: [2, 3])) == [1, 0])
    let single = try NDArray([Float(0.9), 0.1], shape: [2, 1])
    #expect(try accuracy(single, NDArray([Int32(1), 1])) == [1, 0])
  }

  @Test func lossesTakeAnyFloatingTypeAndAnswerInFloat32OrMore() throws {
    for dtype in [DType.float16, .bfloat16, .float32, .float64] {
      for name in Catalog.losses.names {
        let loss = try Catalog.losses.named(name)
        let isSparse = name.hasPrefix("sparse") || ["circle", "categorical_generalized_cross_entropy"].contains(name)
        let shape = name == "ctc" ? [4, 6, 3] : [4, 3]
        let types = [TensorType(dtype, shape), TensorType(.uint8, isSparse ? [4] : [4, 3])]
        let program = try Program.trace(types) { [loss.values($0[0], $0[1])] }
        #expect(program.outputTypes == [TensorType(dtype == .float64 ? .float64 : .float32, [4])])
      }
    }
  }
}
