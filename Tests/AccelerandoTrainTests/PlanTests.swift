// What a plan must look like, which is how speed is tested without a clock: how often the threads meet, what is never
// written to memory, what is left out.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct PlanTests {
  private let backend = CPUBackend(threads: 2)

  /// The plan of a training step on images.
  private func plan(batch: Int, @LayerBuilder _ layers: () -> [any Layer]) throws -> PlanReport {
    let model = Model(Sequential(layers), inputShape: [28, 28, 1], backend: backend, seed: 1)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    let data = try Dataset(
      NDArray(zeros: TensorType(.uint8, [batch, 28, 28, 1])), NDArray(zeros: TensorType(.uint8, [batch])))
    return try backend.explain(try model.inspectedStep(.train, on: data, batchSize: batch).program)
  }

  /// How many phases a run has.
  private func barriers(_ report: PlanReport) -> Int { report.phases.count { $0.kind != "once" } }

  private func seedCNN(batch: Int) throws -> PlanReport {
    try plan(batch: batch) {
      Rescaling(1 / 255.0)
      Conv2D(32, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D(poolSize: (2, 2))
      Flatten()
      Dense(10, activation: .softmax)
    }
  }

  @Test func aConvolutionalStepMeetsTwiceBesidesPackingItsWeights() throws {
    let report = try seedCNN(batch: 32)
    #expect(barriers(report) == 3, "\(report)")
    #expect(report.phases.contains { $0.parts.contains { $0.units == 32 && $0.leaves > 1 } })
  }

  @Test func theConvolutionsOutputIsNeverStored() throws {
    let report = try seedCNN(batch: 32)
    let image = 26 * 26 * 32 * 4
    #expect(report.kernels.contains { $0.label.contains("convolution forward") && $0.label.contains("+ max pool") })
    // What lives between phases is the pooled image and small things; no thread holds more than a few images' gradients.
    #expect(report.arenaBytes < 32 * image / 2, "\(report)")
  }

  @Test func aGradientOfManyWeightsIsWrittenOnceAndTheseWeightsAreNotPacked() throws {
    // 3 × 3 pixels with 256 channels: 2.4 MB of weights.
    let report = try plan(batch: 32) {
      AveragePooling2D(poolSize: (9, 9))
      Conv2D(256, kernelSize: (1, 1), activation: .relu)
      Conv2D(256, kernelSize: (3, 3), padding: .same, activation: .relu)
      GlobalAveragePooling2D()
      Dense(10, activation: .softmax)
    }
    let weights = 9 * 256 * 256
    #expect(report.kernels.count { $0.label.contains("[3, 3, 256, 256]") } == 3, "\(report)")
    #expect(report.kernels.allSatisfy { !$0.label.contains("leaves × \(weights)") }, "\(report)")
    // The optimizer finds the gradient's rows in cache: it is never stored as a whole, let alone once for each leaf.
    #expect(report.arenaBytes < 2 * 4 * weights, "\(report)")
  }

  @Test func noGradientOfTheImagesIsComputed() throws {
    #expect(try seedCNN(batch: 32).kernels.allSatisfy { !$0.label.contains("backwardData") })
  }

  @Test func theGradientOfAPoolingIsNotWrittenWhereOnlyTheKernelWantsIt() throws {
    let report = try seedCNN(batch: 32)
    if CPUBackend().instructionSet != .baseline {
      #expect(report.kernels.contains { $0.label.contains("max pool gradient") }, "\(report)")
      #expect(report.kernels.allSatisfy { !$0.label.contains("maxGradient") }, "\(report)")
    }
  }

  @Test func aSmallPerceptronsStepMeetsOnce() throws {
    let report = try plan(batch: 32) {
      Rescaling(1 / 255.0)
      Flatten()
      Dense(32, activation: .relu)
      Dense(10, activation: .softmax)
    }
    #expect(barriers(report) == 2, "\(report)")
  }

  @Test func weightsThatFillACacheStayWithTheCoreThatUpdatesThem() throws {
    let report = try plan(batch: 32) {
      Rescaling(1 / 255.0)
      Flatten()
      Dense(128, activation: .relu)
      Dense(10, activation: .softmax)
    }
    #expect(report.kernels.contains { $0.label.contains("[784, 128]") && $0.label.contains("leaves") }, "\(report)")
    #expect(barriers(report) == 4, "\(report)")
  }

  @Test func aLargeMatrixIsSplitBetweenTheCoresAndNotReadByEach() throws {
    let report = try plan(batch: 128) {
      Flatten()
      Dense(2048, activation: .relu)
      Dense(2048, activation: .relu)
      Dense(10, activation: .softmax)
    }
    let alone = report.phases.flatMap(\.parts).filter { $0.units == nil }.flatMap { $0.segments.flatMap(\.kernels) }
    #expect(alone.contains { $0.label.contains("[2048, 2048]") }, "\(report)")
  }

  @Test func batchNormalizationMeetsWhereItsMeansDo() throws {
    let report = try plan(batch: 16) {
      Conv2D(8, kernelSize: (3, 3))
      BatchNormalization()
      Flatten()
      Dense(10, activation: .softmax)
    }
    #expect(barriers(report) > 3 && barriers(report) < 14, "\(report)")
  }

  @Test func frozenWeightsArePackedOnce() throws {
    let model = Model(
      Sequential {
        Conv2D(16, kernelSize: (3, 3))
        Conv2D(16, kernelSize: (3, 3))
      }, inputShape: [12, 12, 3], backend: backend, seed: 1)
    let data = try Dataset(features: [NDArray(zeros: TensorType(.float32, [2, 12, 12, 3]))])
    let program = try model.inspectedStep(.predict, on: data, batchSize: 2).program
    let parameters = Set(program.inputs.indices.filter { program.inputs[$0].name.hasPrefix("parameter") })
    func packs(_ report: PlanReport, _ kind: String) -> Int {
      report.phases.filter { $0.kind == kind }.flatMap { $0.parts.flatMap { $0.segments.flatMap(\.kernels) } }
        .count { $0.label.hasPrefix("pack") }
    }
    let trained = try backend.explain(program)
    #expect(packs(trained, "parts") == 2 && packs(trained, "once") == 0, "\(trained)")
    let frozen = try backend.explain(program, frozenInputs: parameters)
    #expect(packs(frozen, "parts") == 0 && packs(frozen, "once") == 2, "\(frozen)")
  }
}
